#include "online_check.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <sluice/base/authority.hpp>
#include <sluice/base/redactor.hpp>
#include <sluice/config/load.hpp>
#include <sluice/deliver/judge.hpp>
#include <sluice/deliver/permissions.hpp>
#include <sluice/deliver/retry_after.hpp>
#include <sluice/event/api_limits.hpp>
#include <sluice/event/kind.hpp>
#include <sluice/net/bell.hpp>
#include <sluice/net/deadline.hpp>
#include <sluice/net/gate.hpp>
#include <sluice/net/listener.hpp>
#include <sluice/runtime/upstream.hpp>
#include <sluice/transport/http_upstream.hpp>
#include <sluice/transport/stream_pool.hpp>

namespace sluice::cli {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using deliver::Failure;
using deliver::UpstreamAnswer;
using net::as_result;
using net::Task;
using Verdict = Finding::Verdict;

constexpr std::chrono::seconds skew_doubtful{2};
constexpr std::chrono::minutes skew_wrong{5};
// An empty batch holds nothing that could be stored.
constexpr std::string_view empty_batch = "[]";

// Its status, and what shows that it is not what that says.
std::string describe(const UpstreamAnswer& answer) {
  std::string text = fmt::format("{}", answer.status);
  if (answer.status / 100 == 2 && !answer.body.empty()) {
    text += answer.content_type.empty() ? " with a body" : " with " + answer.content_type;
    constexpr std::size_t shown_bytes_max = 80;
    text += ": " + known_secrets().redacted(answer.body, shown_bytes_max);
  }
  return text;
}

// Turns a callback into something to wait for.
template <class T>
struct Arrival {
  std::optional<T> value;
  net::Bell came;

  void arrive(T given) {
    value = std::move(given);
    came.ring();
  }
  Task<T> wait() {
    while (!value) {
      co_await came.wait_until(MonoTime::max());
    }
    co_return std::move(*value);
  }
};

// One workspace's upstream, looked at step by step; what cannot work any more is not tried.
class UpstreamCheck {
 public:
  UpstreamCheck(asio::io_context& context, net::Gate& gate, const config::Config& config,
                const config::Workspace& workspace)
      : executor_(context.get_executor()), gate_(gate), config_(config), workspace_(workspace) {}

  Task<> run() {
    auto made =
        transport::make_http_upstream({.executor = executor_,
                                       .gate = gate_,
                                       .clock = system_clock(),
                                       .rng = Rng::from_system_entropy(),
                                       .read_file = config::process_environment().read_file},
                                      runtime::upstream_options_of(config_, workspace_));
    if (!made) {
      add("base_url", Verdict::misconfigured, made.error().message);
      co_return;
    }
    upstream_ = std::move(*made);
    if (co_await resolve() && co_await connect() && co_await ask_permissions()) {
      for (const KindInfo& kind : kinds()) {
        co_await post_empty_batch(kind.path);
      }
    }
    upstream_->stop();
  }

  [[nodiscard]] std::vector<Finding> take() { return std::move(findings_); }

 private:
  void add(std::string what, Verdict verdict, std::string detail) {
    add({.of = {}, .what = std::move(what), .verdict = verdict, .detail = std::move(detail)});
  }
  void add(Finding finding) {
    finding.of = workspace_.name;
    finding.detail = known_secrets().redacted(finding.detail);  // some of it the upstream says
    findings_.push_back(std::move(finding));
  }

