#include "client_write.hpp"

#include <boost/asio/write.hpp>
#include <boost/beast/http/write.hpp>

#include <sluice/net/deadline.hpp>

namespace sluice::admin {

namespace asio = net::asio;
namespace http = boost::beast::http;
using net::as_result;

net::Task<bool> ClientWriter::write(net::Socket& socket, std::string text) {
  co_return co_await taken(socket, asio::async_write(socket, asio::buffer(text), as_result));
}

net::Task<bool> ClientWriter::write_answer(net::Socket& socket, Answer answer) {
  co_return co_await taken(socket, http::async_write(socket, answer, as_result));
}

net::Task<bool> ClientWriter::taken(net::Socket& socket, net::Task<Written> writing) {
  net::Deadline patience(socket.get_executor());
  const auto written =
      co_await net::with_deadline(patience, std::chrono::steady_clock::now() + timeout_,
                                  std::move(writing), net::closing(socket));
  if (written.expired) {
    timeouts_.add();
  }
  co_return !written.expired && !std::get<0>(written.value);
}

}  // namespace sluice::admin
