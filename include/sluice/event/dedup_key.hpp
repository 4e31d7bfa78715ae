// What a producer's retry is known by.
#pragma once

#include <cstdint>

namespace sluice {

// Identifies an event among its producer's retries: a hash of its salt, profile, action and
// original time; or a request, by its idempotency key.
struct DedupKey {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  friend bool operator==(const DedupKey&, const DedupKey&) = default;
};

}  // namespace sluice
