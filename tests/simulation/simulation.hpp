// A shop's day and its mishaps from a seed: producers, the gateway's crashes, a disk that fails
// and damages, and a vendor with moods. The same seed gives the same day for ever.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace sluice::simulation {

struct SimulationOptions {
  std::uint64_t seed = 1;
  // Whether the faults end, so that everything must come to its end. Otherwise they last, and
  // nothing may be wrong when the day is over.
  bool faults_end = true;
  // How long producers send and faults happen, and how long at most a producer rests in between.
  std::chrono::nanoseconds length = std::chrono::seconds(120);
  std::chrono::nanoseconds rest_max = std::chrono::seconds(1);
  // How long the gateway remembers events; long runs keep of each event only that it was.
  std::chrono::nanoseconds dedup_window = std::chrono::hours(24);
  bool compact = false;
  // How often the gateway's wall clock jumps, by hours.
  unsigned clock_jumps = 0;
  // Whether requests are of every kind that the program knows whose events are tracked ones, and
  // the vendor is in a bad mood for one kind alone, too.
  bool all_kinds = false;
};

// What the gateway holds, at one time.
struct Footprint {
  std::chrono::hours at{};          // since the beginning
  std::uint64_t events_lately = 0;  // acknowledged within the last two windows of recent events
  std::size_t dedup_entries = 0;
  std::size_t stored_entries = 0;  // in its store
  std::size_t happenings = 0;      // that wait for their time
  std::size_t heap_bytes = 0;      // of this whole program
};

struct SimulationReport {
  std::uint64_t acknowledged = 0;   // events
  std::uint64_t deliveries = 0;     // events, repeated ones included
  std::uint64_t overwrites = 0;     // of them, with another content than before
  std::uint64_t dead_lettered = 0;  // different events
  std::uint64_t unique = 0;         // events stored upstream
  std::uint64_t second_kind = 0;    // events stored upstream that are not of the first kind
  unsigned crashes = 0;
  std::uint64_t steps = 0;
  std::vector<Footprint> footprints;    // one for each hour
  std::vector<std::string> violations;  // of what is promised; empty: none
};

// `folder` is empty, and used for dead letters.
[[nodiscard]] SimulationReport simulate(const SimulationOptions& options,
                                        const std::string& folder);

}  // namespace sluice::simulation
