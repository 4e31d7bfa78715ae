#include <sluice/accept/acceptor.hpp>
#include <sluice/event/traceparent.hpp>

namespace sluice::accept {

Offer::Offer(Offer&& other) noexcept
    : intake_(other.intake_),
      reserved_(std::exchange(other.reserved_, nullptr)),
      reserved_request_(other.reserved_request_),
      answer_(other.answer_),
      group_(std::move(other.group_)),
      claim_(std::move(other.claim_)),
      outcome_(other.outcome_) {}

Offer::~Offer() {
  if (reserved_ != nullptr) {
    intake_.dedup->give_up(*reserved_, reserved_request_);
  }
}

bool Offer::hand_over(std::size_t producer, buffer::AckLevel level,
                      buffer::Buffer::Acknowledge acknowledge) noexcept {
  reserved_ = nullptr;
  if (group_ != nullptr) {
    if (claim_) {
      claim_->pass_on();
    }
    return intake_.buffer->append(producer, std::move(group_), level, std::move(acknowledge));
  }
  // All of it came before; what it repeats may not have got as far as that.
  return intake_.buffer->await_earlier(producer, level, std::move(acknowledge));
}

Result<Offer, Refused> Acceptor::offer(const Intake& intake, const Request& request,
                                       normalise::Normalised& events, MonoTime now) {
  reserved_.clear();
  Offer offer(intake, reserved_);
  const auto known = look_up(request, offer, now);
  if (!known) {
    return std::unexpected(known.error());
  }
  const std::optional<RememberedAnswer>& first = *known;
  const auto given = static_cast<std::uint32_t>(events.records.size());
  Outcome& outcome = offer.outcome_;
  // The same request: what it was answered holds for all of it, even if the window has no room for
  // its events any more; unless the rules take more of them than they did.
  if (first && given <= first->accepted + first->duplicates) {
    events.records.clear();
    outcome.replayed = true;
  } else if (const auto reserved = reserve(events, offer, now); !reserved) {
    return std::unexpected(reserved.error());
  }
  outcome.events = static_cast<std::uint32_t>(events.records.size());
  outcome.absorbed = given - outcome.events;
  outcome.replayed = outcome.replayed || (first && outcome.events == 0);
  outcome.accepted = outcome.replayed ? first->accepted : outcome.events;
  outcome.duplicates = outcome.replayed ? first->duplicates : outcome.absorbed;
  if (request.key) {
    offer.answer_ = RememberedAnswer{
        .request = *request.key, .accepted = outcome.accepted, .duplicates = outcome.duplicates};
  }
  if (const auto room = claim_room(request, events, offer, now); !room) {
    return std::unexpected(room.error());
  }
  return offer;
}

Result<Offer, Refused> Acceptor::offer_again(const Intake& intake, const Request& request,
                                             normalise::Normalised& events, MonoTime now,
                                             std::vector<Withheld>& withheld) {
  using Entry = buffer::DedupWindow::AgainEntry;
  reserved_.clear();
  Offer offer(intake, reserved_);
  reserved_.reserve(events.records.size());  // a key that is reserved must be known to be
  std::size_t kept = 0;
  for (std::size_t i = 0; i < events.records.size(); ++i) {
    const auto& key = events.dedup_keys[i];
    const Entry entry =
        key ? intake.dedup->try_reserve_again(*key, now, reserved_) : Entry::reserved;
    if (entry == Entry::reserved) {
      events.records[kept] = events.records[i];
      events.indexes[kept++] = events.indexes[i];
    } else {
      withheld.push_back({.index = events.indexes[i], .is_superseded = entry == Entry::superseded});
    }
  }
  events.records.resize(kept);
  events.indexes.resize(kept);
  offer.outcome_.events = offer.outcome_.accepted = static_cast<std::uint32_t>(kept);
  if (const auto room = claim_room(request, events, offer, now); !room) {
    return std::unexpected(room.error());
  }
  return offer;
}

// The answer to the same request, if it has been answered; nothing: it has no key, or is the first
// with it, which is reserved now.
Result<std::optional<RememberedAnswer>, Refused> Acceptor::look_up(const Request& request,
                                                                   Offer& offer, MonoTime now) {
  using Entry = buffer::DedupWindow::RequestEntry;
  if (!request.key) {
    return std::nullopt;
  }
  const auto known = offer.intake_.dedup->try_reserve_request(
      {.key = *request.key, .received_at = request.received_at, .id = request.id}, now);
  switch (known.entry) {
    case Entry::reserved:
      offer.reserved_request_ = request.key;
      return std::nullopt;
    case Entry::repeated:
      return known.first->answer;
    case Entry::reused:
      return std::unexpected(Refused{.reason = Refused::Reason::key_reused, .first = known.first});
    case Entry::pending:
      break;
  }
  return std::unexpected(Refused{.reason = Refused::Reason::request_pending});
}

// Removes the events that were accepted before, and reserves the keys of the others.
Result<void, Refused> Acceptor::reserve(normalise::Normalised& events, Offer& offer, MonoTime now) {
  using Entry = buffer::DedupWindow::Entry;
  reserved_.reserve(events.records.size());  // a key that is reserved must be known to be
  std::size_t kept = 0;
  for (std::size_t i = 0; i < events.records.size(); ++i) {
    if (const auto& key = events.dedup_keys[i]) {
      const Entry entry = offer.intake_.dedup->try_reserve(*key, now, reserved_);
      if (entry == Entry::pending) {
        return std::unexpected(Refused{.reason = Refused::Reason::event_pending});
      }
      if (entry == Entry::duplicate) {
        continue;
      }
      offer.outcome_.changed += entry == Entry::changed ? 1 : 0;
    }
    events.records[kept] = events.records[i];
    events.indexes[kept++] = events.indexes[i];
  }
  events.records.resize(kept);
  events.indexes.resize(kept);
  return {};
}

Result<void, Refused> Acceptor::claim_room(const Request& request,
                                           const normalise::Normalised& events, Offer& offer,
                                           MonoTime now) const {
  const bool is_empty = events.records.empty();
  // All of it came before; what a request with a key is answered must last as any other answer.
  if (is_empty && (!offer.answer_ || offer.outcome_.replayed)) {
    return {};
  }
  std::optional<Traceparent> trace;
  if (!request.traceparent.empty()) {
    trace = parse_traceparent(request.traceparent);
  }
  offer.group_ = Group::make(
      {.records = events.records,
       .bytes = events.bytes(),
       .dedup_keys = reserved_,
       .answer = offer.answer_,
       .accepted_at = now,
       .accepted_wall = request.received_at,
       .producer = request.producer,
       .traceparent = trace ? std::string_view(trace->data(), trace->size()) : std::string_view()});
  if (is_empty) {
    return {};
  }
  if (auto claim = Claim::try_make(*offer.intake_.admission, *offer.group_)) {
    offer.claim_.emplace(*std::move(claim));
    return {};
  }
  return std::unexpected(Refused{.reason = Refused::Reason::full,
                                 .events = offer.outcome_.events + offer.outcome_.absorbed});
}

}  // namespace sluice::accept
