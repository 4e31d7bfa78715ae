#include <chrono>
#include <list>
#include <optional>
#include <utility>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http.hpp>

#include <sluice/admin/server.hpp>
#include <sluice/base/authority.hpp>
#include <sluice/base/clock.hpp>
#include <sluice/base/log.hpp>
#include <sluice/metrics/exposition.hpp>
#include <sluice/net/deadline.hpp>
#include <sluice/net/lingering.hpp>
#include <sluice/net/listener.hpp>

#include "client_write.hpp"
#include "console.hpp"
#include "control_routes.hpp"
#include "dead_letter_routes.hpp"
#include "guard.hpp"
#include "status_feed.hpp"
#include "tap_feed.hpp"

namespace sluice::admin {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using net::as_result;
using net::Task;
using Answer = ClientWriter::Answer;

constexpr std::size_t head_bytes_max = 8U << 10;
constexpr std::size_t body_bytes_max = 1U << 20;
constexpr std::size_t read_bytes = 4U << 10;

constexpr std::string_view html = "text/html; charset=utf-8";
constexpr std::string_view css = "text/css; charset=utf-8";
constexpr std::string_view javascript = "text/javascript; charset=utf-8";
constexpr std::string_view yaml = "application/yaml";

Page console_page(std::string_view content_type, std::string_view body) {
  return {.status = http::status::ok,
          .content_type = content_type,
          .body = std::string(body),
          .fields = {{"Content-Security-Policy", console::content_security_policy},
                     {"X-Content-Type-Options", "nosniff"},
                     {"Referrer-Policy", "no-referrer"}}};
}

std::optional<Page> find_console(std::string_view path) {
  if (path == "/") {
    return console_page(html, console::page);
  }
  if (path == "/console.css") {
    return console_page(css, console::style);
  }
  if (path == "/console.js") {
    return console_page(javascript, console::script);
  }
  return std::nullopt;
}

Page make_page(std::string_view path, const Hooks& hooks) {
  if (path == "/livez") {
    return {http::status::ok, plain, "ok\n"};
  }
  if (path == "/readyz") {
    const std::string why = hooks.not_ready();
    return why.empty() ? Page{http::status::ok, plain, "ready\n"}
                       : Page{http::status::service_unavailable, plain, "not ready: " + why + "\n"};
  }
  if (path == "/metrics") {
    return {http::status::ok, metrics::exposition_content_type, hooks.metrics()};
  }
  if (path == "/status") {
    return {http::status::ok, json, hooks.status()};
  }
  if (path == "/config") {
    return {http::status::ok, yaml, hooks.config()};
  }
  if (path == "/events") {
    return problem(http::status::service_unavailable,
                   "as many as can look at the events at once do so already");
  }
  if (auto page = find_console(path)) {
    return *std::move(page);
  }
  return {http::status::not_found, plain,
          "nothing here; there is /, /metrics, /livez, /readyz, /status, /events, /config, /tap "
          "and /dlq\n"};
}

struct Probe {
  metrics::Counter connections_evicted;
  metrics::Counter bodies_refused;
  metrics::Counter slow_requests;     // begun, but not there in time
  metrics::Counter idle_connections;  // closed as no other request came
};

using Parser = http::request_parser<http::string_body>;

constexpr std::string_view continue_answer = "HTTP/1.1 100 Continue\r\n\r\n";

// Takes one before a request, as clients that count wrongly send it behind a body (RFC 9112, 2.2).
// False: what is there may be half of one.
bool skip_empty_line(boost::beast::flat_buffer& buffer) {
  const std::string_view text(static_cast<const char*>(buffer.data().data()), buffer.size());
  if (text.starts_with("\r\n")) {
    buffer.consume(2);
  }
  return buffer.size() > 0 && text != "\r";
}

// Whether the client wants to be told to send its body (RFC 9110, 10.1.1), and has sent none of it.
bool waits_to_continue(const Parser& parser, const boost::beast::flat_buffer& buffer) {
  const Request& request = parser.get();
  return !parser.is_done() && buffer.size() == 0 && request.version() >= 11 &&
         boost::beast::iequals(request[http::field::expect], "100-continue");
}

// Reads one request. Its bytes are counted here: Beast compares its limit of a head with what it is
// given at once, and has none for what is around the chunks of a body.
Task<boost::system::error_code> read_request(net::Socket& socket, boost::beast::flat_buffer& buffer,
                                             Parser& parser) {
  std::size_t taken_bytes = 0;
  boost::system::error_code error = http::error::need_more;
  while (!parser.is_done()) {
    if (buffer.size() == 0 || error == http::error::need_more) {
      const auto [read_error, bytes] =
          co_await socket.async_read_some(buffer.prepare(read_bytes), as_result);
      if (read_error) {
        co_return read_error;
      }
      buffer.commit(bytes);
    }
    if (!parser.got_some() && !skip_empty_line(buffer)) {
      error = http::error::need_more;
      continue;
    }
    const bool had_head = parser.is_header_done();
    const std::size_t taken = parser.put(buffer.data(), error);
    buffer.consume(taken);
    taken_bytes += taken;
    if (!had_head && taken_bytes > head_bytes_max) {
      co_return http::error::header_limit;
    }
    if (taken_bytes + buffer.size() > head_bytes_max + body_bytes_max) {
      co_return http::error::body_limit;
    }
    if (error && error != http::error::need_more) {
      co_return error;
    }
    if (!had_head && parser.is_header_done() && waits_to_continue(parser, buffer)) {
      const auto [write_error, bytes] =
          co_await asio::async_write(socket, asio::buffer(continue_answer), as_result);
      if (write_error) {
        co_return write_error;
      }
    }
  }
  co_return boost::system::error_code();
}

// What a request is answered that was not read to its end, but for what its client is no longer
// there to hear.
std::optional<Page> refusal_of(const boost::system::error_code& error) {
  if (error == http::error::body_limit) {
    return problem(http::status::payload_too_large, "the body is above 1 MiB");
  }
  if (error == http::error::header_limit) {
    return problem(http::status::request_header_fields_too_large, "the head is above 8 KiB");
  }
  if (error.category() == make_error_code(http::error::need_more).category()) {
    return problem(http::status::bad_request,
                   "the request is not valid HTTP/1.1: " + error.message());
  }
  return std::nullopt;
}

// Whom the request is for, once its target is in origin form: the Host field, and the authority of
// a target in absolute form, which counts instead of it (RFC 9112, 3.2.2).
struct Addressee {
  std::string host;
  std::string authority;
};

// Nothing: the target is none that is served here, or there are two Host fields.
std::optional<Addressee> take_addressee(Request& request) {
  Addressee addressee{.host = std::string(view(request[http::field::host])), .authority = {}};
  const std::string_view target = view(request.target());
  if (request.count(http::field::host) > 1) {
    return std::nullopt;
  }
  if (target.starts_with('/')) {
    return addressee;
  }
  const auto absolute = parse_absolute_target(target);
  if (!absolute) {
    return std::nullopt;
  }
  addressee.authority = absolute->authority;
  request.set(http::field::host, addressee.authority);
  request.target(absolute->origin_form);
  return addressee;
}

// What shows events, or how the gateway is set up. The rest is for machines, which may know the
// gateway by any name.
bool is_guarded(std::string_view path) {
  return path == "/" || path == "/config" || path == "/events" || path == "/tap" ||
         is_dead_letter_path(path);
}

class BeastServer final : public Server {
 public:
  BeastServer(const asio::any_io_executor& executor, net::Gate& gate, net::Acceptor acceptor,
              Hooks hooks, const Limits& limits)
      : executor_(executor),
        gate_(gate),
        acceptor_(std::move(acceptor)),
        hooks_(std::move(hooks)),
        limits_(limits),
        writer_(limits.answer_timeout),
        lingering_(system_clock()),
        feed_(executor, gate, writer_, hooks_.status),
        tap_feed_(executor, writer_, hooks_.open_tap) {}

