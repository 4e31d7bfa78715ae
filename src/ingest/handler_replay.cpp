#include <new>
#include <utility>
#include <vector>

#include "handler.hpp"

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
  std::vector<accept::Withheld> withheld;
  auto offer = acceptor_.offer_again(
      intake_of(workspace), {.received_at = received_at_, .traceparent = replay.traceparent},
      events_, options_->clock->mono_now(), withheld);
  for (const accept::Withheld& event : withheld) {
    reject_withheld(event);
  }
  count_events(admitted);
  outcome.rejections = events_.rejections;
  if (!offer) {
    outcome.refused = not_taken(offer.error(), admitted).message;
    return std::nullopt;
  }
  Handed handed{.workspace = replay.workspace, .events = offer->outcome().events};
  if (handed.events == 0) {
    return std::nullopt;
  }
  outcome.accepted = events_.indexes;
  if (offer->hand_over(thread_, workspace.buffer->level(), std::move(acknowledge))) {
    settle_events(handed, true);
    return std::nullopt;
  }
  return handed;
} catch (const std::bad_alloc&) {  // before anything was handed over
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

void Handler::reject_withheld(const accept::Withheld& event) {
  events_.reject({.index = event.index,
                  .reason = normalise::RejectReason::superseded,
                  .field = {},
                  .message = event.is_superseded
                                 ? "a newer version of this event was accepted meanwhile, which "
                                   "this one would replace: purge it, or send what it should say"
                                 : "this event is being stored for another request: replay it "
                                   "later, if it is still here to be replayed"},
                 true);
}

}  // namespace sluice::ingest
