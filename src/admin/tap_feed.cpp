#include "tap_feed.hpp"

#include <array>
#include <chrono>
#include <utility>

#include <boost/asio/steady_timer.hpp>

#include <sluice/tap/text.hpp>

#include "query.hpp"

namespace sluice::admin {
namespace {

namespace asio = net::asio;
namespace http = boost::beast::http;
using net::as_result;
using net::Task;

// How often a tap is looked into.
constexpr std::chrono::milliseconds look_interval{100};
constexpr std::string_view tap_head =
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nCache-Control: no-store\r\n"
    "Connection: close\r\n\r\n";

Result<void> set_parameter(TapQuery& query, std::string_view name, std::string value) {
  if (name == "outcome" && (value == "accepted" || value == "rejected")) {
    query.wish.accepted = value == "accepted";
    query.wish.rejected = value == "rejected";
    return {};
  }
  if (name == "source") {
    query.wish.source = std::move(value);
    return {};
  }
  if (name == "workspace") {
    query.wish.workspace = std::move(value);
    return {};
  }
  if (name == "sample") {
    return tap::read_rate(value, query.wish);
  }
  if (name == "unmasked" && (value == "true" || value == "false")) {
    query.masked = value == "false";
    return {};
  }
  return failure(std::errc::invalid_argument,
                 "there is no parameter `" + std::string(name.substr(0, 64)) +
                     "` with this value: use outcome (accepted, rejected), source, workspace, "
                     "sample, unmasked (true, false)");
}

// A client sends nothing more; what can be read is its end.
bool is_closed(net::Socket& socket) {
  std::array<char, 1> byte{};
  boost::system::error_code error;
  socket.non_blocking(true, error);
  socket.receive(asio::buffer(byte), net::Socket::message_peek, error);
  return error && error != asio::error::would_block;
}

}  // namespace

Result<TapQuery> parse_tap_query(std::string_view query) {
  TapQuery parsed;
  Result<void> read = tap::read_rate(tap::default_rate, parsed.wish);
  if (read) {
    read = read_parameters(query, [&](std::string_view name, std::string value) {
      return set_parameter(parsed, name, std::move(value));
    });
  }
  return read ? Result<TapQuery>(std::move(parsed)) : std::unexpected(read.error());
}

TapFeed::TapFeed(asio::any_io_executor executor, ClientWriter& writer, Open open)
    : executor_(std::move(executor)), writer_(writer), open_(std::move(open)) {}

Result<TapFeed::Opened, Page> TapFeed::open(const Request& request,
                                            const std::optional<config::Secret>& token) const {
  const Credentials credentials = credentials_of(request);
  if (is_cross_site(credentials)) {
    return std::unexpected(other_site());
  }
  if (request.method() != http::verb::get) {
    return std::unexpected(wrong_method("GET"));
  }
  auto query = parse_tap_query(query_of(request));
  if (!query) {
    return std::unexpected(problem(http::status::bad_request, query.error().message));
  }
  if (!query->masked) {
    if (auto refused = refuse_secret(credentials, token, "events cannot be seen unmasked")) {
      return std::unexpected(*std::move(refused));
    }
  }
  auto reader = open_(std::move(query->wish));
  if (!reader) {
    const bool is_busy = reader.error().code == std::errc::device_or_resource_busy;
    return std::unexpected(
        problem(is_busy ? http::status::service_unavailable : http::status::bad_request,
                reader.error().message));
  }
  return Opened{.reader = *std::move(reader), .masked = query->masked};
}

Task<> TapFeed::serve(net::Socket& socket, Opened opened) {
  asio::steady_timer pause(executor_);
  bool open = co_await writer_.write(socket, std::string(tap_head));
  while (open && !stopped_ && !is_closed(socket)) {
    const tap::Taps::Taken taken = opened.reader->take();
    std::string lines;
    for (const tap::Sample& sample : taken.samples) {
      lines += tap::to_line(sample, opened.masked);
    }
    if (taken.dropped > 0) {
      lines += tap::dropped_line(taken.dropped);
    }
    if (!lines.empty()) {
      open = co_await writer_.write(socket, std::move(lines));
      continue;
    }
    pause.expires_after(look_interval);
    co_await pause.async_wait(as_result);
  }
}

}  // namespace sluice::admin