  void start() { net::spawn(executor_, gate_, accept()); }
  [[nodiscard]] config::ListenAddress address() const override {
    return net::local_address(acceptor_);
  }
  void set_token(std::optional<config::Secret> token) override { token_ = std::move(token); }
  void expose(metrics::Exposition& exposition) const override {
    exposition.counter("admin_connections_evicted_total",
                       "Connections to the admin address closed to make room for another.", {},
                       probe_.connections_evicted.value());
    exposition.counter("admin_bodies_refused_total",
                       "Requests to the admin address whose body was too large.", {},
                       probe_.bodies_refused.value());
    for (const auto& [phase, count] :
         {std::pair("request", &probe_.slow_requests), std::pair("idle", &probe_.idle_connections),
          std::pair("answer", &writer_.timeouts())}) {
      exposition.counter("admin_timeouts_total",
                         "Connections to the admin address closed because the client was too slow, "
                         "by what it was at.",
                         {{"phase", phase}}, count->value());
    }
  }
  void set_hosts(std::vector<std::string> hosts) override { hosts_ = std::move(hosts); }
  void stop() override {
    feed_.stop();
    tap_feed_.stop();
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    for (const Seats* seats : {&idle_, &busy_}) {
      for (const Seat& seat : *seats) {
        seat.socket->close(ignored);
      }
    }
  }

