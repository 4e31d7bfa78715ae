// What all threads of a simulator share. Each part guards itself.
#pragma once

#include <algorithm>
#include <mutex>
#include <utility>

#include <sluice/simulator/ledger.hpp>
#include <sluice/simulator/options.hpp>
#include <sluice/simulator/stats.hpp>

#include "credentials.hpp"
#include "fault.hpp"

namespace sluice::simulator {

// The counters behind one lock.
class StatsBook {
 public:
  // Calls `change` with the counters, which it may change while it runs.
  template <class Change>
  void update(Change change) {
    const std::lock_guard lock(mutex_);
    change(stats_);
  }
  void begin_request() {
    const std::lock_guard lock(mutex_);
    stats_.in_flight_max = std::max(stats_.in_flight_max, ++in_flight_);
  }
  void end_request() {
    const std::lock_guard lock(mutex_);
    --in_flight_;
  }
  [[nodiscard]] Stats snapshot() const {
    const std::lock_guard lock(mutex_);
    return stats_;
  }
  void reset() {
    const std::lock_guard lock(mutex_);
    stats_ = {};
  }

 private:
  mutable std::mutex mutex_;
  Stats stats_;
  std::uint64_t in_flight_ = 0;
};

struct World {
  explicit World(Options chosen)
      : options(std::move(chosen)),
        ledger(options.ledger),
        faults(options.seed),
        credentials(options.workspaces, options.token_lifetime, options.seed) {}

  const Options options;
  Ledger ledger;
  FaultSet faults;
  StatsBook book;
  Credentials credentials;

  // Counters and fired faults in one.
  [[nodiscard]] Stats stats() const;
  void reset();
};

}  // namespace sluice::simulator
