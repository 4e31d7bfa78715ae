// A shop's day and its mishaps from a seed: producers, the gateway's crashes, a disk that fails,
// and a vendor with moods. The same seed gives the same day for ever.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::simulation {

struct SimulationOptions {
  std::uint64_t seed = 1;
  // Whether the faults end, so that everything must come to its end. Otherwise they last, and
  // nothing may be wrong when the day is over.
  bool faults_end = true;
  // How often the gateway's wall clock jumps, by hours.
  unsigned clock_jumps = 0;
};

struct SimulationReport {
  std::uint64_t acknowledged = 0;   // events
  std::uint64_t deliveries = 0;     // events, repeated ones included
  std::uint64_t dead_lettered = 0;  // different events
  unsigned crashes = 0;
  std::uint64_t steps = 0;
  std::vector<std::string> violations;  // of what is promised; empty: none
};

// `folder` is empty, and used for dead letters.
[[nodiscard]] SimulationReport simulate(const SimulationOptions& options,
                                        const std::string& folder);

}  // namespace sluice::simulation
