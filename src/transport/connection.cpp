#include "connection.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <tuple>
#include <type_traits>
#include <utility>

#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <sys/socket.h>

#include <sluice/net/tls.hpp>

#include "answer_reader.hpp"

namespace sluice::transport {
namespace {

namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using deliver::Failure;
using deliver::UpstreamAnswer;
using net::as_result;
using std::chrono::steady_clock;

using PlainStream = tcp::socket;
using TlsStream = asio::ssl::stream<tcp::socket>;
// An answer is a few hundred bytes.
constexpr std::size_t read_bytes = 4U << 10;

// Whether what came is no HTTP, as opposed to not having come.
bool is_malformed(const error_code& error) {
  return error.category() == http::make_error_code(http::error::bad_version).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

template <class Stream>
class StreamConnection final : public Connection {
 public:
  template <class... Args>
  explicit StreamConnection(const asio::any_io_executor& executor, Args&... args)
      : Connection(executor),
        stream_(executor, args...),
        received_(AnswerReader::received_bytes_max) {}

  Task<Result<void>> handshake(std::string host, MonoTime deadline) override;
  Task<UpstreamAnswer> exchange(std::string head, std::string_view body,
                                MonoTime deadline) override;
  Task<Read> read_some(asio::mutable_buffer space) override;
  Task<error_code> write(asio::const_buffer bytes) override;
  [[nodiscard]] bool has_read_ahead() override;

 private:
  tcp::socket& socket() override {
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      return stream_.next_layer();
    } else {
      return stream_;
    }
  }

  struct Errors {
    error_code write;
    error_code read;
  };
  // Writes the request, and reads the answer into `answer`.
  Task<Errors> transfer(const std::string& head, std::string_view body, UpstreamAnswer& answer);
  // Reads the answer into `answer`; the error says why there is no status, or not the whole body.
  Task<error_code> read(UpstreamAnswer& answer);

  Stream stream_;
  boost::beast::flat_buffer received_;
};

template <class Stream>
Task<Result<void>> StreamConnection<Stream>::handshake(std::string host, MonoTime deadline) {
  if constexpr (std::is_same_v<Stream, TlsStream>) {
    const Result<void> expected = net::expect_peer(stream_.native_handle(), host);
    if (!expected) {
      co_return std::unexpected(expected.error());
    }
    const auto shaken =
        co_await cut_at(deadline, stream_.async_handshake(TlsStream::client, as_result));
    if (shaken.expired) {
      co_return failure(std::errc::timed_out, "the TLS handshake took too long");
    }
    if (const auto& [error] = shaken.value; error) {
      const long verdict = SSL_get_verify_result(stream_.native_handle());
      co_return failure(error, verdict == X509_V_OK
                                   ? error.message()
                                   : std::string("the certificate is not trusted: ") +
                                         X509_verify_cert_error_string(verdict));
    }
  }
  co_return Result<void>{};
}

template <class Stream>
Task<UpstreamAnswer> StreamConnection<Stream>::exchange(std::string head, std::string_view body,
                                                        MonoTime deadline) {
  UpstreamAnswer answer;
  const MonoTime begin = steady_clock::now();
  reusable_ = false;
  const auto [errors, timed_out] = co_await cut_at(deadline, transfer(head, body, answer));
  answer.duration = steady_clock::now() - begin;
  if (answer.status != 0) {
    reusable_ = reusable_ && !errors.write && !timed_out;
  } else if (closed()) {
    answer.failure = Failure::stopped;
    answer.detail = "stopped";
  } else if (errors.write) {
    answer.failure = Failure::not_sent;
    answer.detail = timed_out ? "the request could not be written in time" : errors.write.message();
  } else if (timed_out) {
    answer.failure = Failure::answer_timeout;
    answer.detail = "no answer came in time";
  } else {
    answer.failure = is_malformed(errors.read) ? Failure::malformed_answer : Failure::no_answer;
    answer.detail = errors.read.message();
  }
  co_return answer;
}

template <class Stream>
Task<typename StreamConnection<Stream>::Errors> StreamConnection<Stream>::transfer(
    const std::string& head, std::string_view body, UpstreamAnswer& answer) {
  const std::array<asio::const_buffer, 2> request{asio::buffer(head), asio::buffer(body)};
  const auto [write_error, written_bytes] = co_await asio::async_write(stream_, request, as_result);
  Errors errors{.write = write_error, .read = {}};
  // A server that refuses a request early answers and closes: its answer may be there although the
  // request could not be written to its end.
  if (socket().is_open()) {
    errors.read = co_await read(answer);
  }
  co_return errors;
}

template <class Stream>
Task<error_code> StreamConnection<Stream>::read(UpstreamAnswer& answer) {
  AnswerReader reader(answer);
  error_code error = reader.take(received_);
  while (error == http::error::need_more) {
    const std::size_t room = AnswerReader::received_bytes_max - received_.size();
    const auto [read_error, bytes] =
        co_await stream_.async_read_some(received_.prepare(std::min(room, read_bytes)), as_result);
    received_.commit(bytes);
    if (read_error) {
      error = reader.end();
      // Only an orderly end may end an answer that does not say how long it is.
      if (read_error != asio::error::eof) {
        error = read_error;
        answer.body_is_cut = true;
      }
    } else {
      error = reader.take(received_);
    }
  }
  // Bytes beyond the answer belong to nothing that we asked for.
  reusable_ = !error && reader.keeps_alive() && received_.size() == 0;
  co_return error;
}

template <class Stream>
Task<Connection::Read> StreamConnection<Stream>::read_some(asio::mutable_buffer space) {
  if (closed()) {
    co_return Read{.error = asio::error::operation_aborted};
  }
  const auto [error, bytes] = co_await stream_.async_read_some(space, as_result);
  co_return Read{.error = error, .bytes = bytes};
}

template <class Stream>
Task<error_code> StreamConnection<Stream>::write(asio::const_buffer bytes) {
  if (closed()) {
    co_return asio::error::operation_aborted;
  }
  const auto [error, written] = co_await asio::async_write(stream_, bytes, as_result);
  co_return error;
}

// One read of the socket may bring several TLS records, of which OpenSSL takes one at a time. Asio
// keeps none itself: it hands what it has read to OpenSSL's BIO, which has as much room.
template <class Stream>
bool StreamConnection<Stream>::has_read_ahead() {
  if constexpr (std::is_same_v<Stream, TlsStream>) {
    SSL* const tls = stream_.native_handle();
    return SSL_has_pending(tls) == 1 || BIO_ctrl_pending(SSL_get_rbio(tls)) > 0;
  } else {
    return false;
  }
}

}  // namespace

std::shared_ptr<Connection> Connection::make(const asio::any_io_executor& executor,
                                             asio::ssl::context* tls) {
  if (tls != nullptr) {
    return std::make_shared<StreamConnection<TlsStream>>(executor, *tls);
  }
  return std::make_shared<StreamConnection<PlainStream>>(executor);
}

Task<error_code> Connection::connect(tcp::endpoint endpoint, MonoTime deadline) {
  if (closed_) {
    co_return asio::error::operation_aborted;
  }
  const auto connected = co_await cut_at(deadline, socket().async_connect(endpoint, as_result));
  const error_code error =
      connected.expired ? error_code(asio::error::timed_out) : std::get<0>(connected.value);
  error_code ignored;
  if (error) {
    // The next try needs a new socket.
    socket().close(ignored);
  } else {
    socket().set_option(tcp::no_delay(true), ignored);
  }
  co_return error;
}

bool Connection::quiet() {
  if (has_read_ahead()) {
    return false;
  }
  char byte = 0;
  const ssize_t got = recv(socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void Connection::close() {
  closed_ = true;
  cut();
}

void Connection::cut() {
  error_code ignored;
  socket().close(ignored);
}

}  // namespace sluice::transport
