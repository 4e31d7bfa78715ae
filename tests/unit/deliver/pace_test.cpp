// The pace is set by throttled answers, keeps near what was accepted, and lets go after a while.
#include <gtest/gtest.h>

#include <sluice/base/rng.hpp>
#include <sluice/deliver/pace.hpp>

namespace sluice::deliver {
namespace {

using namespace std::chrono_literals;

class PaceTest : public testing::Test {
 protected:
  // As many requests as the pace lets through, at most one per millisecond, all accepted.
  int send_for(std::chrono::nanoseconds time) {
    int sent = 0;
    for (const MonoTime end = now + time; now < end; now += 1ms) {
      if (now >= pace.admits_at()) {
        pace.on_sent(now);
        pace.on_accepted(now, now);
        ++sent;
      }
    }
    return sent;
  }
  void throttle(std::chrono::nanoseconds hold = 0s) {
    pace.on_throttled(now, now, now + hold);
    now += hold;
  }

  MonoTime now{1h};
  Pace pace;
};

TEST_F(PaceTest, IsUnlimitedUntilThrottled) {
  EXPECT_EQ(send_for(1s), 1'000);
  EXPECT_LE(pace.admits_at(), now);
}

TEST_F(PaceTest, StaysNearWhatWasAcceptedAndThenLetsGo) {
  send_for(1s);
  throttle();
  const int found = send_for(1s);
  EXPECT_GE(found, 830);
  EXPECT_LE(found, 870);
  send_for(4s);
  EXPECT_EQ(send_for(1s), 1'000);
}

TEST_F(PaceTest, NothingIsSentDuringTheHold) {
  send_for(1s);
  pace.on_throttled(now, now, now + 5s);
  EXPECT_EQ(pace.admits_at(), now + 5s);
}

TEST_F(PaceTest, IsCutOncePerRoundTripAndAtMostByHalf) {
  send_for(1s);
  throttle(3s);
  const MonoTime sent_at = now;
  now += 1ms;
  pace.on_throttled(sent_at, now, now);
  pace.on_throttled(sent_at, now, now);
  pace.on_throttled(sent_at, now + 1ms, now + 1ms);
  const int cut = send_for(1s);
  EXPECT_GE(cut, 415) << "nothing was accepted since the hold, which proves nothing";
  EXPECT_LE(cut, 445);
}

TEST_F(PaceTest, ALongHoldMakesItCautiousForLonger) {
  send_for(1s);
  throttle(1s);
  send_for(6s);
  EXPECT_LE(send_for(1s), 990);
}

TEST_F(PaceTest, BeginsWithOneIfNothingIsKnown) {
  throttle();
  EXPECT_EQ(send_for(1s), 1);
  EXPECT_GE(send_for(10s), 200) << "and finds the rest within seconds";
}

TEST_F(PaceTest, IsLiftedWhenAsMuchIsRefusedAtALowerRate) {
  send_for(1s);
  throttle();
  Rng rng(3);
  int loads = 0;
  for (const MonoTime end = now + 4s; now < end; now += 1ms) {
    if (now >= pace.admits_at()) {
      pace.on_sent(now);
      if (rng.below(10) != 0) {
        pace.on_accepted(now, now);
      } else if (!pace.is_noise(now, now)) {
        ++loads;
      }
    }
  }
  EXPECT_EQ(pace.limit(now), std::nullopt);
  EXPECT_EQ(loads, 0);
}

TEST_F(PaceTest, ForgetsEverythingWhenLifted) {
  throttle();
  pace.lift();
  EXPECT_EQ(send_for(1s), 1'000);
}

TEST_F(PaceTest, KnowsWhetherTheUpstreamIsAtWork) {
  EXPECT_FALSE(pace.has_accepted_lately(now));
  pace.on_accepted(now, now);
  EXPECT_TRUE(pace.has_accepted_lately(now + 1999ms));
  EXPECT_FALSE(pace.has_accepted_lately(now + 2s));
}

}  // namespace
}  // namespace sluice::deliver
