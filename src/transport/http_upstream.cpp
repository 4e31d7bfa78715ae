#include <exception>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>

#include <sluice/base/log.hpp>
#include <sluice/base/redactor.hpp>
#include <sluice/config/secret.hpp>
#include <sluice/event/api_limits.hpp>
#include <sluice/net/bell.hpp>
#include <sluice/transport/http_upstream.hpp>

#include "connection_pool.hpp"
#include "credentials.hpp"
#include "peer.hpp"
#include "token_state.hpp"

namespace sluice::transport {
namespace {

using deliver::Failure;
using deliver::UpstreamAnswer;
using std::chrono::steady_clock;

using PostDone = std::function<void(UpstreamAnswer)>;
using RefreshDone = std::function<void(Result<void>)>;
using AuthorizeDone = std::function<void(Result<std::string>)>;

// Who checks tokens may take one for so long after its end.
constexpr std::chrono::minutes token_leeway{5};

// Everything behind an HttpUpstream. Its coroutines keep it alive, so that the owner may let go of
// it while they end.
class Client : public std::enable_shared_from_this<Client> {
 public:
  Client(UpstreamDeps deps, UpstreamOptions options, std::shared_ptr<const UpstreamPeer> peer);

  void post(std::string_view path, std::string_view body, PostDone done);
  void refresh_credentials(RefreshDone done);
  void set_api_key(config::Secret key);
  void authorize(AuthorizeDone done);
  void stop();
  [[nodiscard]] UpstreamProbe probe() const;
  [[nodiscard]] std::shared_ptr<const Peer> peer() const { return peer_; }

 private:
  static Task<> run_post(std::shared_ptr<Client> self, std::string path, std::string_view body,
                         PostDone done);
  static Task<> run_authorize(std::shared_ptr<Client> self, AuthorizeDone done);
  static Task<> run_login(std::shared_ptr<Client> self, MonoTime send_at);

  // Credentials
  Task<Attempted<std::string>> authorization();
  Result<void> read_key();
  // Takes care that neither the key nor what is made of it is ever shown.
  void know_key() const;
  // These two are done whole, or who waits for a login would wait for ever.
  void start_login() noexcept;
  void end_login(Result<std::string> token) noexcept;
  Task<Result<std::string>> fetch_token();
  // Takes note of how a login ended.
  Result<void> keep(Result<std::string> token);

  // Requests
  Task<UpstreamAnswer> attempt(std::string path, std::string_view body);
  Task<UpstreamAnswer> exchange(std::string path, std::string authorization, std::string_view body);
  [[nodiscard]] std::string head(std::string_view path, std::string_view authorization,
                                 std::size_t body_bytes) const;
  [[nodiscard]] std::unexpected<Broken> broken(Failure failure, const std::string& what) const;

  UpstreamDeps deps_;
  UpstreamOptions options_;
  const std::shared_ptr<const UpstreamPeer> peer_;
  std::string api_key_;
  std::string basic_;  // the header's value; with jwt empty
  TokenState token_;
  Failure login_failure_ = Failure::credentials;  // what the last failed login means for a post
  net::Bell login_ended_;
  std::vector<RefreshDone> refreshing_;