  Task<bool> resolve() {
    const std::string& name = upstream_->peer()->host_header();
    const auto authority = parse_authority(name);
    const std::string host(authority ? authority->host : std::string_view(name));
    asio::ip::tcp::resolver resolver(executor_);
    net::Deadline patience(executor_);
    const auto resolved = co_await net::with_deadline(
        patience, std::chrono::steady_clock::now() + config_.delivery.connect_timeout,
        resolver.async_resolve(host, "", as_result), [&resolver] { resolver.cancel(); });
    if (resolved.expired) {
      add("dns", Verdict::unavailable, host + " is not resolved within delivery.connect_timeout");
      co_return false;
    }
    const auto& [error, results] = resolved.value;
    if (error) {
      add("dns", Verdict::unavailable,
          host + ": " + error.message() + "; check base_url and the machine's resolver");
      co_return false;
    }
    std::string addresses;
    for (const auto& entry : results) {
      addresses += (addresses.empty() ? "" : ", ") + entry.endpoint().address().to_string();
    }
    add("dns", Verdict::fine, host + ": " + addresses);
    co_return true;
  }

  Task<bool> connect() {
    const bool tls = workspace_.base_url.starts_with("https:");
    const auto pool =
        transport::make_stream_pool(executor_, system_clock(), upstream_->peer(),
                                    {.connect_timeout = config_.delivery.connect_timeout});
    const auto acquired = co_await pool->acquire(true);
    const std::string what = tls ? "tls" : "connect";
    if (!acquired) {
      add(what, Verdict::unavailable,
          acquired.error().detail +
              (tls ? "; check base_url, ca_file, and what is between here and there"
                   : "; check base_url"));
      co_return false;
    }
    add(what, Verdict::fine,
        tls ? "connected; the certificate is trusted" : "connected, without TLS");
    co_return true;
  }

  Task<UpstreamAnswer> post(std::string_view path, std::string_view body) {
    const auto arrival = std::make_shared<Arrival<UpstreamAnswer>>();
    upstream_->post(path, body,
                    [arrival](UpstreamAnswer answer) { arrival->arrive(std::move(answer)); });
    co_return co_await arrival->wait();
  }

  // The first request with credentials. False: no other will fare better.
  Task<bool> ask_permissions() {
    std::vector<std::string> names;
    for (const KindInfo& kind : kinds()) {
      if (!kind.permission.empty()) {
        names.emplace_back(kind.permission);
      }
    }
    if (workspace_.passthrough) {
      names.insert(names.end(), {"API_BATCH_CLIENT_CREATE", "CATALOGS_ITEM_BATCH_CATALOG_CREATE"});
    }
    const std::string question = deliver::permission_question(names);
    const UpstreamAnswer answer = co_await post(api::permission_check_path, question);
    if (answer.failure != Failure::none) {
      const bool is_refused = answer.failure == Failure::credentials;
      const bool is_wrong = is_refused || answer.failure == Failure::wrong_login;
      add("login", is_wrong ? Verdict::misconfigured : Verdict::unavailable,
          answer.detail + (is_refused ? "; check auth.api_key" : ""));
      co_return false;
    }
    look_at_clock(answer);
    const deliver::Outcome outcome = deliver::judge(answer, 1, {}).outcome;
    const auto permissions =
        outcome == deliver::Outcome::delivered
            ? deliver::parse_permissions(answer.body)
            : failure(std::errc::bad_message, "it answers " + describe(answer));
    const bool is_refused = outcome == deliver::Outcome::unauthorised && answer.status != 403;
    add(judge_login(answer, outcome, permissions));
    if (is_refused) {
      co_return false;
    }
    if (!permissions) {
      add("permissions", Verdict::doubtful,
          "the API does not tell the key's permissions: " + permissions.error().message);
      co_return true;
    }
    for (const std::string& name : names) {
      look_at_permission(*permissions, name);
    }
    co_return true;
  }

