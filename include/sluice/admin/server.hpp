// The admin server: metrics, probes, status and dead letters, for operators and their tools.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sluice/admin/dead_letters.hpp>
#include <sluice/base/result.hpp>
#include <sluice/config/config.hpp>
#include <sluice/metrics/exposition.hpp>
#include <sluice/net/asio.hpp>
#include <sluice/net/gate.hpp>
#include <sluice/tap/taps.hpp>

namespace sluice::admin {

// What came of reading the configuration again; with mistakes, nothing has changed.
struct ReloadReport {
  std::vector<std::string> mistakes{};       // "sluice.yaml:12: …"
  std::vector<std::string> taken_over{};     // keys, as in "ingest.producers"
  std::vector<std::string> needs_restart{};  // what differs, and is not taken over
};

// Where the answers come from. Called on the executor's thread.
struct Hooks {
  std::function<std::string()> metrics;    // Prometheus text
  std::function<std::string()> status;     // JSON
  std::function<std::string()> not_ready;  // why; empty when ready
  std::function<std::string()> config;     // the running one as YAML, secrets masked
  DeadLetters* dead_letters = nullptr;     // outlives the server's coroutines
  std::function<net::Task<ReloadReport>()> reload;
  std::function<void()> quit;  // begins the drain
  // What is wrong with the wish, or std::errc::device_or_resource_busy when too many look already.
  std::function<Result<std::unique_ptr<tap::Taps::Reader>>(tap::Wish)> open_tap;
};

// What clients are held to.
struct Limits {
  std::size_t connections_max = 64;  // one more is served, and the one longest idle closed
  // For a request to come, and between two of them.
  std::chrono::milliseconds request_timeout = std::chrono::seconds(60);
  // For a client to take an answer, or one piece of those that have no end.
  std::chrono::milliseconds answer_timeout = std::chrono::seconds(10);
};

class Server {
 public:
  virtual ~Server() = default;
  [[nodiscard]] virtual config::ListenAddress address() const = 0;
  // That calls which change something must carry; none: nothing can be changed.
  virtual void set_token(std::optional<config::Secret> token) = 0;
  // What became of clients that went beyond the limits. On the executor's thread.
  virtual void expose(metrics::Exposition& exposition) const = 0;
  // Names that it may be asked by, beside those that are no other site's for certain.
  virtual void set_hosts(std::vector<std::string> hosts) = 0;
  // Closes the listener and all connections; their coroutines then leave the gate.
  virtual void stop() = 0;
};

// Listens and serves on the executor's one thread, counted by the gate, which outlives the server.
[[nodiscard]] Result<std::unique_ptr<Server>> start_server(
    const net::asio::any_io_executor& executor, net::Gate& gate,
    const config::ListenAddress& address, Hooks hooks, const Limits& limits = {});

}  // namespace sluice::admin
