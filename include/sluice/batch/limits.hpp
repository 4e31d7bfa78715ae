// When a batch closes: on so many events, on so many bytes, or when its first event has waited so
// long.
#pragma once

#include <chrono>
#include <cstddef>

#include <sluice/event/api_limits.hpp>

namespace sluice::batch {

struct Limits {
  std::size_t events_max = api::batch_events_max;
  std::size_t bytes_max = api::batch_bytes_max;  // of the JSON array, brackets and commas included
  std::chrono::nanoseconds linger = std::chrono::milliseconds{100};
};

}  // namespace sluice::batch
