// Writing to clients that may not read.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <tuple>

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include <sluice/metrics/cells.hpp>
#include <sluice/net/listener.hpp>

namespace sluice::admin {

// A client that does not take what is written in time is gone: its socket is closed, and it is
// counted. Lives on the executor's
// thread, and outlives the coroutines.
class ClientWriter {
 public:
  using Answer = boost::beast::http::response<boost::beast::http::string_body>;

  explicit ClientWriter(std::chrono::milliseconds timeout) : timeout_(timeout) {}

  // Whether the client took all of it in time.
  [[nodiscard]] net::Task<bool> write(net::Socket& socket, std::string text);
  [[nodiscard]] net::Task<bool> write_answer(net::Socket& socket, Answer answer);

  [[nodiscard]] std::chrono::milliseconds timeout() const { return timeout_; }
  [[nodiscard]] const metrics::Counter& timeouts() const { return timeouts_; }

 private:
  using Written = std::tuple<boost::system::error_code, std::size_t>;
  [[nodiscard]] net::Task<bool> taken(net::Socket& socket, net::Task<Written> writing);

  std::chrono::milliseconds timeout_;
  metrics::Counter timeouts_;
};

}  // namespace sluice::admin
