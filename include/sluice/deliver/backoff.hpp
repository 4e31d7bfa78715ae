// How long to wait before trying again: exponential, capped and jittered, after Marc Brooker,
// "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015), whose names are used here.
#pragma once

#include <chrono>

#include <sluice/base/rng.hpp>

namespace sluice::deliver {

// Both are positive.
struct BackoffPolicy {
  std::chrono::nanoseconds initial = std::chrono::milliseconds{200};
  std::chrono::nanoseconds max = std::chrono::seconds{60};
};

// No wait is shorter than this. The article knows no floor; without one, a wait drawn as zero
// against an upstream that fails at once would spin.
inline constexpr std::chrono::milliseconds backoff_min{1};

// min(max, initial * 2^attempt), without overflow; attempt counts from zero.
[[nodiscard]] std::chrono::nanoseconds backoff_ceiling(const BackoffPolicy& policy,
                                                       unsigned attempt);

// "Full Jitter": uniform between zero and the ceiling. For retries of many at once: spreads them
// widest.
[[nodiscard]] std::chrono::nanoseconds full_jitter(const BackoffPolicy& policy, unsigned attempt,
                                                   Rng& rng);

// "Equal Jitter": uniform between half the ceiling and the ceiling. For the lone probes of a
// breaker or a parked workspace, whose point is to leave the upstream alone for a while.
[[nodiscard]] std::chrono::nanoseconds equal_jitter(const BackoffPolicy& policy, unsigned attempt,
                                                    Rng& rng);

}  // namespace sluice::deliver
