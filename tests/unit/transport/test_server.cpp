#include "test_server.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <netinet/tcp.h>

namespace sluice::transport {
namespace {

namespace asio = net::asio;
using net::as_result;
using TlsStream = asio::ssl::stream<net::Socket>;

template <class Stream>
net::Socket& socket_of(Stream& stream) {
  if constexpr (std::is_same_v<Stream, TlsStream>) {
    return stream.next_layer();
  } else {
    return stream;
  }
}

// Where stop() and open() see a connection.
class Registered {
 public:
  Registered(std::vector<net::Socket*>& all, net::Socket& socket) : all_(all), socket_(&socket) {
    all_.push_back(socket_);
  }
  ~Registered() { std::erase(all_, socket_); }
  Registered(const Registered&) = delete;
  Registered& operator=(const Registered&) = delete;

 private:
  std::vector<net::Socket*>& all_;
  net::Socket* socket_;
};

// While it is corked, a socket sends full segments only.
void cork(net::Socket& socket, int on) {
  setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

std::size_t content_length(const std::string& head) {
  constexpr std::string_view name = "Content-Length: ";
  const std::size_t at = head.find(name);
  return at == std::string::npos ? 0 : std::stoul(head.substr(at + name.size()));
}

}  // namespace

TestServer::TestServer(asio::any_io_executor executor, std::optional<asio::ssl::context> tls)
    : executor_(std::move(executor)),
      tls_(std::move(tls)),
      acceptor_(
          net::listen(executor_, config::TcpAddress{.host = "127.0.0.1", .port = 0}).value()) {
  net::spawn(executor_, gate_, accept(*this));
}

void TestServer::stop() {
  acceptor_.close();
  for (net::Socket* socket : sockets_) {
    socket->close();
  }
}

std::string TestServer::authority() const { return net::to_string(net::local_address(acceptor_)); }

net::Task<> TestServer::accept(TestServer& server) {
  for (;;) {
    auto [error, socket] = co_await server.acceptor_.async_accept(as_result);
    if (error) {
      co_return;
    }
    const std::size_t connection = server.accepted_++;
    if (server.tls_) {
      net::spawn(server.executor_, server.gate_,
                 serve(server, TlsStream(std::move(socket), *server.tls_), connection));
    } else {
      net::spawn(server.executor_, server.gate_, serve(server, std::move(socket), connection));
    }
  }
}

template <class Stream>
net::Task<> TestServer::serve(TestServer& server, Stream stream, std::size_t connection) {
  const Registered registered(server.sockets_, socket_of(stream));
  if constexpr (std::is_same_v<Stream, TlsStream>) {
    const auto [error] = co_await stream.async_handshake(TlsStream::server, as_result);
    if (error) {
      co_return;
    }
  }
  std::string input;
  for (;;) {
    Received request;
    request.connection = connection;
    const auto [head_error, head_bytes] =
        co_await asio::async_read_until(stream, asio::dynamic_buffer(input), "\r\n\r\n", as_result);
    if (head_error) {
      co_return;
    }
    request.head = input.substr(0, head_bytes);
    input.erase(0, head_bytes);
    const std::size_t length = content_length(request.head);
    if (server.body_first && input.size() < length) {
      const auto [body_error, body_bytes] =
          co_await asio::async_read(stream, asio::dynamic_buffer(input),
                                    asio::transfer_exactly(length - input.size()), as_result);
      if (body_error) {
        co_return;
      }
    }
    request.body = input.substr(0, length);
    input.erase(0, length);
    const Reaction reaction = server.script(request);
    server.requests_.push_back(std::move(request));
    cork(socket_of(stream), 1);
    co_await asio::async_write(stream, asio::buffer(reaction.bytes), as_result);
    co_await asio::async_write(stream, asio::buffer(reaction.behind), as_result);
    cork(socket_of(stream), 0);
    switch (reaction.then) {
      case Reaction::Then::keep:
        continue;
      case Reaction::Then::reset:
        socket_of(stream).set_option(asio::socket_base::linger(true, 0));
        socket_of(stream).close();  // its destructor would end it in order
        co_return;
      case Reaction::Then::close:
        co_return;
      case Reaction::Then::hang:
        co_await asio::async_read(stream, asio::dynamic_buffer(input), as_result);
        co_return;
    }
  }
}

}  // namespace sluice::transport