 private:
  // A connection, and among which it is.
  struct Seat;
  using Seats = std::list<Seat>;
  struct Seat {
    net::Socket* socket;
    Seats* among;
  };

  // A connection that stop() finds, however its coroutine ends.
  class Presence {
   public:
    Presence(BeastServer& server, net::Socket& socket)
        : server_(server),
          seat_(server.idle_.insert(server.idle_.end(), {&socket, &server.idle_})) {}
    ~Presence() { seat_->among->erase(seat_); }
    Presence(const Presence&) = delete;
    Presence& operator=(const Presence&) = delete;

    // While its request is being answered.
    void set_busy(bool busy) {
      if (seat_->among != &server_.evicted_) {
        move(seat_, busy ? server_.busy_ : server_.idle_);
      }
    }

   private:
    BeastServer& server_;
    Seats::iterator seat_;
  };

  static void move(Seats::iterator seat, Seats& to) {
    to.splice(to.end(), *seat->among, seat);
    seat->among = &to;
  }

  // Closes the connection that has waited longest for its client to ask; where all are being
  // answered, the one that has been so for longest. A probe always gets through.
  void make_room() {
    Seats& from = idle_.empty() ? busy_ : idle_;
    if (from.empty()) {
      return;
    }
    boost::system::error_code ignored;
    from.front().socket->close(ignored);
    move(from.begin(), evicted_);
    probe_.connections_evicted.add();
  }

  Task<> accept() {
    while (acceptor_.is_open()) {
      auto [error, socket] = co_await acceptor_.async_accept(as_result);
      if (!error) {
        if (idle_.size() + busy_.size() >= limits_.connections_max) {
          make_room();
        }
        net::spawn(executor_, gate_, serve(std::move(socket)));
      } else if (acceptor_.is_open()) {
        SLUICE_LOG(error, "cannot accept admin connections for the moment",
                   {"error", error.message()});
        make_room();  // if it is descriptors that are short
        asio::steady_timer rest(executor_, std::chrono::milliseconds(100));
        co_await rest.async_wait(as_result);
      }
    }
  }

