#include <algorithm>
#include <unordered_set>

#include <sluice/base/assert.hpp>
#include <sluice/batch/body.hpp>
#include <sluice/batch/lane_queue.hpp>

namespace sluice::batch {
namespace {

constexpr std::size_t ring_size_min = 64;

// The high bits: the low ones have already chosen the lane.
constexpr std::size_t profile_bit(std::uint64_t profile_hash) { return profile_hash >> 52; }

constexpr std::size_t index_of(EventKind kind) { return static_cast<std::size_t>(kind); }

}  // namespace

void LaneQueue::push(EventRef event) {
  if (size_ == ring_.size()) {
    grow();
  }
  ring_[wrap(head_ + size_)] = event;
  count(event);
}

void LaneQueue::count(EventRef event) {
  ++size_;
  const EventRecord& record = event.record();
  Totals& totals = totals_[index_of(record.kind)];
  ++totals.events;
  totals.bytes += element_bytes(record.size);
}

void LaneQueue::grow() {
  std::vector<EventRef> larger(std::max(ring_size_min, 2 * ring_.size()));
  for_each([next = larger.begin()](EventRef event) mutable { *next++ = event; });
  ring_ = std::move(larger);
  head_ = 0;
}

EventRef LaneQueue::head() const {
  SLUICE_ASSERT(!empty());
  return ring_[wrap(head_)];
}

bool LaneQueue::fills(const Limits& limits) const {
  const Totals& totals = totals_[index_of(head().record().kind)];
  return totals.events >= limits.events_max ||
         totals.bytes + array_overhead_bytes >= limits.bytes_max;
}

MonoTime LaneQueue::ready_at(const Limits& limits) const {
  return fills(limits) ? MonoTime::min() : head().group->accepted_at() + limits.linger;
}

Cut LaneQueue::cut(const Limits& limits, std::vector<EventRef>& batch) {
  const EventKind kind = head().record().kind;
  std::size_t taken = 0;
  std::size_t bytes = array_overhead_bytes;
  std::size_t scanned = 0;
  std::size_t passed_over = 0;
  for (; scanned < size_ && taken < limits.events_max; ++scanned) {
    EventRef& slot = ring_[wrap(head_ + scanned)];
    const EventRecord& record = slot.record();
    const bool passes = record.kind != kind ||
                        (passed_over > 0 && profiles_passed_[profile_bit(record.profile_hash)]);
    if (passes) {
      if (passed_over == passed_over_max) {
        break;
      }
      ++passed_over;
      profiles_passed_.set(profile_bit(record.profile_hash));
      continue;
    }
    const std::size_t bytes_with = bytes + element_bytes(record.size);
    if (bytes_with > limits.bytes_max && taken > 0) {
      break;
    }
    bytes = bytes_with;
    ++taken;
    batch.push_back(slot);
    slot.group = nullptr;
  }

  if (passed_over > 0) {
    profiles_passed_.reset();
  }
  const Cut cut{.kind = kind, .bytes = bytes};
  remove_taken(taken, scanned, cut);
  return cut;
}

Cut LaneQueue::cut_profile(std::size_t events_max, Rng& rng, std::vector<EventRef>& batch) {
  SLUICE_ASSERT(events_max > 0);
  EventRef chosen = head();
  std::unordered_set<std::uint64_t> profiles;
  for_each([&](EventRef event) {
    const bool is_first = profiles.insert(event.record().profile_hash).second;
    if (is_first && rng.below(profiles.size()) == 0) {
      chosen = event;
    }
  });

  const std::uint64_t profile = chosen.record().profile_hash;
  Cut cut{.kind = chosen.record().kind, .bytes = array_overhead_bytes};
  std::size_t taken = 0;
  std::size_t scanned = 0;
  for (; scanned < size_ && taken < events_max; ++scanned) {
    EventRef& slot = ring_[wrap(head_ + scanned)];
    if (slot.record().profile_hash != profile) {
      continue;
    }
    if (slot.record().kind != cut.kind) {
      break;
    }
    cut.bytes += element_bytes(slot.record().size);
    ++taken;
    batch.push_back(slot);
    slot.group = nullptr;
  }
  remove_taken(taken, scanned, cut);
  return cut;
}

void LaneQueue::remove_taken(std::size_t taken, std::size_t scanned, const Cut& cut) {
  SLUICE_ASSERT(taken > 0);
  if (taken < scanned) {
    close_gaps(scanned);
  }
  head_ = wrap(head_ + taken);
  size_ -= taken;
  Totals& totals = totals_[index_of(cut.kind)];
  totals.events -= taken;
  totals.bytes -= cut.bytes - array_overhead_bytes;
  SLUICE_ASSERT(totals.events <= size_);
}

void LaneQueue::put_back(std::span<const EventRef> events) {
  while (ring_.size() - size_ < events.size()) {
    grow();
  }
  for (std::size_t i = events.size(); i-- > 0;) {
    head_ = wrap(head_ - 1);
    ring_[head_] = events[i];
    count(events[i]);
  }
}

// Moves the events that were passed over to the end of the scanned part, so that the taken ones
// leave their places at its front.
void LaneQueue::close_gaps(std::size_t scanned) {
  std::size_t to = scanned;
  for (std::size_t from = scanned; from-- > 0;) {
    const EventRef event = ring_[wrap(head_ + from)];
    if (event.group != nullptr) {
      ring_[wrap(head_ + --to)] = event;
    }
  }
}

}  // namespace sluice::batch
