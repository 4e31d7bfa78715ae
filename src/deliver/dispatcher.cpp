#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include <sluice/base/assert.hpp>
#include <sluice/base/redactor.hpp>
#include <sluice/batch/lane_queue.hpp>
#include <sluice/deliver/dispatcher.hpp>
#include <sluice/deliver/judge.hpp>
#include <sluice/deliver/pending_batch.hpp>
#include <sluice/deliver/retry_after.hpp>

namespace sluice::deliver {
namespace {

// Of a request, as long as none was accepted; and what is counted at least.
constexpr std::chrono::milliseconds latency_unknown{200};
constexpr std::chrono::milliseconds latency_min{1};

constexpr std::size_t index_of(Outcome outcome) { return static_cast<std::size_t>(outcome); }
constexpr std::size_t index_of(EventKind kind) { return static_cast<std::size_t>(kind); }

std::vector<SizeLimit> size_limits_of(const DispatcherOptions& options) {
  std::vector<SizeLimit> limits;
  for (const KindInfo& kind : kinds()) {
    batch::Limits most = options.batch;
    most.events_max = std::min(most.events_max, kind.batch_events_max);
    most.bytes_max = std::min(most.bytes_max, kind.batch_bytes_max);
    limits.emplace_back(most, options.size_memory);
  }
  return limits;
}

// As they are kept and shown; a byte more than is kept of them, so that it shows where to cut.
std::string words_of(const UpstreamAnswer& answer) {
  return answer.body.empty()
             ? answer.detail
             : known_secrets().redacted(answer.body, dead_letter_answer_bytes_max + 1);
}

// Whether the upstream got as far as the events themselves, and refused them.
bool reads_content(Treatment treatment) {
  return treatment == Treatment::bisect || treatment == Treatment::shrink;
}

// Whether it refused whatever might have been sent there.
bool refuses_access(Treatment treatment) {
  return treatment == Treatment::refresh || treatment == Treatment::park;
}

}  // namespace

// An attempt that has been answered, while the answer is being dealt with.
struct Dispatcher::Attempt {
  Lane& lane;
  AttemptId id;
  const UpstreamAnswer& answer;
  Outcome outcome;
  std::span<const std::size_t> rejected;  // named in the answer
  std::chrono::milliseconds asked_for;    // by Retry-After, of a throttled one
  bool is_noise;                          // throttled at random, and not for the load
  MonoTime now;
  WallTime wall_now;
};

std::uint64_t DispatcherCounts::events_ended() const {
  std::uint64_t ended = events_delivered;
  for (const std::uint64_t count : events_dead_lettered) {
    ended += count;
  }
  return ended;
}

Dispatcher::Dispatcher(const DispatcherOptions& options, Rng rng)
    : options_(options),
      rng_(rng),
      lanes_(options.lanes),
      breaker_(options.circuit),
      concurrency_(options.max_in_flight),
      size_limits_(size_limits_of(options)),
      parking_(options.probe),
      barring_(options.probe) {
  SLUICE_ASSERT(options_.lanes > 0);
  SLUICE_ASSERT(options_.refused_in_a_row_max > 0);
}

Dispatcher::~Dispatcher() {
  const auto abandon = [](EventRef event) {
    if (--event.group->open_events == 0) {
      Group::Free{}(event.group);
    }
  };
  for (const Lane& lane : lanes_) {
    lane.for_each_open(abandon);
  }
}

// ---- Inputs ----

void Dispatcher::push(Group::Owner owner) {
  Group* const group = owner.release();
  const std::span<const EventRecord> records = group->records();
  SLUICE_ASSERT(group->ticket >= last_ticket_);
  SLUICE_ASSERT(group->open_events == records.size());
  last_ticket_ = group->ticket;
  for (std::uint32_t i = 0; i < records.size(); ++i) {
    lanes_.of_profile(records[i].profile_hash).enqueue({.group = group, .index = i}, barring_);
  }
  counts_.events_pushed += records.size();
}

Outcome Dispatcher::on_answer(std::size_t lane_index, AttemptId attempt_id,
                              const UpstreamAnswer& answer, MonoTime now, WallTime wall_now) {
  Lane& lane = lanes_.at(lane_index);
  SLUICE_ASSERT(lane.state() == LaneState::in_flight);
  SLUICE_ASSERT(lane.attempt == attempt_id);

  const Judgement judgement = judge(answer, lane.batch.events().size(), options_.accept_statuses);
  Outcome outcome = judgement.outcome;
  if (answer.status == 503 && outcome == Outcome::transient && pace_.has_accepted_lately(now)) {
    outcome = Outcome::throttled;  // it is not out of order, but has too much to do
  }
  ++counts_.requests[sluice::deliver::index_of(outcome)];
  lane.batch.count_attempt(
      wall_now - std::chrono::floor<std::chrono::milliseconds>(now - lane.sent_at),
      outcome == Outcome::ambiguous);
  lane.not_before = now;

  const std::chrono::milliseconds asked_for =
      outcome == Outcome::throttled && answer.retry_after
          ? parse_retry_after(*answer.retry_after, wall_now).value_or(std::chrono::milliseconds{0})
          : std::chrono::milliseconds{0};
  // An upstream that says how long it needs does not deal out refusals at random.
  const bool is_noise =
      outcome == Outcome::throttled && asked_for.count() == 0 && pace_.is_noise(lane.sent_at, now);
  const Attempt attempt{.lane = lane,
                        .id = attempt_id,
                        .answer = answer,
                        .outcome = outcome,
                        .rejected = judgement.rejected,
                        .asked_for = asked_for,
                        .is_noise = is_noise,
                        .now = now,
                        .wall_now = wall_now};
  feed_policies(attempt);
  lanes_.set_status(lane, LaneState::waiting);
  note_endpoint(attempt);

  const bool was_probe = parking_.is_probe(attempt_id);
  if (was_probe && is_current_probe_good(attempt)) {
    resume(now);
  }
  apply(attempt);
  if (was_probe && parking_.is_probe(attempt_id)) {
    follow_up_probe(attempt);
  }
  conclude(lane);
  return outcome;
}

void Dispatcher::on_dead_letters_stored(std::size_t lane_index, bool stored, MonoTime now) {
  Lane& lane = lanes_.at(lane_index);
  SLUICE_ASSERT(lane.state() == LaneState::storing);
  if (!stored) {
    lanes_.set_status(lane, LaneState::waiting_to_store);
    lane.not_before = now + full_jitter(options_.backoff, lane.store_failures_in_a_row++, rng_);
    return;
  }
  for (const DeadLetter& letter : lane.batch.dead_letters()) {
    ++counts_.events_dead_lettered[static_cast<std::size_t>(letter.reason)];
    end(letter.event);
  }
  lane.batch.dead_letters_stored();
  lane.store_failures_in_a_row = 0;
  conclude(lane);
}

void Dispatcher::on_credentials_refreshed(bool refreshed, MonoTime now) {
  parking_.on_refreshed(refreshed, next_attempt_);
  if (refreshed) {
    return;
  }
  UpstreamAnswer none;
  none.detail = "no new credentials could be had";
  announce_park(none);
  parking_.probe_later(now, rng_);
}

// ---- What an answer does ----

void Dispatcher::apply(const Attempt& attempt) {
  const Treatment treatment = info(attempt.outcome).treatment;
  const bool is_verdict = attempt.lane.batch.events().size() == 1 && reads_content(treatment);
  if (treatment != Treatment::complete && !is_verdict) {
    ++counts_.retries[sluice::deliver::index_of(attempt.outcome)];
  }
  if (treatment != Treatment::back_off && treatment != Treatment::hold) {
    attempt.lane.failures_in_a_row = 0;
  }
  switch (treatment) {
    case Treatment::complete:
      return accept(attempt);
    case Treatment::hold:
      return hold(attempt);
    case Treatment::back_off:
      attempt.lane.not_before =
          attempt.now + full_jitter(options_.backoff, attempt.lane.failures_in_a_row++, rng_);
      return;
    case Treatment::shrink:
      return shrink(attempt);
    case Treatment::bisect:
      return bisect(attempt);
    case Treatment::refresh:
      return park(ParkReason::unauthorised, attempt);
    case Treatment::park:
      return park(ParkReason::misrouted, attempt);
    case Treatment::stop:
      stopped_ = true;
      return;
  }
}

void Dispatcher::feed_policies(const Attempt& attempt) {
  const OutcomeInfo& outcome = info(attempt.outcome);
  const Lane& lane = attempt.lane;
  if (outcome.congested && !attempt.is_noise) {
    concurrency_.on_congested(lane.sent_at, attempt.now);
  } else if (outcome.treatment == Treatment::complete) {
    pace_.on_accepted(lane.sent_at, attempt.now);
    concurrency_.on_accepted(attempt.answer.duration, in_flight(), lane.sent_at, attempt.now);
  }
  if (outcome.upstream_failed) {
    breaker_.on_failed(attempt.id, attempt.now, rng_);
  } else if (breaker_.on_answered(attempt.id)) {
    concurrency_.restart();
    pace_.lift();
    clear_back_offs(attempt.now);
  }
}

void Dispatcher::accept(const Attempt& attempt) {
  refused_in_a_row_ = 0;
  throttled_in_a_row_ = 0;
  const std::size_t lane = lanes_.index_of(attempt.lane);
  PendingBatch& batch = attempt.lane.batch;
  if (attempt.rejected.empty()) {
    return end(batch.accept(), lane);
  }
  std::vector<std::span<const EventRef>> accepted;
  batch.accept_all_but(attempt.rejected,
                       {.reason = DeadLetterReason::rejected,
                        .status = attempt.answer.status,
                        .answer = words_of(attempt.answer)},
                       accepted);
  for (const std::span<const EventRef> run : accepted) {
    end(run, lane);
  }
}

void Dispatcher::hold(const Attempt& attempt) {
  Lane& lane = attempt.lane;
  if (attempt.is_noise) {
    lane.not_before = attempt.now + full_jitter(soon(), lane.failures_in_a_row++, rng_);
    return;
  }
  lane.failures_in_a_row = 0;
  std::chrono::nanoseconds wait = attempt.asked_for;
  // Answers to what was in flight when the hold began say the same thing once more; the longest of
  // many draws would be no jitter.
  if (lane.sent_at >= throttled_at_) {
    throttled_at_ = attempt.now;
    const unsigned growth = wait.count() > 0 ? 0 : throttled_in_a_row_;
    ++throttled_in_a_row_;
    wait += full_jitter(options_.backoff, growth, rng_);
  }
  held_until_ = std::max(held_until_, attempt.now + wait);
  pace_.on_throttled(lane.sent_at, attempt.now, held_until_);
}

// The back-off of a lane that was refused at random: from a round trip up.
BackoffPolicy Dispatcher::soon() const {
  const std::chrono::nanoseconds max = options_.backoff.initial;
  const std::chrono::nanoseconds latency = concurrency_.latency();
  return {.initial = latency.count() == 0 ? max : std::min(max, latency), .max = max};
}

void Dispatcher::shrink(const Attempt& attempt) {
  Lane& lane = attempt.lane;
  const std::size_t events = lane.batch.events().size();
  if (events == 1) {
    lane.sizes.reset();  // it was not the size of the batch
    return suspect(attempt, DeadLetterReason::too_large);
  }
  if (!lane.sizes) {
    lane.sizes = size_limit_of(lane.batch.kind());
  }
  lane.sizes->on_too_large(events, lane.batch.bytes(), attempt.now);
}

void Dispatcher::bisect(const Attempt& attempt) {
  if (attempt.lane.batch.events().size() == 1) {
    return suspect(attempt, DeadLetterReason::rejected);
  }
  if (attempt.lane.batch.is_shared() && dissolve(attempt.lane)) {
    return;
  }
  attempt.lane.batch.bisect();
}

// Whether the refused request had events of riders in it: then the carrier's own may be innocent.
bool Dispatcher::dissolve(Lane& carrier) {
  release_riders(carrier, true);
  return carrier.batch.give_back();
}

void Dispatcher::release_riders(const Lane& carrier, bool to_go_alone) {
  for (Lane& lane : lanes_) {
    if (lane.state() == LaneState::riding && lane.carrier == lanes_.index_of(carrier)) {
      lanes_.set_status(lane, LaneState::collecting);
      lane.goes_alone = to_go_alone;
    }
  }
}

void Dispatcher::suspect(const Attempt& attempt, DeadLetterReason reason) {
  attempt.lane.batch.suspect(
      {.reason = reason, .status = attempt.answer.status, .answer = words_of(attempt.answer)});
  if (!parking_.all_refused() && ++refused_in_a_row_ >= options_.refused_in_a_row_max) {
    park(ParkReason::all_refused, attempt);
  }
}

// The lane has got an answer of some kind, or what may be sent has changed: what does it do next?
void Dispatcher::conclude(Lane& lane) {
  if (must_withdraw(lane)) {
    lane.batch.withdraw(lane.queue);
    lane.sizes.reset();
    if (barring_.bars_any()) {
      sort_out();
    }
  }
  if (lane.batch.has_work()) {
    return lanes_.set_status(lane, LaneState::waiting);
  }
  if (lane.sizes) {
    size_limit_of(lane.batch.kind()).adopt(*lane.sizes);
    lane.sizes.reset();
  }
  if (!lane.batch.done()) {
    store(lane);
  } else {
    lanes_.set_status(lane, LaneState::collecting);
    lane.goes_alone = false;
    release_riders(lane, false);
  }
}

bool Dispatcher::must_withdraw(const Lane& lane) const {
  if (parking_.all_refused()) {
    return parking_.lane() != lanes_.index_of(lane);
  }
  return lane.batch.has_work() && barring_.is_barred(lane.batch.kind());
}

void Dispatcher::store(Lane& lane) {
  lanes_.set_status(lane, LaneState::storing);
  outbox_.emplace_back(action::StoreDeadLetters{.lane = lanes_.index_of(lane),
                                                .letters = lane.batch.dead_letters()});
}

void Dispatcher::end(std::span<const EventRef> events, std::size_t lane) {
  outbox_.emplace_back(action::Delivered{.lane = lane, .events = events});
  counts_.events_delivered += events.size();
  for (const EventRef event : events) {
    end(event);
  }
}

void Dispatcher::end(EventRef event) {
  SLUICE_ASSERT(event.group->open_events > 0);
  if (--event.group->open_events == 0) {
    outbox_.emplace_back(action::Released{.group = Group::Owner(event.group)});
  }
}

// ---- Parking ----

std::optional<ParkReason> Dispatcher::parked() const {
  if (const auto reason = parking_.parked()) {
    return reason;
  }
  const auto barred = barring_.first_barred();
  return barred ? std::optional(barring_.reason(*barred)) : std::nullopt;
}

// A refusal of the content shows that credentials and address are right; it is not enough when
// refusals are what parked the workspace.
bool Dispatcher::is_current_probe_good(const Attempt& attempt) const {
  const Treatment treatment = info(attempt.outcome).treatment;
  return treatment == Treatment::complete || (reads_content(treatment) && !parking_.all_refused());
}

void Dispatcher::park(ParkReason reason, const Attempt& attempt) {
  if (parking_.holds()) {
    // It takes an acceptance to refute that all is refused, and any probe that goes through for the
    // rest.
    if (reason == ParkReason::all_refused) {
      parking_.park(reason, attempt.now, rng_);
      conclude_others(attempt.lane);
    } else if (parking_.is_probe(attempt.id) && !parking_.all_refused()) {
      parking_.correct(reason);
    }
    return;
  }
  if (reason != ParkReason::all_refused) {
    const EventKind kind = attempt.lane.batch.kind();
    if (parking_.is_stale(attempt.id) || barring_.is_barred(kind)) {
      return;
    }
    if (reason == ParkReason::misrouted && barring_.another_works(kind)) {
      return bar(reason, attempt);
    }
  }
  if (reason == ParkReason::unauthorised) {
    return parking_.doubt(lanes_.index_of(attempt.lane), attempt.now);
  }
  parking_.park(reason, attempt.now, rng_);
  tell_park(attempt.answer);
  conclude_others(attempt.lane);
}

void Dispatcher::conclude_others(const Lane& answered) {
  for (Lane& lane : lanes_) {
    if (&lane != &answered && lane.state() == LaneState::waiting) {
      conclude(lane);
    }
  }
}

// A probe has not resumed delivery.
void Dispatcher::follow_up_probe(const Attempt& attempt) {
  const Treatment treatment = info(attempt.outcome).treatment;
  const Lane& lane = attempt.lane;
  if (parking_.all_refused() && reads_content(treatment) && lane.batch.has_work()) {
    return parking_.probe_again(lanes_.index_of(lane));  // with the next event of the profile
  }
  if (!parking_.all_refused() && refuses_access(treatment) &&
      barring_.another_works(lane.batch.kind())) {
    const ParkReason reason = parking_.reason();
    resume(attempt.now);
    return bar(reason, attempt);
  }
  // A probe that could not get through says nothing about what it was to find out.
  if (!info(attempt.outcome).congested) {
    announce_park(attempt.answer);
  }
  parking_.probe_later(attempt.now, rng_);
  if (parking_.all_refused() && lane.batch.must_stay()) {
    parking_.leave_to(lanes_.index_of(lane));
  }
}

// What was in doubt is parked now, if it was not before.
void Dispatcher::announce_park(const UpstreamAnswer& answer) {
  if (parking_.confirm()) {
    return tell_park(answer);
  }
  if (!parking_.all_refused()) {
    end_bars();
  }
}

void Dispatcher::tell_park(const UpstreamAnswer& answer) {
  outbox_.emplace_back(action::Parked{.reason = parking_.reason(),
                                      .kind = std::nullopt,
                                      .status = answer.status,
                                      .content_type = answer.content_type,
                                      .answer = words_of(answer)});
  if (!parking_.all_refused()) {
    end_bars();
  }
}

void Dispatcher::resume(MonoTime now) {
  if (parking_.resume(now)) {
    outbox_.emplace_back(action::Resumed{.kind = std::nullopt});
    concurrency_.restart();
    pace_.lift();
  }
  clear_back_offs(now);
}

void Dispatcher::clear_back_offs(MonoTime now) {
  for (Lane& lane : lanes_) {
    if (lane.state() == LaneState::waiting) {
      lane.not_before = now;
    }
  }
}

// ---- Barring one kind ----

void Dispatcher::note_endpoint(const Attempt& attempt) {
  const Treatment treatment = info(attempt.outcome).treatment;
  const EventKind kind = attempt.lane.batch.kind();
  if (attempt.answer.failure == Failure::credentials ||
      attempt.answer.failure == Failure::wrong_login) {
    barring_.forget_what_works();
  } else if (refuses_access(treatment)) {
    barring_.on_refused(kind);
  } else if ((treatment == Treatment::complete || reads_content(treatment)) &&
             barring_.on_works(kind)) {
    outbox_.emplace_back(action::Resumed{.kind = kind});
    sort_out();
  }
}

void Dispatcher::bar(ParkReason reason, const Attempt& attempt) {
  const EventKind kind = attempt.lane.batch.kind();
  if (barring_.bar(kind, reason, attempt.now, rng_)) {
    outbox_.emplace_back(action::Parked{.reason = reason,
                                        .kind = kind,
                                        .status = attempt.answer.status,
                                        .content_type = attempt.answer.content_type,
                                        .answer = words_of(attempt.answer)});
  }
  sort_out();
  conclude_others(attempt.lane);
}

void Dispatcher::end_bars() {
  if (barring_.end_all()) {
    sort_out();
  }
}

void Dispatcher::try_barred(MonoTime now) {
  if (barring_.try_again(now)) {
    sort_out();
  }
}

// What was barred and what was not is parted anew.
void Dispatcher::sort_out() {
  for (Lane& lane : lanes_) {
    lane.sort_out(barring_);
  }
}

// ---- What is done now ----

void Dispatcher::run(MonoTime now, std::vector<Action>& actions) {
  start_probe(now);
  try_barred(now);
  store_again(now);
  send_ready(now);
  std::ranges::move(outbox_, std::back_inserter(actions));
  outbox_.clear();
  lanes_.assert_sound(pending_events());
}

void Dispatcher::start_probe(MonoTime now) {
  if (parking_.is_due(now) && !stopped_) {
    parking_.refresh();
    outbox_.emplace_back(action::RefreshCredentials{});
  }
}

void Dispatcher::store_again(MonoTime now) {
  for (Lane& lane : lanes_) {
    if (lane.state() == LaneState::waiting_to_store && now >= lane.not_before) {
      store(lane);
    }
  }
}

// While only a probe may be sent, a lane's own back-off does not keep it from being the one.
bool Dispatcher::probing() const {
  return parking_.holds() || breaker_.state() != CircuitState::closed;
}

bool Dispatcher::may_send(MonoTime now) const {
  return !stopped_ && parking_.may_send() && now >= held_until_ && now >= pace_.admits_at() &&
         breaker_.admits(now) &&
         in_flight() < std::min(options_.max_in_flight, concurrency_.limit());
}

// When the lane has something to send, as far as it is concerned; nullopt: it has not.
std::optional<MonoTime> Dispatcher::ready_at(const Lane& lane, MonoTime now) {
  if (parking_.lane() && *parking_.lane() != lanes_.index_of(lane)) {
    return std::nullopt;
  }
  if (lane.state() == LaneState::waiting) {
    return probing() ? MonoTime::min() : lane.not_before;
  }
  if (lane.state() != LaneState::collecting || lane.queue.empty()) {
    return std::nullopt;
  }
  if (draining_ || lane.goes_alone) {
    return MonoTime::min();
  }
  return lane.queue.ready_at(size_limit_of(lane.queue.head().record().kind).at(now));
}

SizeLimit& Dispatcher::size_limit_of(EventKind kind) {
  return size_limits_[sluice::deliver::index_of(kind)];
}

void Dispatcher::send_ready(MonoTime now) {
  const std::size_t first = next_lane_;
  for (std::size_t i = 0; i < lanes_.size() && may_send(now); ++i) {
    const std::size_t index = (first + i) % lanes_.size();
    const std::optional<MonoTime> at = ready_at(lanes_.at(index), now);
    if (at && *at <= now) {
      send(lanes_.at(index), now);
      next_lane_ = (index + 1) % lanes_.size();
    }
  }
}

void Dispatcher::send(Lane& lane, MonoTime now) {
  if (lane.state() == LaneState::collecting) {
    cut(lane, now);
  }
  SizeLimit& sizes = lane.sizes ? *lane.sizes : size_limit_of(lane.batch.kind());
  lane.batch.prepare(parking_.all_refused() ? batch::Limits{.events_max = 1} : sizes.at(now));
  lanes_.set_status(lane, LaneState::in_flight);
  lane.attempt = next_attempt_++;
  lane.sent_at = now;
  breaker_.on_sent(lane.attempt);
  pace_.on_sent(now);
  if (parking_.holds()) {
    parking_.on_sent(lane.attempt);
  }
  outbox_.emplace_back(action::Send{.lane = lanes_.index_of(lane),
                                    .attempt = lane.attempt,
                                    .kind = lane.batch.kind(),
                                    .events = lane.batch.events(),
                                    .bytes = lane.batch.bytes()});
}

void Dispatcher::cut(Lane& lane, MonoTime now) {
  ++counts_.batches;
  if (parking_.all_refused()) {
    // One less than would park: what an acceptance confirms is as little as at any other time.
    const std::size_t events_max = std::max(options_.refused_in_a_row_max, 2U) - 1;
    return lane.batch.cut_probe_from(lane.queue, events_max, rng_);
  }
  const batch::Limits& limits = size_limit_of(lane.queue.head().record().kind).at(now);
  const bool shares = !probing() && may_share(lane, limits);
  lane.batch.cut_from(lane.queue, limits);
  if (shares) {
    take_along(lane, limits);
  }
}

bool Dispatcher::may_share(const Lane& lane, const batch::Limits& limits) const {
  return lane.state() == LaneState::collecting && !lane.goes_alone && !lane.queue.empty() &&
         !lane.queue.fills(limits);
}

void Dispatcher::take_along(Lane& carrier, const batch::Limits& limits) {
  const std::size_t index = lanes_.index_of(carrier);
  const auto has_room = [&] { return carrier.batch.events().size() < limits.events_max; };
  for (std::size_t i = 1; i < lanes_.size() && has_room(); ++i) {
    Lane& lane = lanes_.at((index + i) % lanes_.size());
    if (may_share(lane, limits) && carrier.batch.add_from(lane.queue, limits)) {
      lanes_.set_status(lane, LaneState::riding);
      lane.carrier = index;
    }
  }
}

std::optional<MonoTime> Dispatcher::wake_at(MonoTime now) {
  std::optional<MonoTime> earliest;
  const auto consider = [&earliest](MonoTime at) {
    earliest = earliest ? std::min(*earliest, at) : at;
  };
  for (const Lane& lane : lanes_) {
    if (lane.state() == LaneState::waiting_to_store) {
      consider(lane.not_before);
    }
  }
  if (stopped_) {
    return earliest;
  }
  if (const auto at = parking_.probe_at()) {
    consider(*at);
  }
  if (const auto at = barring_.try_at()) {
    consider(*at);
  }
  const bool an_answer_decides =
      !parking_.may_send() || breaker_.state() == CircuitState::half_open ||
      in_flight() >= std::min(options_.max_in_flight, concurrency_.limit());
  if (!an_answer_decides) {
    const MonoTime gate = std::max({held_until_, pace_.admits_at(), breaker_.admits_at()});
    for (const Lane& lane : lanes_) {
      if (const std::optional<MonoTime> at = ready_at(lane, now)) {
        consider(std::max(*at, gate));
      }
    }
  }
  return earliest;
}

// ---- What is seen from outside ----

Capacity Dispatcher::capacity(MonoTime now) const {
  using Seconds = std::chrono::duration<double>;
  const Seconds latency =
      concurrency_.latency().count() > 0 ? concurrency_.latency() : latency_unknown;
  // After an outage the limit begins at one again, and knows of no cut.
  const double limit = probing() ? 1 : concurrency_.limit();
  const double most = std::min(options_.max_in_flight, static_cast<unsigned>(lanes_.size()));
  const double at_once = std::max(limit, probing() ? most : std::min(most, concurrency_.soon()));
  const double rate = at_once / std::max(latency, Seconds(latency_min)).count();
  // Until then it doubles with each round trip, the last of which is worth all before it.
  const double round_trips = std::max(0.0, std::log2(at_once / limit) - 1);
  MonoTime from = std::max({now, held_until_, pace_.admits_at()});
  if (const auto at = parking_.probe_at()) {
    from = std::max(from, *at);
  }
  if (breaker_.state() == CircuitState::open) {
    from = std::max(from, breaker_.admits_at());
  }
  return {.requests_per_s = std::min(rate, pace_.limit(now).value_or(rate)),
          .from = from + std::chrono::floor<MonoTime::duration>(round_trips * latency)};
}

std::size_t Dispatcher::pending_events() const {
  return counts_.events_pushed - counts_.events_ended();
}

DispatcherSnapshot Dispatcher::snapshot() const {
  DispatcherSnapshot snapshot{.counts = counts_,
                              .in_flight = in_flight(),
                              .concurrency_limit = concurrency_.limit(),
                              .circuit = breaker_.state(),
                              .parked = parked(),
                              .parked_kind = std::nullopt,
                              .held_until = std::nullopt,
                              .lanes = {}};
  if (held_until_ != MonoTime::min()) {
    snapshot.held_until = held_until_;
  }
  if (!parking_.parked()) {
    snapshot.parked_kind = barring_.first_barred();
  }
  for (const Lane& lane : lanes_) {
    snapshot.lanes.push_back({.state = lane.state(),
                              .queued_events = lane.queued_events(),
                              .batch_events = lane.batch.open_events()});
  }
  return snapshot;
}

}  // namespace sluice::deliver
