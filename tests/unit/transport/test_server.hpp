// A server that does to its clients what a test asks for: on a free port, in the test's own
// io_context.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/ssl/context.hpp>

#include <sluice/net/gate.hpp>
#include <sluice/net/listener.hpp>

namespace sluice::transport {

inline constexpr const char* accepted_answer = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";

// What the server does with one request.
struct Reaction {
  enum class Then : std::uint8_t {
    keep,   // take the next request of the connection
    close,  // in order
    reset,  // with a RST
    hang,   // until the client goes
  };
  std::string bytes = accepted_answer;  // written as they are
  Then then = Then::keep;
  std::string behind{};  // arrives with them; over TLS, in a record of its own
};

struct Received {
  std::string head;
  std::string body;
  std::size_t connection = 0;  // from 0, in the order of their acceptance
};

class TestServer {
 public:
  using Script = std::function<Reaction(const Received&)>;

  // Plain when there is no TLS context.
  TestServer(net::asio::any_io_executor executor, std::optional<net::asio::ssl::context> tls);
  // Its coroutines end in the io_context after this, before the server may be destroyed.
  void stop();

  [[nodiscard]] std::string authority() const;  // "127.0.0.1:4711"
  [[nodiscard]] const std::vector<Received>& requests() const { return requests_; }
  [[nodiscard]] std::size_t accepted() const { return accepted_; }
  [[nodiscard]] std::size_t open() const { return sockets_.size(); }
  [[nodiscard]] const net::Gate& gate() const { return gate_; }

  // Decides on each request; as soon as its header is there when body_first is false.
  Script script = [](const Received&) { return Reaction{}; };
  bool body_first = true;

 private:
  static net::Task<> accept(TestServer& server);
  template <class Stream>
  static net::Task<> serve(TestServer& server, Stream stream, std::size_t connection);

  net::Gate gate_{"test server"};
  net::asio::any_io_executor executor_;
  std::optional<net::asio::ssl::context> tls_;
  net::Acceptor acceptor_;
  std::vector<net::Socket*> sockets_;
  std::vector<Received> requests_;
  std::size_t accepted_ = 0;
};

}  // namespace sluice::transport
