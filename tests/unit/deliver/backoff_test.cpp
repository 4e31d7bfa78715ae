// Waits grow exponentially up to the maximum, are jittered as the article says, and never overflow.
#include <gtest/gtest.h>

#include <sluice/deliver/backoff.hpp>

namespace sluice::deliver {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr BackoffPolicy policy{.initial = 200ms, .max = 60s};

TEST(Backoff, DoublesUpToTheMaximum) {
  EXPECT_EQ(backoff_ceiling(policy, 0), 200ms);
  EXPECT_EQ(backoff_ceiling(policy, 1), 400ms);
  EXPECT_EQ(backoff_ceiling(policy, 8), 51'200ms);
  EXPECT_EQ(backoff_ceiling(policy, 9), 60s);
}

TEST(Backoff, NeverOverflows) {
  constexpr BackoffPolicy largest{.initial = 1ns, .max = nanoseconds::max()};
  for (const unsigned attempt : {62U, 63U, 64U, 1'000U, ~0U}) {
    EXPECT_EQ(backoff_ceiling(policy, attempt), policy.max) << attempt;
    EXPECT_GT(backoff_ceiling(largest, attempt).count(), 0) << attempt;
  }
  EXPECT_EQ(backoff_ceiling({.initial = 10s, .max = 1s}, 0), 1s);
}

TEST(Backoff, FullJitterCoversEverythingBelowTheCeiling) {
  Rng rng(1);
  nanoseconds least = nanoseconds::max();
  nanoseconds most{};
  nanoseconds sum{};
  for (int i = 0; i < 10'000; ++i) {
    const nanoseconds wait = full_jitter(policy, 2, rng);
    least = std::min(least, wait);
    most = std::max(most, wait);
    sum += wait;
  }
  EXPECT_GE(least, backoff_min);
  EXPECT_LT(least, 10ms);
  EXPECT_GT(most, 790ms);
  EXPECT_LE(most, 800ms);
  EXPECT_GT(sum / 10'000, 380ms);
  EXPECT_LT(sum / 10'000, 420ms);
}

TEST(Backoff, EqualJitterWaitsAtLeastHalf) {
  Rng rng(2);
  for (int i = 0; i < 1'000; ++i) {
    const nanoseconds wait = equal_jitter(policy, 2, rng);
    EXPECT_GE(wait, 400ms);
    EXPECT_LE(wait, 800ms);
  }
}

}  // namespace
}  // namespace sluice::deliver
