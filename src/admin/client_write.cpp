#include "client_write.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/write.hpp>

namespace sluice::admin {

namespace asio = net::asio;
using net::as_result;
using namespace asio::experimental::awaitable_operators;

net::Task<bool> write_to_client(net::Socket& socket, std::string text) {
  asio::steady_timer patience(socket.get_executor(), write_timeout);
  const auto first = co_await (asio::async_write(socket, asio::buffer(text), as_result) ||
                               patience.async_wait(as_result));
  co_return first.index() == 0 && !std::get<0>(std::get<0>(first));
}

}  // namespace sluice::admin
