#include "tally.hpp"

#include <algorithm>
#include <numeric>

#include <sluice/base/assert.hpp>

namespace sluice::load {
namespace {

template <class Container>
void add_each(Container& to, const Container& from) {
  std::ranges::transform(from, to, to.begin(), std::plus<>());
}

}  // namespace

std::string_view to_string(Loss loss) {
  switch (loss) {
    case Loss::cut:
      return "cut";
    case Loss::timed_out:
      return "timed_out";
    case Loss::malformed:
      break;
  }
  return "malformed";
}

void Tally::answered(MonoTime due, MonoTime now, std::uint32_t events, const Answer& answer) {
  if (due < measured_from_) {
    return;
  }
  latency_.record(now - due);
  events_ += events;
  ++by_status_[answer.status];
  counts_.accepted += answer.counts.accepted;
  counts_.rejected += answer.counts.rejected;
  counts_.duplicates += answer.counts.duplicates;
  last_answer_ = now;
  const auto index = static_cast<std::size_t>((now - measured_from_) / slot);
  if (index >= events_by_slot_.size()) {
    events_by_slot_.resize(index + 1);
  }
  events_by_slot_[index] += events;
}

void Tally::merge(const Tally& other) {
  SLUICE_ASSERT(measured_from_ == other.measured_from_);
  latency_.merge(other.latency_);
  events_ += other.events_;
  add_each(by_status_, other.by_status_);
  counts_.accepted += other.counts_.accepted;
  counts_.rejected += other.counts_.rejected;
  counts_.duplicates += other.counts_.duplicates;
  add_each(losses_, other.losses_);
  connects_failed_ += other.connects_failed_;
  never_sent_ += other.never_sent_;
  last_answer_ = std::max(last_answer_, other.last_answer_);
  events_by_slot_.resize(std::max(events_by_slot_.size(), other.events_by_slot_.size()));
  add_each(events_by_slot_, other.events_by_slot_);
}

bool Tally::complete() const {
  return never_sent_ == 0 && std::accumulate(losses_.begin(), losses_.end(), std::uint64_t{0}) == 0;
}

}  // namespace sluice::load
