// What the store counts.
#pragma once

#include <atomic>
#include <cstdint>

#include <sluice/metrics/cells.hpp>

namespace sluice::store {

inline constexpr std::array<double, 10> commit_group_counts{1,  2,   5,   10,  25,
                                                            50, 100, 250, 500, 1000};

// Written by the commit thread alone, read by any.
struct CommitProbe {
  metrics::Counter commits;
  metrics::Histogram<14> duration{metrics::accept_seconds};
  metrics::Histogram<10> groups{commit_group_counts};
  metrics::Counter appended_bytes;
  metrics::Counter failures;
  metrics::Counter recoveries;
};

}  // namespace sluice::store