  Finding judge_login(const UpstreamAnswer& answer, deliver::Outcome outcome,
                      const Result<deliver::Permissions>& permissions) const {
    using deliver::Outcome;
    Finding finding{.of = {}, .what = "login", .verdict = Verdict::doubtful, .detail = {}};
    const std::string said = "the question for its permissions is answered " + describe(answer);
    if (permissions) {
      finding.verdict = Verdict::fine;
      finding.detail = permissions->business_profile.empty()
                           ? "the key is taken"
                           : "the key is taken, for `" + permissions->business_profile + "`";
    } else if (outcome == Outcome::unauthorised && answer.status != 403) {
      finding.verdict = Verdict::misconfigured;
      finding.detail = describe(answer) +
                       (workspace_.auth.method == config::AuthMethod::basic
                            ? ": the API refuses workspace_guid and api_key; Basic must be enabled "
                              "for the key"
                            : ": the API refuses the token that it gave");
    } else if (deliver::info(outcome).congested) {
      finding.verdict = Verdict::unavailable;
      finding.detail = said + ": whether the key is taken cannot be known now";
    } else if (outcome == Outcome::misrouted && answer.status / 100 == 2) {
      finding.verdict = Verdict::misconfigured;
      finding.detail = said + ": that is not the API; check base_url, and what is between";
    } else {
      finding.detail = said + ": it does not say whether the key is taken";
    }
    return finding;
  }

  void look_at_permission(const deliver::Permissions& permissions, const std::string& name) {
    const auto found = permissions.granted.find(name);
    const bool is_granted = found != permissions.granted.end() && found->second;
    const auto kind = std::ranges::find(kinds(), name, &KindInfo::permission);
    const bool is_needed = kind != kinds().end();
    add("permission " + name,
        is_granted  ? Verdict::fine
        : is_needed ? Verdict::misconfigured
                    : Verdict::doubtful,
        is_granted  ? "the key has it"
        : is_needed ? fmt::format("the key lacks it: {}s will not be delivered", kind->name)
                    : "the key lacks it: such calls will not pass through");
  }

  void look_at_clock(const UpstreamAnswer& answer) {
    const WallTime now = system_clock().wall_now();
    const auto date =
        answer.date ? deliver::parse_http_date(*answer.date, now) : std::optional<WallTime>();
    if (!date) {
      add("clock", Verdict::doubtful, "the API says no Date that the clock could be held against");
      return;
    }
    // The answer's second began before it was sent, and that was half a round trip ago.
    const auto sent = now - std::chrono::floor<std::chrono::milliseconds>(answer.duration / 2);
    const auto ahead = sent - *date;
    add(judge_clock(ahead >= std::chrono::seconds(1) ? ahead - std::chrono::seconds(1)
                    : ahead > ahead.zero()           ? ahead.zero()
                                                     : ahead));
  }

  Task<> post_empty_batch(std::string_view path) {
    const UpstreamAnswer answer = co_await post(path, empty_batch);
    if (answer.failure != Failure::none) {
      add("permission " + std::string(path), Verdict::unavailable, answer.detail);
      co_return;
    }
    add(judge_empty_batch(std::string(path), answer, config_.delivery.accept_statuses));
  }

  asio::any_io_executor executor_;
  net::Gate& gate_;
  const config::Config& config_;
  const config::Workspace& workspace_;
  std::unique_ptr<transport::HttpUpstream> upstream_;
  std::vector<Finding> findings_;
};

Finding of_gateway(std::string what, Verdict verdict, std::string detail) {
  return {
      .of = "gateway", .what = std::move(what), .verdict = verdict, .detail = std::move(detail)};
}

Finding check_address(asio::io_context& context, const std::string& key,
                      const config::ListenAddress& address) {
  const std::string what = "listen " + net::to_string(address);
  const auto acceptor = net::listen(context.get_executor(), address);
  if (!acceptor) {
    const bool is_taken = acceptor.error().code == std::errc::address_in_use;
    return of_gateway(what, is_taken ? Verdict::unavailable : Verdict::misconfigured,
                      key + ": " + acceptor.error().message);
  }
  if (const auto* socket = std::get_if<config::UnixAddress>(&address)) {
    std::error_code ignored;
    fs::remove(socket->path, ignored);
  }
  return of_gateway(what, Verdict::fine, key + " can be had");
}

// The folder itself, or the one in which it, and what is above it, will be made.
Finding check_folder(const std::string& key, const std::string& path) {
  std::error_code error;
  fs::path existing = fs::absolute(path, error);
  while (!existing.empty() && !fs::exists(existing, error) && existing != existing.parent_path()) {
    existing = existing.parent_path();
  }
  const std::string what = "folder " + path;
  if (!fs::is_directory(existing, error)) {
    return of_gateway(what, Verdict::misconfigured,
                      key + ": " + existing.string() + " is no folder");
  }
  if (::access(existing.c_str(), W_OK | X_OK) != 0) {
    return of_gateway(what, Verdict::misconfigured,
                      key + ": this user may not write to " + existing.string());
  }
  return of_gateway(what, Verdict::fine,
                    existing == fs::absolute(path, error)
                        ? key + " can be written to"
                        : key + " will be made in " + existing.string());
}

}  // namespace

