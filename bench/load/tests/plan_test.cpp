// Goal: arrivals fall due when the rate says, however late they are taken; the workers' shares add
// up to the whole; a plan ends when its time or its requests do.
#include "plan.hpp"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::load {
namespace {

using namespace std::chrono_literals;

constexpr MonoTime start{1'000s};

std::vector<MonoTime> take_all(Plan& plan, MonoTime now) {
  std::vector<MonoTime> taken;
  while (const auto due = plan.take(now)) {
    taken.push_back(*due);
  }
  return taken;
}

TEST(Plan, ClosedLoopIsDueWheneverAsked) {
  Plan plan({.start = start, .end = start + 1s, .requests = {}});
  EXPECT_FALSE(plan.take(start - 1ns));
  EXPECT_EQ(plan.next_due(), start);
  EXPECT_EQ(plan.take(start), start);
  EXPECT_EQ(plan.take(start + 999ms), start + 999ms);
  EXPECT_FALSE(plan.exhausted(start + 999ms));
  EXPECT_FALSE(plan.take(start + 1s));
  EXPECT_TRUE(plan.exhausted(start + 1s));
}

TEST(Plan, ConstantArrivalsAreEquallySpaced) {
  Plan plan({.start = start, .end = start + 1s, .requests = {}, .rate_per_s = 4});
  EXPECT_EQ(plan.take(start), start);
  EXPECT_FALSE(plan.take(start + 249ms));
  EXPECT_EQ(plan.next_due(), start + 250ms);
  EXPECT_EQ(plan.take(start + 250ms), start + 250ms);
}

TEST(Plan, AnArrivalThatWaitedIsStillCountedFromWhenItWasDue) {
  Plan plan({.start = start, .end = start + 1s, .requests = {}, .rate_per_s = 4});
  const std::vector<MonoTime> expected{start, start + 250ms, start + 500ms, start + 750ms};
  EXPECT_EQ(take_all(plan, start + 20s), expected);
  EXPECT_TRUE(plan.exhausted(start + 20s));
}

TEST(Plan, WorkersShareTheArrivalsOfAConstantRate) {
  std::vector<MonoTime> all;
  for (const std::uint64_t worker : {0U, 1U, 2U}) {
    Plan plan({.start = start,
               .end = start + 1s,
               .requests = {},
               .rate_per_s = 10,
               .worker = worker,
               .workers = 3});
    const auto taken = take_all(plan, start + 1s);
    all.insert(all.end(), taken.begin(), taken.end());
  }
  std::ranges::sort(all);
  ASSERT_EQ(all.size(), 10U);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto expected = start + static_cast<int>(i) * 100ms;
    EXPECT_LE(std::chrono::abs(all[i] - expected), 1us) << i;
  }
}

TEST(Plan, PoissonArrivalsHaveTheRateAndTheSpreadOfTheirKind) {
  Plan plan({.start = start,
             .end = start + 100s,
             .requests = {},
             .rate_per_s = 1'000,
             .poisson = true,
             .seed = 5});
  const auto taken = take_all(plan, start + 100s);
  // 100,000 are expected, with a standard deviation of 316.
  EXPECT_NEAR(static_cast<double>(taken.size()), 100'000, 2'000);
  EXPECT_TRUE(std::ranges::is_sorted(taken));
  std::size_t longer_than_mean = 0;
  for (std::size_t i = 1; i < taken.size(); ++i) {
    longer_than_mean += taken[i] - taken[i - 1] > 1ms ? 1 : 0;
  }
  // Of exponential gaps, 1/e is longer than the mean; of equal ones, none or all.
  EXPECT_NEAR(static_cast<double>(longer_than_mean) / static_cast<double>(taken.size()), 0.368,
              0.02);
}

TEST(Plan, TheSameSeedGivesTheSameArrivalsAndWorkersDiffer) {
  const auto arrivals = [](std::uint64_t seed, std::uint64_t worker) {
    Plan plan({.start = start,
               .end = start + 1s,
               .requests = {},
               .rate_per_s = 100,
               .poisson = true,
               .seed = seed,
               .worker = worker,
               .workers = 2});
    return take_all(plan, start + 1s);
  };
  EXPECT_EQ(arrivals(1, 0), arrivals(1, 0));
  EXPECT_NE(arrivals(1, 0), arrivals(2, 0));
  EXPECT_NE(arrivals(1, 0), arrivals(1, 1));
}

TEST(Plan, RequestsAreSharedToTheLastOne) {
  for (const double rate_per_s : {0.0, 1'000.0}) {
    std::size_t sent = 0;
    for (const std::uint64_t worker : {0U, 1U, 2U}) {
      Plan plan({.start = start,
                 .end = {},
                 .requests = 11,
                 .rate_per_s = rate_per_s,
                 .worker = worker,
                 .workers = 3});
      sent += take_all(plan, start + 10s).size();
      EXPECT_TRUE(plan.exhausted(start + 10s));
      EXPECT_FALSE(plan.next_due());
    }
    EXPECT_EQ(sent, 11U);
  }
}

TEST(Plan, AbandoningTellsWhatWasDueAndEndsIt) {
  Plan open({.start = start, .end = start + 10s, .requests = {}, .rate_per_s = 4});
  EXPECT_EQ(open.abandon(start + 1s), 5U);
  EXPECT_TRUE(open.exhausted(start + 1s));

  Plan counted({.start = start, .end = {}, .requests = 3});
  ASSERT_TRUE(counted.take(start));
  EXPECT_EQ(counted.abandon(start), 2U);
  EXPECT_TRUE(counted.exhausted(start));

  Plan timed({.start = start, .end = start + 10s, .requests = {}});
  EXPECT_EQ(timed.abandon(start), 0U);
  EXPECT_TRUE(timed.exhausted(start));
}

}  // namespace
}  // namespace sluice::load
