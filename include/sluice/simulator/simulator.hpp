// A stand-in for the Synerise events API on a socket: strict where the API is, with faults on
// demand and a ledger of what a real workspace would have stored.
//
//   simulator::Simulator upstream({.port = 0});
//   if (auto started = upstream.start(); !started) { ... }
//   workspace.base_url = upstream.base_url();
//   upstream.set_faults(R"([{"action": "reset_after", "count": 3}])");
//   ...
//   EXPECT_EQ(upstream.ledger().summary().unique, sent);
//
// It runs on threads of its own between start() and stop(); all functions may be called from any
// thread, start() and stop() from one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <sluice/base/result.hpp>
#include <sluice/simulator/ledger.hpp>
#include <sluice/simulator/options.hpp>
#include <sluice/simulator/stats.hpp>

namespace sluice::simulator {

class Simulator {
 public:
  explicit Simulator(Options options);
  // Stops it.
  ~Simulator();
  Simulator(const Simulator&) = delete;
  Simulator& operator=(const Simulator&) = delete;

  // Listens and starts the threads: once it returns, connections are accepted.
  [[nodiscard]] Result<void> start();
  // Cuts every connection and joins the threads. Ledger and statistics stay; start() may follow.
  void stop();

  // The port that it listens on; valid once started, and kept over a stop, so that it can come back
  // where its callers look for it.
  [[nodiscard]] std::uint16_t port() const;
  // "http://127.0.0.1:8081"; https with a certificate.
  [[nodiscard]] std::string base_url() const;

  // Replaces all faults by those of the text: a JSON list or object, or the compact form of
  // --fault, such as "status=503,probability=0.2". src/simulator/fault.hpp describes them.
  [[nodiscard]] Result<void> set_faults(std::string_view text);
  // The same of several texts together.
  [[nodiscard]] Result<void> set_faults(std::span<const std::string> texts);

  [[nodiscard]] const Ledger& ledger() const;
  [[nodiscard]] Stats stats() const;
  // Empties ledger and statistics; faults stay.
  void reset();

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace sluice::simulator
