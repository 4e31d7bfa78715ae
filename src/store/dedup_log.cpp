#include "dedup_log.hpp"

#include <algorithm>
#include <chrono>

#include <sluice/base/calendar.hpp>

namespace sluice::store {
namespace {

// The window is removed in about so many bucket_count.
constexpr int bucket_count = 32;

}  // namespace

std::uint64_t DedupLog::entries_of(const Group& group) const {
  if (options_.window.count() == 0 || options_.entries_max == 0) {
    return 0;
  }
  return group.dedup_keys().size() + (group.answer() ? 1 : 0);
}

void DedupLog::put(Batch& batch, const Group& group) {
  const std::string key =
      group.records().empty()
          ? make_answer_key(workspace_, group.ticket, group.answer()->request.identity)
          : make_key(Tag::dedup, workspace_, group.ticket);
  encode_keys(key, group, value_);
  batch.put(key, value_);
}

void DedupLog::note(Ticket ticket, WallTime accepted, std::uint64_t key_count) {
  bucket_for(ticket, accepted, key_count).end = ticket + 1;
}

void DedupLog::note_answer(Ticket ticket, std::uint64_t identity, WallTime accepted) {
  bucket_for(ticket + 1, accepted, 1).answers.push_back({.ticket = ticket, .identity = identity});
}

void DedupLog::take_back(const Group& answer) {
  taken_back_.push_back({.ticket = answer.ticket, .identity = answer.answer()->request.identity});
}

DedupLog::Bucket& DedupLog::bucket_for(Ticket begin, WallTime accepted, std::uint64_t key_count) {
  if (buckets_.empty() ||
      age_at(accepted, buckets_.back().oldest) > options_.window / bucket_count ||
      buckets_.back().keys >= options_.entries_max / bucket_count + 1) {
    buckets_.push_back(
        {.begin = begin, .end = begin, .oldest = accepted, .newest = accepted, .keys = 0});
  }
  Bucket& bucket = buckets_.back();
  bucket.newest = std::max(bucket.newest, accepted);
  bucket.keys += key_count;
  keys_ += key_count;
  return bucket;
}

void DedupLog::trim(Batch& batch, WallTime now) {
  while (!buckets_.empty() && (age_at(now, buckets_.front().newest) >= options_.window ||
                               keys_ - buckets_.front().keys >= options_.entries_max)) {
    for (Ticket ticket = buckets_.front().begin; ticket < buckets_.front().end; ++ticket) {
      batch.remove(make_key(Tag::dedup, workspace_, ticket));
    }
    for (const Answer& answer : buckets_.front().answers) {
      batch.remove(make_answer_key(workspace_, answer.ticket, answer.identity));
    }
    keys_ -= buckets_.front().keys;
    buckets_.pop_front();
  }
}

void DedupLog::cut(Batch& batch, Ticket from) const {
  batch.remove_range(make_key(Tag::dedup, workspace_, from),
                     make_key(Tag::dedup, workspace_, ticket_max));
  for (const Answer& answer : taken_back_) {
    batch.remove(make_answer_key(workspace_, answer.ticket, answer.identity));
  }
}

}  // namespace sluice::store
