// The limit finds what the upstream bears, halves once per round trip, and gives back what it took.
#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include <sluice/base/rng.hpp>
#include <sluice/deliver/concurrency_limit.hpp>

namespace sluice::deliver {
namespace {

using namespace std::chrono_literals;

class ConcurrencyLimitTest : public testing::Test {
 protected:
  // One round trip: as many requests as the limit allows, all accepted.
  void round_trip(std::chrono::nanoseconds latency = 20ms) {
    const MonoTime sent_at = now;
    now += latency;
    for (unsigned in_flight = limit.limit(); in_flight > 0; --in_flight) {
      limit.on_accepted(latency, in_flight, sent_at, now);
    }
  }

  MonoTime now{};
  ConcurrencyLimit limit{16};
};

TEST_F(ConcurrencyLimitTest, StartsAtOneAndRampsUpToTheMaximum) {
  EXPECT_EQ(limit.limit(), 1U);
  round_trip();
  EXPECT_EQ(limit.limit(), 2U);
  for (int i = 0; i < 6; ++i) {
    round_trip();
  }
  EXPECT_EQ(limit.limit(), 16U);
}

TEST_F(ConcurrencyLimitTest, HalvesOncePerRoundTripAndGrowsSlowlyAfterwards) {
  for (int i = 0; i < 7; ++i) {
    round_trip();
  }
  const MonoTime sent_at = now;
  now += 20ms;
  limit.on_congested(sent_at, now);
  limit.on_congested(sent_at, now + 1ms);
  limit.on_congested(sent_at, now + 2ms);
  EXPECT_EQ(limit.limit(), 8U);
  now += 5ms;
  round_trip();
  EXPECT_LE(limit.limit(), 9U);
  for (int i = 0; i < 20; ++i) {
    round_trip();
  }
  EXPECT_EQ(limit.limit(), 16U);
}

TEST_F(ConcurrencyLimitTest, NeverFallsBelowOne) {
  for (int i = 0; i < 10; ++i) {
    limit.on_congested(now, now);
    now += 1s;
  }
  EXPECT_EQ(limit.limit(), 1U);
}

TEST_F(ConcurrencyLimitTest, DoesNotGrowWhileUnused) {
  for (int i = 0; i < 3; ++i) {
    round_trip();
  }
  const unsigned before = limit.limit();
  for (int i = 0; i < 100; ++i) {
    limit.on_accepted(20ms, 1, now, now);
  }
  EXPECT_EQ(limit.limit(), before);
}

TEST_F(ConcurrencyLimitTest, TakesRisingLatencyForCongestionAndFallingForRelief) {
  for (int i = 0; i < 10; ++i) {
    round_trip();
  }
  unsigned lowest = 16;
  for (int i = 0; i < 10; ++i) {
    round_trip(500ms);
    lowest = std::min(lowest, limit.limit());
  }
  EXPECT_LE(lowest, 2U);
  for (int i = 0; i < 60; ++i) {
    round_trip();
  }
  EXPECT_EQ(limit.limit(), 16U);
}

TEST_F(ConcurrencyLimitTest, AcceptsALastingChangeOfLatency) {
  for (int i = 0; i < 10; ++i) {
    round_trip();
  }
  for (int i = 0; i < 50; ++i) {
    round_trip(500ms);
  }
  EXPECT_EQ(limit.limit(), 16U) << "one at a time was as slow";
}

// An upstream whose latency is exponential answers some requests a hundred times as fast as others.
TEST_F(ConcurrencyLimitTest, DoesNotTakeVariationForCongestion) {
  Rng rng(7);
  std::uint64_t sum = 0;
  for (int i = 0; i < 2'000; ++i) {
    const MonoTime sent_at = now;
    for (unsigned in_flight = limit.limit(); in_flight > 0; --in_flight) {
      const double share = static_cast<double>(rng.below(1'000'000) + 1) / 1'000'001;
      const std::chrono::duration<double> latency(-0.2 * std::log(share));
      limit.on_accepted(std::chrono::duration_cast<std::chrono::nanoseconds>(latency), in_flight,
                        sent_at, sent_at + 400ms);
    }
    now += 400ms;
    sum += limit.limit();
  }
  EXPECT_GE(sum / 2'000, 14U);
}

// An upstream that serves so many requests at a time, and lets the others wait, has the others.
TEST_F(ConcurrencyLimitTest, KeepsAQueueingUpstreamFromBeingFlooded) {
  for (int i = 0; i < 2'000; ++i) {
    round_trip(100ms * std::max(1U, limit.limit()));
    if (i > 100) {
      ASSERT_LE(limit.limit(), 8U);
    }
  }
}

TEST_F(ConcurrencyLimitTest, RestartsAtOneWithSlowStart) {
  for (int i = 0; i < 10; ++i) {
    round_trip();
  }
  limit.restart();
  EXPECT_EQ(limit.limit(), 1U);
  round_trip();
  round_trip();
  round_trip();
  EXPECT_GE(limit.limit(), 4U);
}

}  // namespace
}  // namespace sluice::deliver
