#include <new>
#include <utility>

#include "handler.hpp"
#include "reservation.hpp"

namespace sluice::ingest {

std::optional<Handed> Handler::replay(const Replay& replay, ReplayOutcome& outcome,
                                      buffer::Buffer::Acknowledge acknowledge) try {
  const Admitted admitted{
      .options = options_, .route = {.kind = replay.kind}, .workspace = replay.workspace};
  if (const auto room = check_capacity(admitted); !room) {
    outcome.refused = room.error().message;
    return std::nullopt;
  }
  const WorkspaceTarget& workspace = options_->tables->workspaces[replay.workspace];
  normalise_again(replay, workspace.rules);
  reserved_.clear();
  reserved_request_.reset();
  Reservation reservation(workspace, reserved_, reserved_request_);
  reserve_again(*workspace.dedup);
  count_events(admitted);
  outcome.rejections = events_.rejections;
  if (events_.records.empty()) {
    return std::nullopt;
  }
  const Counts counts{.accepted = static_cast<std::uint32_t>(events_.records.size())};
  Group::Owner group = make_group(counts, 0, options_->clock->mono_now(), replay.traceparent);
  Handed handed{
      .workspace = replay.workspace, .events = counts.accepted, .bytes = group->footprint_bytes()};
  auto accepted = events_.indexes;  // copied before anything is admitted, as it may fail
  if (!reservation.try_admit(handed)) {
    probe_.refused_full.add(handed.events);
    outcome.refused = full(workspace, 0).message;
    return std::nullopt;
  }
  outcome.accepted = std::move(accepted);
  reservation.hand_over();
  if (workspace.buffer->append(thread_, std::move(group), workspace.buffer->level(),
                               std::move(acknowledge))) {
    settle_events(handed, true);
    return std::nullopt;
  }
  return handed;
} catch (const std::bad_alloc&) {  // before anything was admitted
  events_.clear();
  outcome = {.refused = "memory is short"};
  return std::nullopt;
}

// Each for itself: one that is broken must not take others with it.
void Handler::normalise_again(const Replay& replay, const normalise::Rules& rules) {
  events_.clear();
  ignored_ = 0;
  idempotency_key_.clear();
  request_key_.reset();
  received_at_ = options_->clock->wall_now();
  std::string body;
  for (std::uint32_t index = 0; index < replay.events.size(); ++index) {
    body = replay.events[index];
    const std::size_t size = body.size();
    body.resize(size + normalise::Normaliser::padding_bytes);
    normaliser_.run_one(std::span(body).first(size), index,
                        {.kind = replay.kind, .received_at = received_at_}, rules, events_);
  }
}

// What was accepted since must not be replaced by what was accepted before; nor may it come between
// this look and the buffer.
void Handler::reserve_again(buffer::DedupWindow& window) {
  using Entry = buffer::DedupWindow::AgainEntry;
  const MonoTime now = options_->clock->mono_now();
  reserved_.reserve(events_.records.size());  // a key that is reserved must be known to be
  std::size_t kept = 0;
  for (std::size_t i = 0; i < events_.records.size(); ++i) {
    const auto& key = events_.dedup_keys[i];
    const Entry entry = key ? window.try_reserve_again(*key, now, reserved_) : Entry::reserved;
    if (entry == Entry::reserved) {
      events_.records[kept] = events_.records[i];
      events_.indexes[kept++] = events_.indexes[i];
      continue;
    }
    events_.reject({.index = events_.indexes[i],
                    .reason = normalise::RejectReason::superseded,
                    .field = {},
                    .message = entry == Entry::superseded
                                   ? "a newer version of this event was accepted meanwhile, which "
                                     "this one would replace: purge it, or send what it should say"
                                   : "this event is being stored for another request: replay it "
                                     "later, if it is still here to be replayed"},
                   true);
  }
  events_.records.resize(kept);
  events_.indexes.resize(kept);
}

}  // namespace sluice::ingest
