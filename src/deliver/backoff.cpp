#include <algorithm>
#include <cstdint>

#include <sluice/base/assert.hpp>
#include <sluice/deliver/backoff.hpp>

namespace sluice::deliver {
namespace {

using std::chrono::nanoseconds;

nanoseconds uniform(nanoseconds from, nanoseconds to, Rng& rng) {
  const auto width = static_cast<std::uint64_t>((to - from).count());
  const auto drawn = static_cast<nanoseconds::rep>(rng.below(width + 1));
  return std::max<nanoseconds>(backoff_min, from + nanoseconds(drawn));
}

}  // namespace

nanoseconds backoff_ceiling(const BackoffPolicy& policy, unsigned attempt) {
  SLUICE_ASSERT(policy.initial.count() > 0);
  SLUICE_ASSERT(policy.max.count() > 0);
  constexpr unsigned shift_max = 62;
  if (attempt > shift_max || policy.initial.count() > (policy.max.count() >> attempt)) {
    return policy.max;
  }
  return nanoseconds(policy.initial.count() << attempt);
}

nanoseconds full_jitter(const BackoffPolicy& policy, unsigned attempt, Rng& rng) {
  return uniform(nanoseconds{0}, backoff_ceiling(policy, attempt), rng);
}

nanoseconds equal_jitter(const BackoffPolicy& policy, unsigned attempt, Rng& rng) {
  const nanoseconds ceiling = backoff_ceiling(policy, attempt);
  return uniform(ceiling / 2, ceiling, rng);
}

}  // namespace sluice::deliver
