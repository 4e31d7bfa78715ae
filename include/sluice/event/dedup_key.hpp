// What a producer's retry is known by.
#pragma once

#include <cstdint>

namespace sluice {

// Of an event: hashes of what makes it the same event upstream (salt, profile, action and the time
// that it was sent with), and of what it says. The same identity with other content is a change.
// Of a request: hashes of its idempotency key with its producer, and of its body with its path.
struct DedupKey {
  std::uint64_t identity = 0;
  std::uint64_t content = 0;
  friend bool operator==(const DedupKey&, const DedupKey&) = default;
};

}  // namespace sluice