  Task<> serve(net::Socket socket) {
    Presence presence(*this, socket);
    boost::beast::flat_buffer buffer;
    net::Deadline patience(executor_);
    // What was accepted just before stop() is not among what that has closed.
    bool keep_alive = acceptor_.is_open();
    while (keep_alive) {
      Parser parser;
      parser.header_limit(head_bytes_max);
      parser.body_limit(body_bytes_max);
      const auto read = co_await net::with_deadline(
          patience, std::chrono::steady_clock::now() + limits_.request_timeout,
          read_request(socket, buffer, parser), net::closing(socket));
      if (read.expired) {
        const bool is_begun = parser.got_some() || buffer.size() > 0;
        (is_begun ? probe_.slow_requests : probe_.idle_connections).add();
        break;
      }
      if (read.value) {
        presence.set_busy(true);
        co_await refuse(socket, read.value, parser.get());
        break;
      }
      presence.set_busy(true);
      Request& request = parser.get();
      const auto addressee = take_addressee(request);
      const bool is_foreign =
          is_guarded(path_of(request)) && addressee &&
          !(is_own_host(addressee->host, hosts_) && is_own_host(addressee->authority, hosts_));
      if (path_of(request) == "/events" && addressee && !is_foreign &&
          request.method() == http::verb::get && !feed_.is_full()) {
        co_await feed_.serve(socket);
        break;
      }
      Page page = problem(http::status::bad_request,
                          "the request has two Host fields, or a target that is none");
      if (is_foreign) {
        page = foreign_host();
      } else if (addressee && path_of(request) == "/tap") {
        auto opened = tap_feed_.open(request, token_);
        if (opened) {
          co_await tap_feed_.serve(socket, *std::move(opened));
          break;
        }
        page = std::move(opened.error());
      } else if (addressee) {
        page = co_await make_answer_page(request);
      }
      Answer answer = to_answer(std::move(page), request);
      answer.keep_alive(request.keep_alive() && addressee);
      keep_alive = answer.keep_alive();
      keep_alive = co_await writer_.write_answer(socket, std::move(answer)) && keep_alive;
      presence.set_busy(false);
    }
  }

  // Of a request that could not be read: the rest of it may still be on its way.
  Task<> refuse(net::Socket& socket, boost::system::error_code error, const Request& request) {
    std::optional<Page> refusal = refusal_of(error);
    if (!refusal) {
      co_return;
    }
    probe_.bodies_refused.add(error == http::error::body_limit ? 1 : 0);
    Answer answer = to_answer(*std::move(refusal), request);
    answer.keep_alive(false);
    if (co_await writer_.write_answer(socket, std::move(answer))) {
      co_await lingering_.close(socket);
    }
  }

  Task<Page> make_answer_page(const Request& request) {
    const std::string_view path = path_of(request);
    // A token that is replaced meanwhile is still good for this request.
    const std::optional<config::Secret> token = token_;
    if (is_dead_letter_path(path)) {
      co_return co_await answer_dead_letters(request, *hooks_.dead_letters, token);
    }
    if (is_control_path(path)) {
      co_return co_await answer_control(request, hooks_, token);
    }
    if (reads(request)) {
      co_return make_page(path, hooks_);
    }
    co_return Page{.status = http::status::method_not_allowed,
                   .content_type = plain,
                   .body = "GET only\n",
                   .fields = {{"Allow", "GET, HEAD"}}};
  }

  static Answer to_answer(Page page, const Request& request) {
    Answer answer(page.status, request.version());
    answer.set(http::field::content_type, page.content_type);
    answer.set(http::field::cache_control, "no-store");
    for (const auto& [name, value] : page.fields) {
      answer.set(boost::beast::string_view(name.data(), name.size()), value);
    }
    answer.body() = std::move(page.body);
    answer.prepare_payload();
    if (request.method() == http::verb::head) {
      answer.body().clear();  // the length stays that of the page
    }
    return answer;
  }

  asio::any_io_executor executor_;
  net::Gate& gate_;
  net::Acceptor acceptor_;
  Hooks hooks_;
  Limits limits_;
  Probe probe_;
  ClientWriter writer_;
  net::Lingering lingering_;
  StatusFeed feed_;
  TapFeed tap_feed_;
  std::optional<config::Secret> token_;
  std::vector<std::string> hosts_;
  // Each in the order in which its connections came to be so.
  Seats idle_;     // waiting for a request, or the rest of one
  Seats busy_;     // being answered
  Seats evicted_;  // closed, and about to end
};

}  // namespace

Result<std::unique_ptr<Server>> start_server(const asio::any_io_executor& executor, net::Gate& gate,
                                             const config::ListenAddress& address, Hooks hooks,
                                             const Limits& limits) {
  auto acceptor = net::listen(executor, address);
  if (!acceptor) {
    return std::unexpected(acceptor.error());
  }
  auto server =
      std::make_unique<BeastServer>(executor, gate, std::move(*acceptor), std::move(hooks), limits);
  server->start();
  return server;
}

}  // namespace sluice::admin
