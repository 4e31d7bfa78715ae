// Scripts of what happens to a parked workspace, and what it may do then.
#include <gtest/gtest.h>

#include <sluice/deliver/parking.hpp>

namespace sluice::deliver {
namespace {

using namespace std::chrono_literals;

constexpr MonoTime parked_from{1h};
constexpr BackoffPolicy parking_intervals{.initial = 1s, .max = 60s};

TEST(Parking, WhatIsInDoubtIsProbedAtOnceAndParkedIfThatFails) {
  Rng rng(1);
  Parking parking(parking_intervals);
  EXPECT_TRUE(parking.may_send());
  parking.doubt(3, parked_from);
  EXPECT_TRUE(parking.holds());
  EXPECT_EQ(parking.parked(), std::nullopt) << "not yet";
  EXPECT_TRUE(parking.is_due(parked_from));
  EXPECT_FALSE(parking.may_send()) << "not with the old credentials";
  parking.refresh();
  parking.on_refreshed(true, 7);
  EXPECT_TRUE(parking.is_stale(6));
  EXPECT_FALSE(parking.is_stale(7));
  EXPECT_TRUE(parking.may_send());
  EXPECT_EQ(parking.lane(), 3U);
  parking.on_sent(7);
  EXPECT_TRUE(parking.is_probe(7));
  EXPECT_FALSE(parking.is_probe(6));
  EXPECT_TRUE(parking.confirm());
  EXPECT_FALSE(parking.confirm()) << "told already";
  EXPECT_EQ(parking.parked(), ParkReason::unauthorised);
  parking.probe_later(parked_from, rng);
  EXPECT_EQ(parking.lane(), std::nullopt) << "any lane may send the next";
  EXPECT_FALSE(parking.is_due(parked_from));
}

TEST(Parking, WhatWasOnlyInDoubtWasNeverParked) {
  Parking parking(parking_intervals);
  parking.doubt(0, parked_from);
  parking.refresh();
  parking.on_refreshed(true, 1);
  parking.on_sent(1);
  EXPECT_FALSE(parking.resume(parked_from));
  EXPECT_TRUE(parking.may_send());
  EXPECT_EQ(parking.lane(), std::nullopt);
}

TEST(Parking, IntervalsGrowAndGrowOnAfterAMomentOfSuccess) {
  Rng rng(1);
  Parking parking(parking_intervals);
  parking.park(ParkReason::misrouted, parked_from, rng);
  EXPECT_EQ(parking.parked(), ParkReason::misrouted);
  MonoTime at = parked_from;
  for (const auto ceiling : {1s, 2s, 4s, 8s}) {
    const MonoTime due = *parking.probe_at();
    EXPECT_GE(due - at, ceiling / 2);
    EXPECT_LE(due - at, ceiling);
    at = due;
    parking.refresh();
    parking.on_refreshed(true, 1);
    parking.on_sent(1);
    parking.probe_later(at, rng);
  }
  EXPECT_TRUE(parking.resume(at));
  parking.park(ParkReason::misrouted, at + 60s, rng);
  EXPECT_GE(*parking.probe_at() - at, 60s + 16s);
  EXPECT_TRUE(parking.resume(at));
  parking.park(ParkReason::misrouted, at + 61s, rng);
  EXPECT_LE(*parking.probe_at() - at, 61s + 1s);
}

TEST(Parking, WhatIsOutIsNoProbeOnceAllIsRefused) {
  Rng rng(1);
  Parking parking(parking_intervals);
  parking.park(ParkReason::misrouted, parked_from, rng);
  parking.refresh();
  parking.on_refreshed(true, 1);
  parking.on_sent(1);
  parking.park(ParkReason::all_refused, parked_from, rng);
  EXPECT_TRUE(parking.all_refused());
  EXPECT_FALSE(parking.is_probe(1));
  EXPECT_TRUE(parking.probe_at().has_value());
}

TEST(Parking, TheNextEventOfAProfileIsProbedAtOnceByItsLane) {
  Rng rng(1);
  Parking parking(parking_intervals);
  parking.park(ParkReason::all_refused, parked_from, rng);
  parking.refresh();
  parking.on_refreshed(true, 1);
  parking.on_sent(1);
  parking.probe_again(2);
  EXPECT_TRUE(parking.may_send());
  EXPECT_EQ(parking.lane(), 2U);
}

TEST(ParkingDeathTest, NoProbeIsSentThatIsNotReady) {
  Rng rng(1);
  Parking parking(parking_intervals);
  parking.park(ParkReason::misrouted, parked_from, rng);
  EXPECT_DEATH(parking.on_sent(1), "");
}

}  // namespace
}  // namespace sluice::deliver
