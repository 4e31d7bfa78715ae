#include "release_log.hpp"

#include <iterator>
#include <utility>

namespace sluice::store {
ReleaseLog::ReleaseLog(WorkspaceId workspace, const Position& low, const Ranges& stored)
    : workspace_(workspace), low_(low) {
  Ticket covered = low.ticket;
  for (const auto& [begin, range] : stored) {
    if (begin >= covered && range.end > begin) {
      insert(begin, range);
      covered = range.end;
    }
  }
  raise_low();
  outdated_.clear();
}

void ReleaseLog::add(Ticket begin, Ticket end, const Totals& totals) {
  if (!fresh_.empty() && fresh_.back().end == begin) {
    fresh_.back().end = end;
  } else {
    fresh_.push_back({.begin = begin, .end = end});
  }
  insert(begin, {.end = end, .totals = totals});
  raise_low();
}

void ReleaseLog::insert(Ticket begin, Range range) {
  auto next = ranges_.lower_bound(begin);
  if (next != ranges_.end() && next->first == range.end) {
    range.end = next->second.end;
    range.totals += next->second.totals;
    outdated_.insert(next->first);
    next = ranges_.erase(next);
  }
  if (next != ranges_.begin() && std::prev(next)->second.end == begin) {
    auto& [before_begin, before] = *std::prev(next);
    before.end = range.end;
    before.totals += range.totals;
    outdated_.insert(before_begin);
    return;
  }
  outdated_.insert(begin);
  ranges_.emplace_hint(next, begin, range);
}

void ReleaseLog::raise_low() {
  while (!ranges_.empty() && ranges_.begin()->first == low_.ticket) {
    outdated_.insert(low_.ticket);
    low_.ticket = ranges_.begin()->second.end;
    low_.before += ranges_.begin()->second.totals;
    ranges_.erase(ranges_.begin());
  }
}

void ReleaseLog::write_changes(Batch& batch) {
  for (const Ticket begin : outdated_) {
    if (const auto found = ranges_.find(begin); found != ranges_.end()) {
      put_range(batch, begin, found->second);
      stored_.insert(begin);
    } else if (stored_.erase(begin) > 0) {
      batch.remove(make_key(Tag::released, workspace_, begin));
    }
  }
  outdated_.clear();
  if (low_stored_ != low_.ticket) {
    put_low(batch);
    low_stored_ = low_.ticket;
  }
  remove_groups(batch);
}

void ReleaseLog::write_all(Batch& batch) {
  batch.remove_range(make_key(Tag::released, workspace_),
                     make_key(Tag::released, workspace_, ticket_max));
  stored_.clear();
  for (const auto& [begin, range] : ranges_) {
    put_range(batch, begin, range);
    stored_.insert(begin);
  }
  put_low(batch);
  low_stored_ = low_.ticket;
  outdated_.clear();
  fresh_.insert(fresh_.end(), removed_.begin(), removed_.end());
  remove_groups(batch);
}

bool ReleaseLog::has(Ticket ticket) const {
  const auto after = ranges_.upper_bound(ticket);
  return ticket < low_.ticket ||
         (after != ranges_.begin() && std::prev(after)->second.end > ticket);
}

Backlog ReleaseLog::backlog(const Position& next) const {
  std::uint64_t groups = next.ticket - low_.ticket;
  Totals totals = next.before.minus(low_.before);
  for (const auto& [begin, range] : ranges_) {
    groups -= range.end - begin;
    totals = totals.minus(range.totals);
  }
  return backlog_of(groups, totals);
}

void ReleaseLog::put_low(Batch& batch) const {
  const std::string key = make_key(Tag::low, workspace_);
  batch.put(key, encode_position(key, low_));
}

void ReleaseLog::put_range(Batch& batch, Ticket begin, const Range& range) const {
  const std::string key = make_key(Tag::released, workspace_, begin);
  batch.put(key, encode_position(key, {.ticket = range.end, .before = range.totals}));
}

void ReleaseLog::remove_groups(Batch& batch) {
  for (const Fresh& range : fresh_) {
    for (Ticket ticket = range.begin; ticket < range.end; ++ticket) {
      batch.remove(make_key(Tag::group, workspace_, ticket));
    }
  }
  removed_ = std::exchange(fresh_, {});
}

}  // namespace sluice::store