  std::shared_ptr<ConnectionPool> pool_;
  net::Bell stopped_;
  bool stopping_ = false;
  std::uint64_t logins_total_ = 0;
};

Client::Client(UpstreamDeps deps, UpstreamOptions options, std::shared_ptr<const UpstreamPeer> peer)
    : deps_(std::move(deps)),
      options_(std::move(options)),
      peer_(std::move(peer)),
      api_key_(options_.auth.api_key.value),
      token_(deps_.rng),
      pool_(std::make_shared<ConnectionPool>(
          deps_.executor, deps_.clock,
          ConnectionPool::Options{.peer = peer_,
                                  .connect_timeout = options_.connect_timeout,
                                  .idle_time = options_.idle_time,
                                  .age_max = options_.connection_age_max})) {
  know_key();
  if (options_.auth.method == config::AuthMethod::basic) {
    basic_ = basic_authorization(options_.auth.workspace_guid, api_key_);
  }
}

void Client::post(std::string_view path, std::string_view body, PostDone done) {
  net::spawn(deps_.executor, deps_.gate,
             run_post(shared_from_this(), std::string(path), body, std::move(done)));
}

Task<> Client::run_post(std::shared_ptr<Client> self, std::string path, std::string_view body,
                        PostDone done) {
  UpstreamAnswer answer;
  try {
    answer = co_await self->attempt(std::move(path), body);
  } catch (const std::exception& e) {
    // Memory is exhausted. How far it came is not known, so it counts as ambiguous.
    answer.failure = Failure::no_answer;
    answer.detail = e.what();
  }
  done(std::move(answer));
}

Task<UpstreamAnswer> Client::attempt(std::string path, std::string_view body) {
  Attempted<std::string> authorized = co_await authorization();
  if (!authorized) {
    UpstreamAnswer answer;
    answer.failure = authorized.error().failure;
    answer.detail = std::move(authorized.error().detail);
    co_return answer;
  }
  co_return co_await exchange(std::move(path), std::move(*authorized), body);
}

std::unexpected<Broken> Client::broken(Failure failure, const std::string& what) const {
  if (stopping_) {
    return std::unexpected(Broken{Failure::stopped, "stopped"});
  }
  return std::unexpected(Broken{failure, peer_->host_header() + ": " + what});
}

// ---- credentials

Task<Attempted<std::string>> Client::authorization() {
  if (!basic_.empty()) {
    co_return basic_;
  }
  const MonoTime deadline = steady_clock::now() + options_.connect_timeout;
  while (!stopping_) {
    switch (token_.ask(deps_.clock.mono_now())) {
      case TokenState::Advice::use_and_renew:
        start_login();
        [[fallthrough]];
      case TokenState::Advice::use:
        co_return "Bearer " + token_.token();
      case TokenState::Advice::log_in:
        start_login();
        break;
      case TokenState::Advice::wait:
        break;
      case TokenState::Advice::refuse:
        co_return broken(login_failure_, token_.refusal());
    }
    if (steady_clock::now() >= deadline) {
      co_return broken(Failure::not_sent, "the login takes too long");
    }
    co_await login_ended_.wait_until(deadline);
  }
  co_return broken(Failure::stopped, "");
}

Result<void> Client::read_key() {
  if (options_.auth.api_key.file.empty()) {
    return {};
  }
  auto read =
      config::read_again(options_.auth.api_key,
                         "api_key_file of the workspace " + options_.workspace, deps_.read_file);
  if (!read) {
    return std::unexpected(std::move(read.error()));
  }
  api_key_ = std::move(read->value);
  know_key();
  return {};
}

void Client::know_key() const {
  known_secrets().add(api_key_);
  if (options_.auth.method == config::AuthMethod::basic) {
    known_secrets().add(options_.auth.workspace_guid + ":" + api_key_);
  }
}

void Client::refresh_credentials(RefreshDone done) {
  if (!basic_.empty() || stopping_) {
    Result<void> outcome =
        stopping_ ? failure(std::errc::operation_canceled, "stopped") : read_key();
    if (outcome) {
      basic_ = basic_authorization(options_.auth.workspace_guid, api_key_);
    }
    asio::post(deps_.executor,
               [pass = deps_.gate.enter(), done = std::move(done),
                outcome = std::move(outcome)]() mutable { done(std::move(outcome)); });
    return;
  }
  token_.discard();
  refreshing_.push_back(std::move(done));
  if (!token_.login_under_way()) {
    start_login();
  }
}

void Client::set_api_key(config::Secret key) {
  api_key_ = key.value;
  know_key();
  options_.auth.api_key = std::move(key);
  if (options_.auth.method == config::AuthMethod::basic) {
    basic_ = basic_authorization(options_.auth.workspace_guid, api_key_);
  }
}

void Client::authorize(AuthorizeDone done) {
  net::spawn(deps_.executor, deps_.gate, run_authorize(shared_from_this(), std::move(done)));
}

Task<> Client::run_authorize(std::shared_ptr<Client> self, AuthorizeDone done) {
  Result<std::string> value = failure(std::errc::not_connected, "there are no credentials");
  try {
    Attempted<std::string> authorized = co_await self->authorization();
    if (authorized) {
      value = std::move(*authorized);
    } else {
      value = failure(std::errc::not_connected, std::move(authorized.error().detail));
    }
  } catch (const std::exception& e) {
    value = failure(std::errc::not_enough_memory, e.what());
  }
  done(std::move(value));
}

void Client::start_login() noexcept {
  const MonoTime send_at = token_.login_started(deps_.clock.mono_now());
  net::spawn(deps_.executor, deps_.gate, run_login(shared_from_this(), send_at));
}

Task<> Client::run_login(std::shared_ptr<Client> self, MonoTime send_at) {
  const auto early_by = send_at - self->deps_.clock.mono_now();
  Result<std::string> token = failure(std::errc::operation_canceled, "stopped");
  try {
    if (!self->stopping_ && early_by > early_by.zero()) {
      co_await self->stopped_.wait_until(steady_clock::now() + early_by);
    }
    if (!self->stopping_) {
      token = co_await self->fetch_token();
    }
  } catch (const std::exception& e) {
    token = failure(std::errc::not_enough_memory, e.what());
  }
  self->end_login(std::move(token));
}

void Client::end_login(Result<std::string> token) noexcept {
  const Result<void> outcome = keep(std::move(token));
  login_ended_.ring();
  for (const RefreshDone& done : std::exchange(refreshing_, {})) {
    done(outcome);
  }
}

Result<void> Client::keep(Result<std::string> token) {
  const MonoTime now = deps_.clock.mono_now();
  if (token) {
    const auto lifetime = token_lifetime(*token, deps_.clock.wall_now());
    known_secrets().add_until(*token, now + lifetime + token_leeway, now);
    token_.login_succeeded(now, std::move(*token), lifetime);
    return {};
  }
  if (!stopping_) {
    SLUICE_LOG(warn, "no token for the upstream", {"workspace", options_.workspace},
               {"why", token.error().message});
  }
  // Only a refusal says something about the credentials; an upstream that is down, or something
  // else in its place, says nothing.
  const std::error_code code = token.error().code;
  const bool away =
      code == std::errc::not_connected || code == std::errc::resource_unavailable_try_again;
  login_failure_ = away                             ? Failure::not_sent
                   : code == std::errc::bad_message ? Failure::wrong_login
                                                    : Failure::credentials;
  token_.login_failed(now, token.error().message);
  return std::unexpected(std::move(token.error()));
}

Task<Result<std::string>> Client::fetch_token() {
  const Result<void> key = read_key();
  if (!key) {
    co_return std::unexpected(key.error());
  }
  ++logins_total_;
  const std::string body = login_body(api_key_);
  const UpstreamAnswer answer = co_await exchange(std::string(api::login_path), "", body);
  co_return token_in(answer);
}

// ---- requests

Task<UpstreamAnswer> Client::exchange(std::string path, std::string authorization,
                                      std::string_view body) {
  const Attempted<std::unique_ptr<ConnectionPool::Lease>> acquired =
      co_await ConnectionPool::acquire(pool_);
  if (!acquired) {
    UpstreamAnswer answer;
    answer.failure = acquired.error().failure;
    answer.detail = acquired.error().detail;
    co_return answer;
  }
  ConnectionPool::Lease& connection = **acquired;
  UpstreamAnswer answer = co_await connection->exchange(
      head(path, authorization, body.size()), body, steady_clock::now() + options_.timeout);
  if (answer.failure != Failure::none) {
    answer.detail = peer_->host_header() + ": " + known_secrets().redacted(answer.detail);
  }
  if (connection->reusable()) {
    connection.give_back();
  }
  co_return answer;
}

std::string Client::head(std::string_view path, std::string_view authorization,
                         std::size_t body_bytes) const {
  std::string text;
  text.reserve(512 + authorization.size());
  text.append("POST ").append(path).append(" HTTP/1.1\r\nHost: ").append(peer_->host_header());
  text.append("\r\nUser-Agent: sluice/" SLUICE_VERSION
              "\r\nAccept: application/json\r\nApi-Version: ");
  text.append(api::version).append("\r\nContent-Type: application/json\r\n");
  if (!authorization.empty()) {
    text.append("Authorization: ").append(authorization).append("\r\n");
  }
  text.append("Content-Length: ").append(std::to_string(body_bytes)).append("\r\n\r\n");
  return text;
}

// ---- the rest

void Client::stop() {
  stopping_ = true;
  pool_->stop();
  login_ended_.ring();
  stopped_.ring();
}

UpstreamProbe Client::probe() const {
  const ConnectionPool::Probe pool = pool_->probe();
  return {.connections = pool.connections,
          .lookups_total = pool.lookups_total,
          .connections_opened_total = pool.opened_total,
          .connections_reused_total = pool.reused_total,
          .tls_handshakes_total = pool.tls_handshakes_total,
          .logins_total = logins_total_};
}

class Handle final : public HttpUpstream {
 public:
  explicit Handle(std::shared_ptr<Client> client) : client_(std::move(client)) {}
  ~Handle() override { client_->stop(); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  void post(std::string_view path, std::string_view body, PostDone done) override {
    client_->post(path, body, std::move(done));
  }
  void refresh_credentials(RefreshDone done) override {
    client_->refresh_credentials(std::move(done));
  }
  void set_api_key(config::Secret key) override { client_->set_api_key(std::move(key)); }
  void authorize(AuthorizeDone done) override { client_->authorize(std::move(done)); }
  void stop() override { client_->stop(); }
  [[nodiscard]] UpstreamProbe probe() const override { return client_->probe(); }
  [[nodiscard]] std::shared_ptr<const Peer> peer() const override { return client_->peer(); }

 private:
  std::shared_ptr<Client> client_;
};

}  // namespace

Result<std::unique_ptr<HttpUpstream>> make_http_upstream(UpstreamDeps deps,
                                                         UpstreamOptions options) {
  Result<std::shared_ptr<const UpstreamPeer>> peer = make_peer(options.base_url, options.ca_file);
  if (!peer) {
    return std::unexpected(std::move(peer.error()));
  }
  return std::make_unique<Handle>(
      std::make_shared<Client>(std::move(deps), std::move(options), *std::move(peer)));
}

}  // namespace sluice::transport
