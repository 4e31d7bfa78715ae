// The lanes of a workspace: what each holds, and what it is at. A profile's events are all in one
// lane, in their order. Not thread-safe; refers to groups and owns none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <vector>

#include <sluice/base/clock.hpp>
#include <sluice/batch/lane_queue.hpp>
#include <sluice/deliver/barring.hpp>
#include <sluice/deliver/circuit_breaker.hpp>
#include <sluice/deliver/pending_batch.hpp>
#include <sluice/deliver/size_limit.hpp>
#include <sluice/event/group.hpp>

namespace sluice::deliver {

enum class LaneState : std::uint8_t {
  collecting,       // no batch yet
  riding,           // its events are in another lane's batch, and it waits for the end of that
  waiting,          // a batch is to be sent, once it may
  in_flight,        // a request is out
  storing,          // dead letters are being stored
  waiting_to_store  // storing failed, and is tried again after a while
};
inline constexpr std::array<std::string_view, 6> lane_state_names = {
    "collecting", "riding", "waiting", "in_flight", "storing", "waiting_to_store"};

class Lane {
 public:
  [[nodiscard]] LaneState state() const { return state_; }
  // Behind what it has; or put aside, if its kind is barred, or an earlier event of its profile is.
  void enqueue(EventRef event, const Barring& barring);
  // Parts what is barred from what is not anew, in the order of acceptance.
  void sort_out(const Barring& barring);
  [[nodiscard]] std::size_t queued_events() const { return queue.size() + barred_events_.size(); }
  // Calls `visit` with each event that has not ended, those of riders in its batch included.
  template <class Visit>
  void for_each_open(Visit visit) const {
    batch.for_each_open(visit);
    queue.for_each(visit);
    for (const EventRef event : barred_events_) {
      visit(event);
    }
  }

  batch::LaneQueue queue;
  PendingBatch batch;
  std::size_t carrier = 0;  // while riding
  bool goes_alone = false;  // with its next batch, and at once
  // What its batch has found out about sizes, while it may still turn out to be one event that is
  // too large.
  std::optional<SizeLimit> sizes;
  AttemptId attempt = 0;  // in flight
  MonoTime sent_at;
  MonoTime not_before = MonoTime::min();  // while waiting
  unsigned failures_in_a_row = 0;
  unsigned store_failures_in_a_row = 0;

 private:
  friend class Lanes;

  LaneState state_ = LaneState::collecting;
  // While kinds are barred: their events, and those that come after them in their profiles.
  std::vector<EventRef> barred_events_;
  std::unordered_set<std::uint64_t> barred_profiles_;
};

class Lanes {
 public:
  explicit Lanes(std::size_t count) : lanes_(count) {}

  [[nodiscard]] std::size_t size() const { return lanes_.size(); }
  [[nodiscard]] Lane& at(std::size_t index) { return lanes_.at(index); }
  [[nodiscard]] Lane& of_profile(std::uint64_t profile_hash) {
    return lanes_[profile_hash % lanes_.size()];
  }
  [[nodiscard]] std::size_t index_of(const Lane& lane) const {
    return static_cast<std::size_t>(&lane - lanes_.data());
  }
  [[nodiscard]] auto begin() { return lanes_.begin(); }
  [[nodiscard]] auto end() { return lanes_.end(); }
  [[nodiscard]] auto begin() const { return lanes_.begin(); }
  [[nodiscard]] auto end() const { return lanes_.end(); }

  // The only place where a lane's state changes, so that in_flight() is what is out.
  void set_status(Lane& lane, LaneState next);
  [[nodiscard]] unsigned in_flight() const { return in_flight_; }
  // Asserts that each lane is at what its batch says, and that so many events are held.
  void assert_sound(std::size_t open_events) const;

 private:
  std::vector<Lane> lanes_;
  unsigned in_flight_ = 0;
};

}  // namespace sluice::deliver
