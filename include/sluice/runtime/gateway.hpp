// The gateway as a whole: what is built from a configuration, started, and stopped in order.
//
// Start: dead letters, buffers, delivery, ingest, admin. Stop: not ready, stop accepting, end
// sessions, flush batches, drain delivery to the deadline, end the upstream's connections, stop the
// threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sluice/base/clock.hpp>
#include <sluice/base/result.hpp>
#include <sluice/config/config.hpp>

namespace sluice::runtime {

// What the gateway asks of the process around it when an operator wants something. Any thread.
struct Controls {
  // Reads the configuration again, or says in one line each what is wrong with it.
  std::function<Result<config::Config, std::vector<std::string>>()> load;
  std::function<void()> quit = [] {};  // has stop() called soon, on another thread
  std::string program = {};            // as of store::Options
};

class Gateway {
 public:
  struct StopReport {
    std::uint64_t undelivered_events = 0;  // accepted, and still in the buffer
    std::uint64_t lost_events = 0;         // of them; the others are on disk
  };

  virtual ~Gateway() = default;

  [[nodiscard]] virtual std::vector<config::ListenAddress> ingest_addresses() const = 0;
  [[nodiscard]] virtual config::ListenAddress admin_address() const = 0;
  // Any thread; returns at once. Takes over what can change of the configuration as it is now, and
  // logs what was taken over, what needs a restart, or why nothing has changed.
  virtual void reload() = 0;
  // Stops in order; returns after drain_timeout and a moment at the latest, but for a name that is
  // just being looked up, which is waited for. Call it once.
  virtual StopReport stop() = 0;
  // From another thread while stop() runs: do not wait for deliveries any longer.
  virtual void hurry() = 0;
};

// Everything is up when this returns; or nothing is, and the error is one line that says what could
// not be had and what to do.
[[nodiscard]] Result<std::unique_ptr<Gateway>> start_gateway(const config::Config& config,
                                                             const Clock& clock,
                                                             Controls controls = {});

}  // namespace sluice::runtime
