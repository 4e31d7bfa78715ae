// What this process takes of its machine, as the kernel tells.
#pragma once

#include <sluice/metrics/exposition.hpp>

namespace sluice::runtime {

// When this process began, in seconds since 1970. The clock may be set later: ask once.
[[nodiscard]] double process_start_time();
// All else is of now; 0 where the kernel does not tell.
[[nodiscard]] metrics::ProcessUse process_use(double start_time_seconds);

}  // namespace sluice::runtime
