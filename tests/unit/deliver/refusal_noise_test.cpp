// Refusals are noise if as many come when less is sent, twice; until more of them come than that.
#include <gtest/gtest.h>

#include <sluice/deliver/refusal_noise.hpp>

namespace sluice::deliver {
namespace {

using namespace std::chrono_literals;

using Rate = RefusalNoise::Rate;
using Finding = RefusalNoise::Finding;

class RefusalNoiseTest : public testing::Test {
 protected:
  // Every so many answers one is a refusal; how many of those said load.
  int answers(int count, int one_in, Rate rate) {
    int loads = 0;
    for (int i = 1; i <= count; ++i) {
      const bool refused = one_in > 0 && i % one_in == 0;
      now += 10ms;
      noise.on_answer(refused, rate, now);
      loads += refused && noise.says_load(rate, now) ? 1 : 0;
    }
    return loads;
  }
  // Two seconds, and as many answers as fit at so many per second.
  Finding trial(int one_in, int per_s = 100) {
    noise.on_cut(now);
    for (int i = 1; i <= 2 * per_s; ++i) {
      now += std::chrono::nanoseconds(1s) / per_s;
      noise.on_answer(one_in > 0 && i % one_in == 0, Rate::trial, now);
    }
    return noise.finding();
  }

  MonoTime now{1h};
  RefusalNoise noise;
};

TEST_F(RefusalNoiseTest, ARefusalOrTwoSayNothingOfAnUnlimitedRate) {
  EXPECT_EQ(answers(1'000, 20, Rate::free), 0);
  EXPECT_GT(answers(100, 3, Rate::free), 0);
}

TEST_F(RefusalNoiseTest, TheFirstRefusalOfARateThatGrewSaysLoad) {
  EXPECT_EQ(trial(0), Finding::none);
  answers(1'000, 0, Rate::growing);
  EXPECT_EQ(answers(1, 1, Rate::growing), 1);
}

TEST_F(RefusalNoiseTest, AShareThatDoesNotFallWithTheRateIsNoise) {
  ASSERT_EQ(trial(10), Finding::likely);
  EXPECT_EQ(noise.share(now), 0) << "the first cut may have been too small";
  ASSERT_EQ(trial(10, 75), Finding::is_noise);
  EXPECT_NEAR(noise.share(now), 0.1, 0.01);
  EXPECT_EQ(answers(1'000, 10, Rate::growing), 0);
  EXPECT_EQ(answers(1'000, 10, Rate::free), 0);
}

TEST_F(RefusalNoiseTest, MoreThanNoiseIsLoad) {
  trial(10);
  trial(10, 75);
  EXPECT_GT(answers(100, 2, Rate::free), 0);
}

TEST_F(RefusalNoiseTest, NoiseThatIsKnownNeedsNoSecondTrial) {
  trial(10);
  ASSERT_EQ(trial(10, 75), Finding::is_noise);
  ASSERT_GT(answers(100, 2, Rate::free), 0) << "load, too";
  EXPECT_EQ(trial(10), Finding::none) << "which went with the cut";
  EXPECT_NEAR(noise.share(now), 0.1, 0.01);
  EXPECT_EQ(trial(0), Finding::none);
  EXPECT_EQ(noise.share(now), 0) << "it is over";
}

TEST_F(RefusalNoiseTest, WhatFallsWithTheRateIsLoad) {
  ASSERT_EQ(trial(2), Finding::likely) << "50 of 100 per second";
  ASSERT_EQ(trial(3, 75), Finding::likely) << "50 of 75";
  ASSERT_EQ(trial(11, 56), Finding::likely) << "50 of 56";
  EXPECT_EQ(trial(0, 42), Finding::none);
  EXPECT_EQ(noise.share(now), 0);
  EXPECT_EQ(answers(10, 10, Rate::growing), 1) << "at once";
}

TEST_F(RefusalNoiseTest, ASmallShareIsNone) { EXPECT_EQ(trial(50), Finding::none); }

TEST_F(RefusalNoiseTest, NothingButRefusalsDuringATrialIsLoad) {
  noise.on_cut(now);
  EXPECT_EQ(answers(200, 2, Rate::trial), 0);
  EXPECT_GT(answers(20, 1, Rate::trial), 0);
  EXPECT_EQ(trial(1), Finding::none) << "no noise refuses everything";
}

TEST_F(RefusalNoiseTest, AFewAnswersAreNoTrialYetNorIsAMoment) {
  noise.on_cut(now);
  answers(39, 3, Rate::trial);
  now += 1s;
  EXPECT_EQ(noise.finding(), Finding::none);
  noise.on_cut(now);
  answers(3, 3, Rate::trial);
  EXPECT_EQ(noise.finding(), Finding::likely) << "these two are one";
  noise.on_cut(now);
  answers(99, 3, Rate::trial);
  EXPECT_EQ(noise.finding(), Finding::none);
}

TEST_F(RefusalNoiseTest, IsDoubtedAfterAWhile) {
  trial(10);
  trial(10, 75);
  EXPECT_GT(noise.share(now), 0);
  now += 30s;
  EXPECT_EQ(noise.share(now), 0);
  EXPECT_EQ(answers(10, 10, Rate::growing), 1);
}

}  // namespace
}  // namespace sluice::deliver
