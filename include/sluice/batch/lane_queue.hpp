// The queue of one lane: its events in the order of their acceptance, and how batches are cut from
// it.
//
// Events of all kinds share a lane, because their order within a profile counts; but they go to
// different endpoints, so a batch holds one kind, that of the head. To fill it, a cut may pass over
// events of the others. What keeps the order: once an event of a profile has been passed over,
// no later event of that profile is taken in the same cut. The profiles passed over are remembered
// in a bitmap by part of their hash, so two profiles may be taken for one: that can make a batch
// smaller, never reorder a profile, since both are then left alone for the rest of the cut.
//
// Pushing and cutting cost O(1) per event, amortised; a cut passes over at most `passed_over_max`
// events. Nothing is allocated unless the queue grows beyond its largest size so far. Not
// thread-safe. Refers to groups and owns none.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <sluice/base/clock.hpp>
#include <sluice/base/rng.hpp>
#include <sluice/batch/limits.hpp>
#include <sluice/event/group.hpp>

namespace sluice::batch {

// What a cut took.
struct Cut {
  EventKind kind;
  std::size_t bytes;  // of the JSON array
};

class LaneQueue {
 public:
  static constexpr std::size_t passed_over_max = 1'024;

  void push(EventRef event);

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  // The first event: the next cut takes it, and its kind. Not on an empty queue.
  [[nodiscard]] EventRef head() const;
  // Whether there is enough of the head's kind to fill a batch. Not on an empty queue.
  [[nodiscard]] bool fills(const Limits& limits) const;
  // From when on a batch should be cut: at once (MonoTime::min()) when it fills, otherwise when the
  // head has lingered. Not on an empty queue.
  [[nodiscard]] MonoTime ready_at(const Limits& limits) const;

  // Takes the next batch: appends it to `batch`. Takes the head even if it alone is over the limit
  // of bytes: only the upstream can say whether it is too large. Not on an empty queue.
  [[nodiscard]] Cut cut(const Limits& limits, std::vector<EventRef>& batch);
  // Takes the first events of one profile, of one kind, at most so many: appends them to `batch`.
  // Every profile in the queue has the same chance. Looks at the whole queue. Not on an empty one.
  [[nodiscard]] Cut cut_profile(std::size_t events_max, Rng& rng, std::vector<EventRef>& batch);
  // Undoes the last cut, or what is left of it, whatever has been pushed since: its events come
  // first again, in their order. That puts them before those that the cut passed over too, which is
  // no matter: an event taken after one that was passed over is of another profile.
  void put_back(std::span<const EventRef> events);

  // Calls `visit` with each event, from the head.
  template <class Visit>
  void for_each(Visit visit) const {
    for (std::size_t i = 0; i < size_; ++i) {
      visit(ring_[wrap(head_ + i)]);
    }
  }

 private:
  struct Totals {
    std::size_t events = 0;
    std::size_t bytes = 0;  // as elements of an array
  };

  [[nodiscard]] std::size_t wrap(std::size_t position) const {
    return position & (ring_.size() - 1);
  }
  void count(EventRef event);
  void grow();
  void remove_taken(std::size_t taken, std::size_t scanned, const Cut& cut);
  void close_gaps(std::size_t scanned);

  std::vector<EventRef> ring_;  // its size is zero or a power of two
  std::size_t head_ = 0;
  std::size_t size_ = 0;
  std::array<Totals, kinds_max> totals_{};  // per kind
  std::bitset<4'096> profiles_passed_;
};

}  // namespace sluice::batch