Finding judge_empty_batch(const std::string& path, const UpstreamAnswer& answer,
                          std::span<const unsigned> accept_statuses) {
  using deliver::Outcome;
  Finding finding{.of = {}, .what = "permission " + path, .verdict = Verdict::fine, .detail = {}};
  const std::string said = "an empty batch is answered " + describe(answer);
  switch (deliver::judge(answer, 1, accept_statuses).outcome) {
    case Outcome::delivered:
    case Outcome::partially_delivered:
    case Outcome::rejected:  // for what it lacks
      finding.detail = said + ", which the key may send";
      break;
    case Outcome::unauthorised:
      finding.verdict = Verdict::misconfigured;
      finding.detail = said + ": the key lacks the permission for it";
      break;
    case Outcome::misrouted:
    case Outcome::too_large:  // of two bytes
      finding.verdict = Verdict::misconfigured;
      finding.detail = said + ": there is no events API at base_url";
      break;
    case Outcome::throttled:
    case Outcome::transient:
    case Outcome::ambiguous:
    case Outcome::stopped:
      finding.verdict = Verdict::unavailable;
      finding.detail = said + ": whether the key may send one cannot be known now";
      break;
  }
  return finding;
}

Finding judge_clock(std::chrono::milliseconds ahead) {
  const auto skew = std::chrono::abs(ahead);
  const std::string text = fmt::format("this machine's clock is {:.1f} s {} the API's",
                                       std::chrono::duration<double>(skew).count(),
                                       ahead.count() >= 0 ? "ahead of" : "behind");
  Finding finding{.of = {}, .what = "clock", .verdict = Verdict::fine, .detail = text};
  if (skew > skew_wrong) {
    finding.verdict = Verdict::misconfigured;
  } else if (skew > skew_doubtful) {
    finding.verdict = Verdict::doubtful;
  }
  if (finding.verdict != Verdict::fine) {
    finding.detail += ": let it follow a time server";
  }
  return finding;
}

std::vector<Finding> check_upstreams(const config::Config& config) {
  asio::io_context context(1);
  net::Gate gate("check");
  std::vector<std::unique_ptr<UpstreamCheck>> checks;
  for (const config::Workspace& workspace : config.workspaces) {
    checks.push_back(std::make_unique<UpstreamCheck>(context, gate, config, workspace));
    net::spawn(context.get_executor(), gate, checks.back()->run());
  }
  context.run();
  std::vector<Finding> findings;
  for (const auto& check : checks) {
    std::ranges::move(check->take(), std::back_inserter(findings));
  }
  return findings;
}

std::vector<Finding> check_listening(const config::Config& config) {
  asio::io_context context(1);
  std::vector<Finding> findings;
  findings.reserve(config.ingest.listen.size() + 3);
  for (const config::ListenAddress& address : config.ingest.listen) {
    findings.push_back(check_address(context, "ingest.listen", address));
  }
  findings.push_back(check_address(context, "admin.listen", config.admin.listen));
  if (config.buffer.type == config::BufferType::disk) {
    findings.push_back(check_folder("buffer.path", config.buffer.path));
  }
  findings.push_back(check_folder("dead_letter.path", config.dead_letter.path));
  return findings;
}

}  // namespace sluice::cli
