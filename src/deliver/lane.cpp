#include <algorithm>
#include <utility>

#include <sluice/base/assert.hpp>
#include <sluice/deliver/lane.hpp>

namespace sluice::deliver {
namespace {

// Whether a lane goes from one state to the other.
constexpr bool leads_to(LaneState from, LaneState next) {
  using enum LaneState;
  switch (from) {
    case collecting:
      return next == riding || next == in_flight;
    case riding:
      return next == collecting;
    case waiting:
      return next == waiting || next == in_flight || next == storing || next == collecting;
    case in_flight:
      return next == waiting;
    case storing:
      return next == waiting_to_store || next == collecting;
    case waiting_to_store:
      return next == storing;
  }
  return false;
}

}  // namespace

void Lane::enqueue(EventRef event, const Barring& barring) {
  const EventRecord& record = event.record();
  if (barring.is_barred(record.kind)) {
    barred_profiles_.insert(record.profile_hash);
  }
  if (barred_profiles_.contains(record.profile_hash)) {
    barred_events_.push_back(event);
  } else {
    queue.push(event);
  }
}

void Lane::sort_out(const Barring& barring) {
  std::vector<EventRef> events = std::exchange(barred_events_, {});
  barred_profiles_.clear();
  std::exchange(queue, {}).for_each([&](EventRef event) { events.push_back(event); });
  std::ranges::sort(events, {},
                    [](EventRef event) { return std::pair(event.group->ticket, event.index); });
  for (const EventRef event : events) {
    enqueue(event, barring);
  }
}

void Lanes::set_status(Lane& lane, LaneState next) {
  SLUICE_ASSERT(leads_to(lane.state_, next));
  in_flight_ -= lane.state_ == LaneState::in_flight ? 1U : 0U;
  in_flight_ += next == LaneState::in_flight ? 1U : 0U;
  lane.state_ = next;
}

void Lanes::assert_sound(std::size_t open_events) const {
  std::size_t held_events = 0;
  unsigned lanes_in_flight = 0;
  for (const Lane& lane : lanes_) {
    held_events += lane.queued_events() + lane.batch.open_events();
    lanes_in_flight += lane.state() == LaneState::in_flight ? 1U : 0U;
    const bool riding = lane.state() == LaneState::riding;
    SLUICE_ASSERT(lane.batch.done() == (riding || lane.state() == LaneState::collecting));
    SLUICE_ASSERT(!riding || !lanes_[lane.carrier].batch.done());
  }
  SLUICE_ASSERT(held_events == open_events);
  SLUICE_ASSERT(lanes_in_flight == in_flight_);
}

}  // namespace sluice::deliver
