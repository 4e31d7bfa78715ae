#include "admin_client.hpp"

#include <array>
#include <variant>

#include <boost/asio/connect.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <sluice/net/listener.hpp>

namespace sluice::cli {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using Request = http::request<http::string_body>;

constexpr std::uint64_t answer_bytes_max = 64U << 20;

// One exchange. Blocking calls of Asio know no time-out: asynchronous ones are run instead.
class Exchange {
 public:
  explicit Exchange(std::chrono::milliseconds patience)
      : deadline_(std::chrono::steady_clock::now() + patience) {}

  Result<AdminAnswer, error_code> run(const config::ListenAddress& address,
                                      const Request& request) {
    if (const error_code error = connect(address)) {
      return std::unexpected(error);
    }
    http::response_parser<http::string_body> parser;
    parser.body_limit(answer_bytes_max);
    error_code error =
        finish([&](auto done) { http::async_write(socket_, request, std::move(done)); });
    if (!error) {
      error =
          finish([&](auto done) { http::async_read(socket_, buffer_, parser, std::move(done)); });
    }
    if (error) {
      return std::unexpected(error);
    }
    return AdminAnswer{.status = parser.get().result_int(), .body = parser.get().body()};
  }

  // Without a deadline once it is connected.
  Result<AdminAnswer, error_code> stream(const config::ListenAddress& address,
                                         const Request& request,
                                         const std::function<void(std::string_view)>& take) {
    error_code error = connect(address);
    http::response_parser<http::string_body> parser;
    if (!error) {
      http::write(socket_, request, error);
    }
    if (!error) {
      http::read_header(socket_, buffer_, parser, error);
    }
    const bool is_stream = !error && parser.get().result() == http::status::ok;
    if (!error && !is_stream) {
      http::read(socket_, buffer_, parser, error);
    }
    if (error) {
      return std::unexpected(error);
    }
    const auto held = buffer_.data();
    std::array<char, 16'384> bytes{};
    if (is_stream) {
      take({static_cast<const char*>(held.data()), held.size()});
    }
    while (is_stream && !error) {
      const std::size_t read = socket_.read_some(asio::buffer(bytes), error);
      take({bytes.data(), read});
    }
    return AdminAnswer{.status = parser.get().result_int(), .body = parser.get().body()};
  }

 private:
  error_code connect(const config::ListenAddress& address) {
    if (const auto* local = std::get_if<config::UnixAddress>(&address)) {
      return connect(asio::local::stream_protocol::endpoint(local->path));
    }
    const auto& tcp = std::get<config::TcpAddress>(address);
    asio::ip::tcp::resolver resolver(context_);
    asio::ip::tcp::resolver::results_type found;
    error_code error = finish([&](auto done) {
      resolver.async_resolve(tcp.host, std::to_string(tcp.port),
                             [&found, done](const error_code& result, const auto& endpoints) {
                               found = endpoints;
                               done(result);
                             });
    });
    for (const auto& entry : found) {
      error = connect(entry.endpoint());
      if (!error) {
        break;
      }
    }
    return error;
  }
  error_code connect(const asio::generic::stream_protocol::endpoint& endpoint) {
    error_code ignored;
    socket_.close(ignored);
    return finish([&](auto done) { socket_.async_connect(endpoint, std::move(done)); });
  }

  // Starts an operation and runs it to its end, or until the patience is.
  template <class Start>
  error_code finish(Start start) {
    error_code result = asio::error::timed_out;
    start([&result](const error_code& error, auto&&...) { result = error; });
    context_.restart();
    context_.run_until(deadline_);
    if (!context_.stopped()) {
      error_code ignored;
      socket_.close(ignored);
      context_.run();
      return asio::error::timed_out;
    }
    return result;
  }

  const std::chrono::steady_clock::time_point deadline_;
  asio::io_context context_;
  asio::generic::stream_protocol::socket socket_{context_};
  boost::beast::flat_buffer buffer_;
};

// Of a Host field: what a Unix-domain socket has instead is of no interest.
std::string host_of(const config::ListenAddress& address) {
  return std::holds_alternative<config::TcpAddress>(address) ? net::to_string(address)
                                                             : "localhost";
}

void finish(Request& request, const config::Admin& admin, bool with_token) {
  if (with_token && admin.token) {
    request.set(http::field::authorization, "Bearer " + admin.token->value);
  }
  request.set(http::field::host, host_of(admin.listen));
  request.keep_alive(false);
  request.prepare_payload();
}

Result<AdminAnswer> told(const config::ListenAddress& address,
                         Result<AdminAnswer, error_code> answer) {
  if (answer) {
    return *std::move(answer);
  }
  const error_code error = answer.error();
  const bool nobody_listens = error == asio::error::connection_refused ||
                              error == boost::system::errc::no_such_file_or_directory;
  const std::error_code code = nobody_listens ? std::make_error_code(std::errc::connection_refused)
                                              : static_cast<std::error_code>(error);
  return failure(code, "admin address " + net::to_string(address) + ": " + error.message());
}

}  // namespace

Result<AdminAnswer> AdminClient::get(std::string_view target) const {
  Request request(http::verb::get, {target.data(), target.size()}, 11);
  finish(request, admin_, false);
  return told(admin_.listen, Exchange(patience_).run(admin_.listen, request));
}

Result<AdminAnswer> AdminClient::post(std::string_view target, std::string_view body) const {
  Request request(http::verb::post, {target.data(), target.size()}, 11, std::string(body));
  request.set(http::field::content_type, "application/json");
  finish(request, admin_, true);
  return told(admin_.listen, Exchange(patience_).run(admin_.listen, request));
}

Result<AdminAnswer> AdminClient::stream(std::string_view target,
                                        const std::function<void(std::string_view)>& take) const {
  Request request(http::verb::get, {target.data(), target.size()}, 11);
  finish(request, admin_, true);
  return told(admin_.listen, Exchange(patience_).stream(admin_.listen, request, take));
}

std::string AdminClient::address() const { return net::to_string(admin_.listen); }

}  // namespace sluice::cli
