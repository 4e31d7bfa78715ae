#include "pipeline.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include <sluice/base/assert.hpp>
#include <sluice/base/json_text.hpp>
#include <sluice/base/log.hpp>
#include <sluice/base/redactor.hpp>
#include <sluice/batch/body.hpp>
#include <sluice/deliver/retry_after.hpp>
#include <sluice/event/kind.hpp>

namespace sluice::runtime {
namespace {

namespace action = deliver::action;

// While events come in, the buffer is read this often instead of waking this thread for each of
// them.
constexpr std::chrono::milliseconds read_interval{1};
constexpr std::chrono::seconds rate_interval{1};
// An answer's body is logged up to here: enough to see what is wrong.
constexpr std::size_t logged_answer_bytes_max = 512;

constexpr std::array<std::string_view, 3> circuit_names{"closed", "half_open", "open"};

}  // namespace

Pipeline::Pipeline(PipelineDeps deps, PipelineOptions options)
    : deps_(deps),
      options_(std::move(options)),
      admission_(options_.limits),
      dedup_(options_.dedup),
      dispatcher_(options_.dispatcher, deps.rng),
      bodies_(options_.dispatcher.lanes) {}

Pipeline::~Pipeline() = default;

void Pipeline::connect(buffer::Buffer& buffer, deliver::Upstream& upstream) {
  buffer_ = &buffer;
  upstream_ = &upstream;
  measured_at_ = deps_.clock.mono_now();
  deps_.host.post([this] { pump(); });
}

void Pipeline::restore(std::uint64_t events, std::uint64_t bytes) {
  // An empty buffer takes whatever comes.
  const bool admitted = admission_.try_admit(events, bytes);
  SLUICE_ASSERT(admitted);
  recovered_events_ = events;
}

void Pipeline::forget_lost(std::uint64_t events, std::uint64_t bytes, std::size_t producer) {
  admission_.release_bytes(bytes, producer);
  admission_.release_events(events);
}

void Pipeline::pump() noexcept {
  if (stopped_) {
    return;
  }
  const MonoTime now = deps_.clock.mono_now();
  if (now >= measured_at_ + rate_interval) {
    measure_drain_rate(now);
  }
  read_buffer();
  const bool busy = !incoming_.empty();
  incoming_.clear();
  dispatcher_.run(now, actions_);
  for (deliver::Action& next : actions_) {
    std::visit([this](auto& what) { perform(what); }, next);
  }
  actions_.clear();
  if (drained_ && admission_.events() == 0) {
    std::exchange(drained_, nullptr)();
  }
  publish_outlook(now);
  schedule(now, busy);
}

void Pipeline::read_buffer() {
  if (open_bytes_ >= options_.window_bytes_max) {
    return;
  }
  buffer_->read(incoming_, options_.window_bytes_max - open_bytes_);
  for (Group::Owner& group : incoming_) {
    open_.push_back(
        {.ticket = group->ticket, .accepted_at = group->accepted_at(), .released = false});
    open_bytes_ += group->footprint_bytes();
    dispatcher_.push(std::move(group));
  }
}

void Pipeline::stop() {
  stopped_ = true;
  if (upstream_ != nullptr) {
    upstream_->stop();
  }
}

void Pipeline::schedule(MonoTime now, bool busy) {
  MonoTime next =
      std::min(dispatcher_.wake_at(now).value_or(MonoTime::max()), measured_at_ + rate_interval);
  // With a full window it is a release that lets the next group in.
  const bool has_room = open_bytes_ < options_.window_bytes_max;
  if (has_room && (busy || !buffer_->try_sleep())) {
    next = std::min(next, now + read_interval);
  }
  deps_.host.pump_at(next);
}

void Pipeline::perform(action::Send& send) {
  std::string& body = bodies_[send.lane];
  batch::assemble(send.events, body);
  batch_events_.observe(static_cast<double>(send.events.size()));
  batch_bytes_.observe(static_cast<double>(send.bytes));
  upstream_->post(
      info(send.kind).path, body,
      [this, lane = send.lane, attempt = send.attempt](
          const deliver::UpstreamAnswer& answer) noexcept { on_answer(lane, attempt, answer); });
}

void Pipeline::on_answer(std::size_t lane, deliver::AttemptId attempt,
                         const deliver::UpstreamAnswer& answer) noexcept {
  if (answer.failure == deliver::Failure::none) {
    delivery_duration_.observe(answer.duration);
  }
  compare_clocks(answer);
  if (answer.deprecated) {
    if (deprecated_answers_++ == 0) {
      SLUICE_LOG(warn, "the upstream says that what we call is deprecated", {"workspace", name()},
                 {"X-API-DEPRECATED", *answer.deprecated});
    }
  }
  const auto outcome =
      dispatcher_.on_answer(lane, attempt, answer, deps_.clock.mono_now(), deps_.clock.wall_now());
  if (outcome != deliver::Outcome::delivered && outcome != deliver::Outcome::stopped) {
    SLUICE_LOG(warn, "a delivery failed and will be dealt with", {"workspace", name()},
               {"lane", lane}, {"outcome", deliver::info(outcome).name}, {"status", answer.status},
               {"detail", answer.detail}, {"content_type", answer.content_type},
               {"answer", known_secrets().redacted(answer.body, logged_answer_bytes_max)});
  }
  pump();
}

// Both ends of the comparison are uncertain by half a second and half of the time that the answer
// took: less than this is no difference.
void Pipeline::compare_clocks(const deliver::UpstreamAnswer& answer) {
  constexpr std::int64_t noticed_ms = 5'000;
  const WallTime now = deps_.clock.wall_now();
  const auto date = answer.date ? deliver::parse_http_date(*answer.date, now) : std::nullopt;
  if (!date) {
    return;
  }
  using std::chrono::milliseconds;
  const auto answered_at = now - std::chrono::floor<milliseconds>(answer.duration) / 2;
  const std::int64_t skew_ms = (answered_at - *date - milliseconds(500)).count();
  const std::int64_t before = clock_skew_ms_.exchange(skew_ms, std::memory_order_relaxed);
  clocks_compared_ = true;
  const bool was_noticed = before != clock_skew_unknown && std::abs(before) >= noticed_ms;
  if (std::abs(skew_ms) >= noticed_ms && !was_noticed) {
    SLUICE_LOG(warn, "the clock of this machine and that of the upstream differ: set it right",
               {"workspace", name()}, {"ahead_s", static_cast<double>(skew_ms) / 1000},
               {"Date", *answer.date});
  }
}

void Pipeline::perform(action::Delivered& delivered) {
  const MonoTime now = deps_.clock.mono_now();
  const auto& events = delivered.events;
  admission_.release_events(events.size());
  for (std::size_t i = 0; i < events.size();) {
    std::size_t next = i + 1;
    while (next < events.size() && events[next].group == events[i].group) {
      ++next;
    }
    end_to_end_.observe(now - events[i].group->accepted_at(), next - i);
    i = next;
  }
}

void Pipeline::perform(action::StoreDeadLetters& store) {
  std::vector<deadletter::Letter> letters;
  for (const deliver::DeadLetter& dead : store.letters) {
    letters.push_back(
        {.workspace = name(),
         .kind = std::string(info(dead.event.record().kind).name),
         .reason =
             std::string(deliver::dead_letter_reason_names[static_cast<std::size_t>(dead.reason)]),
         .status = dead.status,
         .answer = dead.answer,
         .attempts = dead.attempts,
         .first_attempt_at = dead.first_attempt_at,
         .last_attempt_at = dead.last_attempt_at,
         .traceparent = std::string(dead.event.group->traceparent()),
         .event = std::string(dead.event.json())});
  }
  deps_.host.post_blocking([this, lane = store.lane, letters = std::move(letters)]() noexcept {
    const auto stored = deps_.dead_letters.append(letters);
    if (!stored) {
      SLUICE_LOG(error, "dead letters cannot be stored; their lane waits", {"workspace", name()},
                 {"error", stored.error().message});
    } else {
      SLUICE_LOG(warn, "events are dead letters now", {"workspace", name()},
                 {"events", letters.size()}, {"reason", letters.front().reason},
                 {"status", letters.front().status}, {"traceparent", letters.front().traceparent});
    }
    deps_.host.post([this, lane, count = letters.size(), ok = stored.has_value()]() noexcept {
      admission_.release_events(ok ? count : 0);
      dispatcher_.on_dead_letters_stored(lane, ok, deps_.clock.mono_now());
      pump();
    });
  });
}

void Pipeline::perform(action::RefreshCredentials&) {
  upstream_->refresh_credentials([this](const Result<void>& refreshed) noexcept {
    if (!refreshed) {
      SLUICE_LOG(error, "the credentials cannot be refreshed", {"workspace", name()},
                 {"error", refreshed.error().message});
    }
    dispatcher_.on_credentials_refreshed(refreshed.has_value(), deps_.clock.mono_now());
    pump();
  });
}

void Pipeline::perform(action::Released& released) {
  Group::Owner group = std::move(released.group);
  const std::size_t bytes = group->footprint_bytes();
  admission_.release_bytes(bytes, group->producer());
  open_bytes_ -= bytes;
  close(group->ticket);
  buffer_->release(std::move(group));
}

// Nearly always they are released in their order. Behind one that cannot end, what was released is
// removed when it is half of them, so that it costs as little for each.
void Pipeline::close(Ticket ticket) {
  std::ranges::lower_bound(open_, ticket, {}, &Open::ticket)->released = true;
  ++open_released_;
  for (; !open_.empty() && open_.front().released; open_.pop_front()) {
    --open_released_;
  }
  if (open_released_ > open_.size() / 2) {
    std::erase_if(open_, [](const Open& group) { return group.released; });
    open_released_ = 0;
  }
}

void Pipeline::perform(action::Parked& parked) {
  SLUICE_LOG(error, "delivery is parked: events are kept, and only probes are sent of them",
             {"workspace", name()}, {"kind", parked.kind ? info(*parked.kind).name : "all"},
             {"reason", deliver::park_reason_names[static_cast<std::size_t>(parked.reason)]},
             {"status", parked.status}, {"content_type", parked.content_type},
             {"answer", std::string_view(parked.answer).substr(0, logged_answer_bytes_max)});
}

void Pipeline::perform(action::Resumed& resumed) {
  SLUICE_LOG(info, "delivery goes on again", {"workspace", name()},
             {"kind", resumed.kind ? info(*resumed.kind).name : "all"});
}

void Pipeline::drain(std::function<void()> drained) {
  drained_ = std::move(drained);
  dispatcher_.begin_drain();
  pump();
}

// At what rate a backlog leaves: what delivery could take says nothing of events that are few
// profiles', nor of what else may hold them up. Without a backlog nothing is measured.
void Pipeline::measure_drain_rate(MonoTime now) {
  const std::chrono::duration<double> since = now - std::exchange(measured_at_, now);
  const std::uint64_t ended = dispatcher_.counts().events_ended();
  const std::uint64_t left = ended - std::exchange(delivered_at_last_measure_, ended);
  const deliver::Capacity capacity = dispatcher_.capacity(now);
  const bool is_busy = capacity.from <= now && static_cast<double>(admission_.events()) >
                                                   capacity.requests_per_s * events_per_request();
  if (!is_busy) {
    drain_rate_ = 0;
  } else if (was_busy_ && left > 0) {
    const double rate = static_cast<double>(left) / since.count();
    drain_rate_ = drain_rate_ == 0 ? rate : (drain_rate_ + rate) / 2;
  }
  was_busy_ = is_busy;
}

// Of a backlog: as many as fit.
double Pipeline::events_per_request() const {
  const batch::Limits& limits = options_.dispatcher.batch;
  const double event_bytes = static_cast<double>(admission_.bytes()) /
                             static_cast<double>(std::max<std::uint64_t>(1, admission_.events()));
  return std::clamp(static_cast<double>(limits.bytes_max) / std::max(1.0, event_bytes), 1.0,
                    static_cast<double>(limits.events_max));
}

void Pipeline::publish_outlook(MonoTime now) {
  const deliver::Capacity capacity = dispatcher_.capacity(now);
  outlook_.publish(drain_rate_ > 0 ? drain_rate_ : capacity.requests_per_s * events_per_request(),
                   capacity.from);
}

std::chrono::nanoseconds Pipeline::oldest_age() const {
  return open_.empty() ? std::chrono::nanoseconds(0)
                       : deps_.clock.mono_now() - open_.front().accepted_at;
}

std::string Pipeline::not_ready() const {
  if (admission_.must_refuse()) {
    return "the buffer of workspace " + name() + " is full";
  }
  return buffer_->trouble();
}

void Pipeline::expose(metrics::Exposition& exposition) const {
  const deliver::DispatcherSnapshot state = dispatcher_.snapshot();
  const deliver::DispatcherCounts& counts = state.counts;
  const metrics::Labels labels{{"workspace", name()}};
  exposition.counter("events_delivered_total", "Events that the upstream has accepted.", labels,
                     counts.events_delivered);
  for (std::size_t i = 0; i < deliver::dead_letter_reason_count; ++i) {
    exposition.counter("events_dead_lettered_total", "Events moved to the dead-letter store.",
                       {{"workspace", name()}, {"reason", deliver::dead_letter_reason_names[i]}},
                       counts.events_dead_lettered[i]);
  }
  exposition.counter("events_recovered_total",
                     "Accepted events that an earlier run had left in the buffer.", labels,
                     recovered_events_);
  exposition.gauge("buffer_events", "Accepted events that have not ended.", labels,
                   static_cast<double>(admission_.events()));
  exposition.gauge("buffer_bytes", "Bytes that they take.", labels,
                   static_cast<double>(admission_.bytes()));
  exposition.gauge("buffer_oldest_event_age_seconds", "Since the oldest of them was accepted.",
                   labels, std::chrono::duration<double>(oldest_age()).count());
  exposition.gauge("buffer_pressure", "How near the buffer is to refusing events, 0 to 1.", labels,
                   admission_.pressure());
  for (const deliver::OutcomeInfo& outcome : deliver::outcomes()) {
    const auto i = static_cast<std::size_t>(outcome.outcome);
    exposition.counter("delivery_requests_total", "Requests sent upstream, by what came of them.",
                       {{"workspace", name()}, {"outcome", outcome.name}}, counts.requests[i]);
    exposition.counter("delivery_retries_total", "Requests that had to be sent again, by why.",
                       {{"workspace", name()}, {"reason", outcome.name}}, counts.retries[i]);
  }
  exposition.histogram("delivery_duration_seconds",
                       "From a request's first byte to its answer's last.", labels,
                       delivery_duration_.snapshot());
  exposition.gauge("delivery_in_flight", "Requests under way.", labels, state.in_flight);
  exposition.gauge("delivery_concurrency_limit", "Requests that may be under way at once, for now.",
                   labels, state.concurrency_limit);
  exposition.histogram("batch_events", "Events per request.", labels, batch_events_.snapshot());
  exposition.histogram("batch_bytes", "Bytes per request.", labels, batch_bytes_.snapshot());
  exposition.histogram("end_to_end_seconds",
                       "From an event's 202 to the upstream's acknowledgement.", labels,
                       end_to_end_.snapshot());
  exposition.gauge("circuit_state", "The circuit breaker: 0 closed, 1 half open, 2 open.", labels,
                   static_cast<double>(state.circuit));
  exposition.gauge("workspace_parked",
                   "1 while all events, or those of one kind, are kept and only probes are sent of "
                   "them: /status says why.",
                   labels, state.parked ? 1 : 0);
  if (clocks_compared_) {
    exposition.gauge("clock_skew_seconds",
                     "How far the clock of this machine is ahead of the upstream's, by the Date of "
                     "its last answer.",
                     labels,
                     static_cast<double>(clock_skew_ms_.load(std::memory_order_relaxed)) / 1000);
  }
  exposition.counter("upstream_deprecated_total", "Answers that carried X-API-DEPRECATED.", labels,
                     deprecated_answers_);
}

void Pipeline::append_status(std::string& out) const {
  const deliver::DispatcherSnapshot state = dispatcher_.snapshot();
  std::uint64_t dead_lettered = 0;
  for (const std::uint64_t count : state.counts.events_dead_lettered) {
    dead_lettered += count;
  }
  out += "{\"name\":";
  append_json_string(out, name());
  fmt::format_to(std::back_inserter(out),
                 R"(,"delivered":{},"dead_lettered":{},"buffered":{},"buffered_bytes":{},)"
                 R"("oldest_event_age_s":{:.3f},"pressure":{:.3f},"batches":{},"in_flight":{},)"
                 R"("concurrency_limit":{},"circuit":"{}","parked":)",
                 state.counts.events_delivered, dead_lettered, admission_.events(),
                 admission_.bytes(), std::chrono::duration<double>(oldest_age()).count(),
                 admission_.pressure(), state.counts.batches, state.in_flight,
                 state.concurrency_limit, circuit_names[static_cast<std::size_t>(state.circuit)]);
  out += state.parked
             ? fmt::format("\"{}\"",
                           deliver::park_reason_names[static_cast<std::size_t>(*state.parked)])
             : "null";
  out += ",\"parked_kind\":";
  out += state.parked_kind ? fmt::format("\"{}\"", info(*state.parked_kind).name) : "null";
  const auto pace = dispatcher_.pace(deps_.clock.mono_now());
  fmt::format_to(
      std::back_inserter(out),
      R"(,"pace_per_s":{},"clock_skew_s":{},"buffer_max_events":{},)"
      R"("buffer_max_bytes":{})",
      pace ? fmt::format("{:.1f}", *pace) : "null",
      clocks_compared_ ? fmt::format("{:.1f}", static_cast<double>(clock_skew_ms_) / 1000) : "null",
      admission_.events_max(), admission_.bytes_max());
  out += ",\"trouble\":";
  append_json_string(out, buffer_->trouble());
  metrics::append_json(out, "delivery_seconds", delivery_duration_.snapshot());
  metrics::append_json(out, "end_to_end_seconds", end_to_end_.snapshot());
  out += ",\"lanes\":[";
  for (const deliver::LaneSnapshot& lane : state.lanes) {
    fmt::format_to(std::back_inserter(out), R"({}{{"state":"{}","queued":{},"batch":{}}})",
                   out.back() == '[' ? "" : ",",
                   deliver::lane_state_names[static_cast<std::size_t>(lane.state)],
                   lane.queued_events, lane.batch_events);
  }
  out += "]}";
}

}  // namespace sluice::runtime
