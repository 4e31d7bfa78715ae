// What a lane puts aside, and what its state may become.
#include <gtest/gtest.h>

#include <sluice/deliver/lane.hpp>

#include "event_groups.hpp"

namespace sluice::deliver {
namespace {

using namespace std::chrono_literals;

std::string queued(const Lane& lane) {
  std::vector<EventRef> events;
  lane.queue.for_each([&](EventRef event) { events.push_back(event); });
  return test::numbers_of(events);
}

TEST(Lane, PutsWhatIsBarredAsideWithWhatFollowsInItsProfile) {
  Rng rng(1);
  Barring barring({.initial = 1s, .max = 60s});
  static_cast<void>(barring.bar(EventKind::transaction, ParkReason::misrouted, MonoTime{}, rng));
  const Group::Owner group = test::make_group(
      std::vector<test::EventSpec>{{1, 1}, {2, 2, EventKind::transaction}, {3, 3}, {4, 2}, {5, 1}});
  Lane lane;
  for (std::uint32_t i = 0; i < group->records().size(); ++i) {
    lane.enqueue({.group = group.get(), .index = i}, barring);
  }
  EXPECT_EQ(queued(lane), "1 3 5");
  EXPECT_EQ(lane.queued_events(), 5U);
  EXPECT_TRUE(barring.end_all());
  lane.sort_out(barring);
  EXPECT_EQ(queued(lane), "1 2 3 4 5");
}

TEST(Lanes, CountWhatIsInFlightWhereStatesChange) {
  Lanes lanes(2);
  lanes.set_status(lanes.at(0), LaneState::in_flight);
  lanes.set_status(lanes.at(1), LaneState::in_flight);
  EXPECT_EQ(lanes.in_flight(), 2U);
  lanes.set_status(lanes.at(0), LaneState::waiting);
  lanes.set_status(lanes.at(0), LaneState::storing);
  EXPECT_EQ(lanes.in_flight(), 1U);
  EXPECT_EQ(lanes.at(0).state(), LaneState::storing);
}

TEST(LanesDeathTest, ALaneThatRidesSendsNothing) {
  Lanes lanes(1);
  lanes.set_status(lanes.at(0), LaneState::riding);
  EXPECT_DEATH(lanes.set_status(lanes.at(0), LaneState::in_flight), "");
}

}  // namespace
}  // namespace sluice::deliver
