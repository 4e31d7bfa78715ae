#include "http_client.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <stdexcept>

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

namespace sluice::test {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Socket = asio::generic::stream_protocol::socket;

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return out;
}

}  // namespace

// Each call runs the loop until it is done or out of patience: a test never hangs.
class HttpClient::Connection {
 public:
  Connection(std::uint16_t port, const Options& options)
      : patience_(options.patience), tls_(asio::ssl::context::tls_client), stream_(context_) {
    if (options.receive_buffer_bytes > 0) {
      stream_.open(asio::ip::tcp::v4());
      stream_.set_option(asio::socket_base::receive_buffer_size(options.receive_buffer_bytes));
    }
    if (options.unix_path.empty()) {
      stream_.connect(asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), port));
    } else {
      stream_.connect(asio::local::stream_protocol::endpoint(options.unix_path));
    }
    if (!options.ca_file.empty()) {
      tls_.load_verify_file(options.ca_file);
      if (!options.cert_file.empty()) {
        tls_.use_certificate_chain_file(options.cert_file);
        tls_.use_private_key_file(options.key_file, asio::ssl::context::pem);
      }
      secure_.emplace(stream_, tls_);
      if (options.resumes != nullptr) {
        SSL* const other = options.resumes->connection_->secure_->native_handle();
        const std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)> session(
            SSL_get1_session(other), SSL_SESSION_free);
        SSL_set_session(secure_->native_handle(), session.get());
      }
      if (options.asks_for_status) {
        SSL_set_tlsext_status_type(secure_->native_handle(), TLSEXT_STATUSTYPE_ocsp);
      }
      secure_->set_verify_mode(asio::ssl::verify_peer);
      secure_->set_verify_callback(asio::ssl::host_name_verification("localhost"));
      const auto error = finish(
          [&](auto done) { secure_->async_handshake(asio::ssl::stream_base::client, done); });
      if (error) {
        throw boost::system::system_error(error);
      }
    }
  }

  // A server that has closed shows when the answer is read.
  void send(std::string_view bytes) {
    on_stream([&](auto& stream) {
      finish([&](auto done) { asio::async_write(stream, asio::buffer(bytes), done); });
    });
  }
  HttpAnswer read_answer(bool to_head) {
    http::response_parser<http::string_body> parser;
    parser.body_limit(std::uint64_t{64} << 20);
    parser.skip(to_head);
    boost::system::error_code error;
    on_stream([&](auto& stream) {
      error = finish([&](auto done) { http::async_read(stream, buffer_, parser, done); });
    });
    HttpAnswer answer;
    if (error) {
      return answer;
    }
    answer.status = parser.get().result_int();
    for (const auto& field : parser.get()) {
      answer.headers[lower(std::string_view(
          field.name_string().data(), field.name_string().size()))] = std::string(field.value());
    }
    answer.body = parser.get().body();
    return answer;
  }
  [[nodiscard]] bool resumed() { return SSL_session_reused(secure_->native_handle()) == 1; }
  [[nodiscard]] std::string stapled() {
    const char* bytes = nullptr;
    const long size = SSL_get_tlsext_status_ocsp_resp(secure_->native_handle(), &bytes);
    return size < 0 ? "" : std::string(bytes, static_cast<std::size_t>(size));
  }
  bool closed_by_server() {
    char byte = 0;
    const auto error =
        finish([&](auto done) { stream_.async_read_some(asio::buffer(&byte, 1), done); });
    return error == asio::error::eof || error == asio::error::connection_reset;
  }

 private:
  template <class Use>
  void on_stream(Use use) {
    if (secure_) {
      use(*secure_);
    } else {
      use(stream_);
    }
  }
  // Starts an operation and runs it to its end; out of patience, it closes the connection.
  template <class Start>
  boost::system::error_code finish(Start start) {
    boost::system::error_code result;
    start([&](const boost::system::error_code& error, auto...) { result = error; });
    context_.restart();
    context_.run_for(patience_);
    if (!context_.stopped()) {
      stream_.close();
      context_.run();
      return asio::error::timed_out;
    }
    return result;
  }

  std::chrono::seconds patience_;
  asio::io_context context_;
  asio::ssl::context tls_;
  Socket stream_;
  std::optional<asio::ssl::stream<Socket&>> secure_;
  boost::beast::flat_buffer buffer_;
};

HttpClient::HttpClient(std::uint16_t port, const Options& options)
    : connection_(std::make_unique<Connection>(port, options)) {}
HttpClient::~HttpClient() = default;

HttpAnswer HttpClient::request(std::string_view method, std::string_view target,
                               std::string_view body, const Headers& headers) {
  std::string text =
      std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n";
  for (const auto& [name, value] : headers) {
    text += name + ": " + value + "\r\n";
  }
  if (method != "GET" && method != "HEAD") {
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  }
  send(text + "\r\n" + std::string(body));
  return connection_->read_answer(method == "HEAD");
}

HttpAnswer HttpClient::post(std::string_view target, std::string_view body,
                            const Headers& headers) {
  Headers all = headers;
  if (std::ranges::none_of(
          headers, [](const auto& header) { return lower(header.first) == "content-type"; })) {
    all.emplace_back("Content-Type", "application/json");
  }
  return request("POST", target, body, all);
}

void HttpClient::send(std::string_view bytes) { connection_->send(bytes); }
HttpAnswer HttpClient::read_answer() { return connection_->read_answer(false); }
bool HttpClient::resumed() const { return connection_->resumed(); }
std::string HttpClient::stapled() const { return connection_->stapled(); }
bool HttpClient::closed_by_server() { return connection_->closed_by_server(); }

HttpAnswer post(std::uint16_t port, std::string_view target, std::string_view body,
                const Headers& headers) {
  return HttpClient(port).post(target, body, headers);
}
HttpAnswer get(std::uint16_t port, std::string_view target) { return HttpClient(port).get(target); }

}  // namespace sluice::test
