#include "session.hpp"

#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <simdjson.h>

#include <sluice/base/clock.hpp>

namespace sluice::simulator {
namespace {

namespace asio = net::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using TlsTransport = asio::ssl::stream<Transport>;
using Parser = http::request_parser<http::string_body>;

constexpr std::string_view garbage = "\x16\x03 this is no HTTP \r\n\x01\r\n";
constexpr std::size_t slow_pieces = 8;

std::string_view header(const Parser& parser, http::field name) {
  const auto value = parser.get()[name];
  return {value.data(), value.size()};
}

std::string_view header(const Parser& parser, std::string_view name) {
  const auto value = parser.get()[boost::beast::string_view(name.data(), name.size())];
  return {value.data(), value.size()};
}

// Counts a request as in flight until its answer is written or given up.
class InFlight {
 public:
  explicit InFlight(StatsBook& book) : book_(book) { book_.begin_request(); }
  ~InFlight() { book_.end_request(); }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

 private:
  StatsBook& book_;
};

constexpr std::size_t read_buffer_bytes = 128U << 10;

template <class Stream>
class Session {
 public:
  Session(SessionHost& host, Stream stream)
      : host_(host),
        stream_(std::move(stream)),
        timer_(stream_.get_executor()),
        live_{&transport(), &timer_} {
    host_.live.insert(&live_);
    // Into a buffer that has no room Beast reads 512 bytes at a time.
    buffer_.reserve(read_buffer_bytes);
  }
  ~Session() { host_.live.erase(&live_); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  net::Task<> run() {
    if (!co_await shake_hands()) {
      co_return;
    }
    bool open = true;
    while (open && !host_.stopping) {
      open = co_await exchange();
    }
    co_await close();
  }

 private:
  static constexpr bool is_tls = std::is_same_v<Stream, TlsTransport>;

  Transport& transport() {
    if constexpr (is_tls) {
      return stream_.next_layer();
    } else {
      return stream_;
    }
  }

  void set_deadline() { transport().expires_after(host_.world.options.idle_timeout); }

  net::Task<bool> shake_hands() {
    if constexpr (is_tls) {
      set_deadline();
      const auto [error] =
          co_await stream_.async_handshake(asio::ssl::stream_base::server, net::as_result);
      co_return !error;
    }
    co_return true;
  }

  // Serves one request; whether the connection stays open.
  net::Task<bool> exchange() {
    Parser parser;
    parser.body_limit(host_.world.options.body_bytes_max);
    // The body's memory is handed from request to request.
    body_.clear();
    parser.get().body() = std::move(body_);
    set_deadline();
    const auto [error, size] = co_await http::async_read(stream_, buffer_, parser, net::as_result);
    if (error) {
      co_await refuse_unreadable(error);
      co_return false;
    }
    const InFlight in_flight(host_.world.book);
    body_ = std::move(parser.get().body());
    body_.reserve(body_.size() + simdjson::SIMDJSON_PADDING);
    const bool keep_alive = parser.get().keep_alive();
    Answer answer = handle(parser);
    co_return co_await transmit(std::move(answer), keep_alive) && keep_alive;
  }

  Answer handle(const Parser& parser) {
    const auto method = parser.get().method_string();
    const auto target = parser.get().target();
    const Clock& clock = system_clock();
    return host_.model.handle({.method = {method.data(), method.size()},
                               .target = {target.data(), target.size()},
                               .authorization = header(parser, http::field::authorization),
                               .content_type = header(parser, http::field::content_type),
                               .content_encoding = header(parser, http::field::content_encoding),
                               .api_version = header(parser, "Api-Version"),
                               .body = body_,
                               .now = clock.wall_now(),
                               .mono_now = clock.mono_now()});
  }

  // Answers what is not a request that can be read to its end; nothing, if nobody is there any
  // more.
  net::Task<> refuse_unreadable(error_code error) {
    const bool too_large = error == http::error::body_limit;
    const bool malformed =
        error.category() == make_error_code(http::error::bad_method).category() &&
        error != http::error::end_of_stream && error != http::error::partial_message;
    if (malformed) {
      co_await transmit(
          error_answer(too_large ? 413 : 400, error.message(), "", system_clock().wall_now()),
          false);
    }
  }

  // Whether the connection can be used again.
  net::Task<bool> transmit(Answer answer, bool keep_alive) {
    if (answer.delay.count() > 0) {
      co_await wait(answer.delay);
    }
    if (answer.transmission == Transmission::reset || host_.stopping) {
      reset();
      co_return false;
    }
    if (answer.transmission == Transmission::garbage) {
      co_await write(garbage);
      co_return false;
    }
    const Wire wire = to_wire(answer, keep_alive, system_clock().wall_now());
    if (answer.transmission == Transmission::cut) {
      const std::size_t body_size = wire.text.size() - wire.head_size;
      co_await write(std::string_view(wire.text).substr(0, wire.head_size + body_size / 2));
      co_return false;
    }
    if (answer.transmission == Transmission::slow) {
      co_return co_await write_slowly(wire, answer.slow_for);
    }
    co_return co_await write(wire.text);
  }

  // The text must stay valid until it is written; whether it was.
  net::Task<bool> write(std::string_view text) {
    set_deadline();
    const auto [error, size] =
        co_await asio::async_write(stream_, asio::buffer(text), net::as_result);
    co_return !error;
  }

  // The wire belongs to the caller, which waits.
  net::Task<bool> write_slowly(const Wire& wire, std::chrono::nanoseconds duration) {
    std::string_view rest = wire.text;
    bool open = co_await write(rest.substr(0, wire.head_size));
    rest.remove_prefix(wire.head_size);
    const std::size_t piece = rest.size() / slow_pieces + 1;
    while (open && !rest.empty() && !host_.stopping) {
      co_await wait(duration / slow_pieces);
      open = co_await write(rest.substr(0, piece));
      rest.remove_prefix(std::min(piece, rest.size()));
    }
    co_return open&& rest.empty();
  }

  net::Task<> wait(std::chrono::nanoseconds duration) {
    timer_.expires_after(duration);
    co_await timer_.async_wait(net::as_result);
  }

  // A linger time of zero makes the kernel send RST in place of FIN.
  void reset() {
    error_code ignored;
    transport().socket().set_option(asio::socket_base::linger(true, 0), ignored);
    transport().close();
  }

  net::Task<> close() {
    if (!transport().socket().is_open()) {
      co_return;
    }
    error_code ignored;
    if constexpr (is_tls) {
      set_deadline();
      co_await stream_.async_shutdown(net::as_result);
    }
    transport().socket().shutdown(asio::socket_base::shutdown_send, ignored);
  }

  SessionHost& host_;
  Stream stream_;
  asio::steady_timer timer_;
  LiveConnection live_;
  boost::beast::flat_buffer buffer_;
  std::string body_;
};

}  // namespace

net::Task<> serve(SessionHost& host, net::Socket socket) {
  error_code ignored;
  // An answer is one write: waiting for more to send would only cost time.
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  host.world.book.update([](Stats& stats) { ++stats.connections_accepted; });
  Transport transport(std::move(socket));
  if (host.stopping) {
    co_return;
  }
  if (host.tls != nullptr) {
    Session<TlsTransport> session(host, TlsTransport(std::move(transport), *host.tls));
    co_await session.run();
  } else {
    Session<Transport> session(host, std::move(transport));
    co_await session.run();
  }
}

void cut_all(SessionHost& host) {
  host.stopping = true;
  for (const LiveConnection* connection : host.live) {
    connection->transport->close();
    connection->timer->cancel();
  }
}

}  // namespace sluice::simulator
