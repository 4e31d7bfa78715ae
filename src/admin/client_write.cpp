#include "client_write.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/write.hpp>

namespace sluice::admin {

namespace asio = net::asio;
namespace http = boost::beast::http;
using net::as_result;
using namespace asio::experimental::awaitable_operators;

net::Task<bool> ClientWriter::write(net::Socket& socket, std::string text) {
  asio::steady_timer patience(socket.get_executor(), timeout_);
  co_return has_taken(co_await (asio::async_write(socket, asio::buffer(text), as_result) ||
                                patience.async_wait(as_result)));
}

net::Task<bool> ClientWriter::write_answer(net::Socket& socket, Answer answer) {
  asio::steady_timer patience(socket.get_executor(), timeout_);
  co_return has_taken(
      co_await (http::async_write(socket, answer, as_result) || patience.async_wait(as_result)));
}

bool ClientWriter::has_taken(const Outcome& outcome) {
  if (outcome.index() != 0) {
    timeouts_.add();
    return false;
  }
  return !std::get<0>(std::get<0>(outcome));
}

}  // namespace sluice::admin
