// The dispatcher of one workspace: decides what is sent upstream, when, and what becomes of the
// answer.
//
// It does nothing itself. The caller tells it what has happened (push, on_...), then calls run(),
// which says what to do; and again at wake_at(). Time and randomness are handed in, so a test
// replays a year of outages in milliseconds.
//
//   dispatcher.on_answer(lane, attempt, answer, now, wall_now);
//   dispatcher.run(now, actions);        // after any number of inputs
//   for (Action& action : actions) ...   // in order; before the next run()
//   timer.expires_at(dispatcher.wake_at(now));
//
// What it promises:
// - Nothing is lost: an event ends when the upstream has accepted it or the dead-letter store has
// it.
//   There is no limit on attempts. pushed = ended + pending is asserted with every run.
// - Order: a profile's events go to one lane; a lane has one batch at a time (its own, or another
//   lane's that its events ride in), and that one request in flight; a batch's parts are sent in
//   order, and sent again in place until each has ended (see pending_batch.hpp). So the first
//   acceptances of a profile's events come in the order of acceptance.
// - Limits: requests in flight never exceed max_in_flight nor what the upstream has been seen to
// bear
//   (concurrency_limit.hpp); batches keep to the limits. Ready lanes take turns.
//
// Sharing: at ordinary rates no lane fills a batch within its linger, and many lanes would make
// many small requests. So a lane that is cut without filling its batch takes along what the lanes
// after it have collected, of the same kind, as far as there is room. Those ride: they cut nothing
// until the carrier's batch has ended, so that a lane still has one request in flight. Lanes that
// fill batches of their own neither take along nor ride, lest they wait for each other; nor is
// anything shared while only probes are sent. A poison event must not hold up the lanes that it
// only travelled with: when a shared request is refused for its content before anything is known of
// any part of the batch, sharing is dissolved. The riders' events go back to the front of their
// queues, and each goes alone, at once, with its next batch; the carrier sends its own again, as
// nobody knows yet whose fault it was.
//
// What holds sending back, from the outside in:
// - parked: something is wrong that no retry mends. Reasons below. One probe at a time, at growing
//   intervals, each after new credentials have been asked for; a probe that goes through resumes.
// - held: the upstream said 429, or 503 with Retry-After: no lane sends before that time, and a
// little
//   jitter beyond it, lest a fleet of gateways comes back in one instant. Without Retry-After the
//   back-off of throttled answers in a row is the time, unless it is noise (refusal_noise.hpp):
//   then the lane that was refused tries again a round trip or so later, and no other waits.
// - circuit open: it has stopped working; one probe at a time (circuit_breaker.hpp).
// - the pace that an upstream was found to bear that throttles (pace.hpp).
// - the concurrency limit; after parking or an open circuit it begins at one again.
// - the lane's own back-off after a failure. It ends early when the circuit closes or the workspace
//   resumes: the concurrency limit, not chance, then paces the return.
//
// Unauthorised: the answer to a request may be that the token has just expired. So the first 401 or
// 403 stops sending, asks for new credentials, and sends the same piece again at once, alone. If
// that is refused too, the workspace is parked. Answers to requests sent before the refresh are old
// news and only mean that their piece is sent again.
//
// All refused: one bad event looks like a mistake in the configuration when it is alone; twenty in
// a row, over all lanes and with no acceptance in between, look like nothing else. A lone refused
// event becomes a dead letter as soon as its batch is through; so of a stream refused for its
// configuration fewer than refused_in_a_row_max are dead-lettered before it is parked. The events
// that brought the count to its limit, as far as their batches were not through, stay pending:
// everything goes back to its queue. A probe then takes a profile by lot from all that a lane has,
// and sends its first events one by one, fewer than refused_in_a_row_max, until one is accepted:
// which confirms those before it, as it always does. So neither a batch nor a profile that begins
// with poison keeps good events from being found.
//
// Barred: if it is one kind of writes whose endpoint answers 401, 403 or with a wrong address while
// another's works, as when a key lacks one permission, only that kind is parked (barring.hpp). Its
// events are put aside, and with them all later ones of their profiles; the rest goes on. After
// intervals that grow like those of probes they are sent again. If that fails while no other
// endpoint works, the workspace is parked.
//
// Thread: one. Owns the groups pushed until they are handed back as Released; destroying it frees
// the rest, whatever is in flight. Throws nothing but std::bad_alloc.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <sluice/base/clock.hpp>
#include <sluice/base/rng.hpp>
#include <sluice/batch/limits.hpp>
#include <sluice/deliver/backoff.hpp>
#include <sluice/deliver/barring.hpp>
#include <sluice/deliver/circuit_breaker.hpp>
#include <sluice/deliver/classify.hpp>
#include <sluice/deliver/concurrency_limit.hpp>
#include <sluice/deliver/dead_letter.hpp>
#include <sluice/deliver/lane.hpp>
#include <sluice/deliver/outlook.hpp>
#include <sluice/deliver/pace.hpp>
#include <sluice/deliver/parking.hpp>
#include <sluice/deliver/size_limit.hpp>
#include <sluice/deliver/upstream.hpp>
#include <sluice/event/group.hpp>

namespace sluice::deliver {

struct DispatcherOptions {
  unsigned lanes = 16;
  unsigned max_in_flight = 16;
  batch::Limits batch;    // of each kind, where the API does not take less (kind.hpp)
  BackoffPolicy backoff;  // of a lane after a failure, and of a 429 without Retry-After
  BackoffPolicy probe{.initial = std::chrono::seconds{1}, .max = std::chrono::seconds{60}};
  CircuitBreakerOptions circuit;
  std::chrono::nanoseconds size_memory = std::chrono::minutes{10};  // of a 413
  unsigned refused_in_a_row_max = 20;          // single events, before the workspace is parked
  std::vector<unsigned> accept_statuses = {};  // as of judge()
};

// What the caller has to do. Spans of events stay valid as said; the events themselves until
// Released.
namespace action {

// POST these events as one array; answer with on_answer. The span stays valid until then.
struct Send {
  std::size_t lane;
  AttemptId attempt;
  EventKind kind;
  std::span<const EventRef> events;
  std::size_t bytes;  // of the array
};
// The upstream has accepted these events. The span is valid until the next run().
struct Delivered {
  std::size_t lane;
  std::span<const EventRef> events;
};
// Make these durable; answer with on_dead_letters_stored, until when the span is valid.
struct StoreDeadLetters {
  std::size_t lane;
  std::span<const DeadLetter> letters;
};
// Answer with on_credentials_refreshed.
struct RefreshCredentials {};
// All events of the group have ended.
struct Released {
  Group::Owner group;
};
// For the log and an alarm: sending has stopped, with the upstream's words, or goes on again; for
// one kind of events only, or for all.
struct Parked {
  ParkReason reason;
  std::optional<EventKind> kind;  // nullopt: the whole workspace
  unsigned status;                // 0: there was no answer
  std::string content_type;       // of the answer; empty: it has none
  std::string answer;
};
struct Resumed {
  std::optional<EventKind> kind;
};

}  // namespace action
using Action =
    std::variant<action::Send, action::Delivered, action::StoreDeadLetters,
                 action::RefreshCredentials, action::Released, action::Parked, action::Resumed>;

// Since the start, in events or requests.
struct DispatcherCounts {
  std::uint64_t events_pushed = 0;
  std::uint64_t events_delivered = 0;
  std::array<std::uint64_t, dead_letter_reason_count> events_dead_lettered{};
  std::array<std::uint64_t, outcome_count> requests{};
  std::array<std::uint64_t, outcome_count> retries{};  // by the outcome that made it necessary
  std::uint64_t batches = 0;                           // cut, each from one lane or several

  [[nodiscard]] std::uint64_t events_ended() const;
};

struct LaneSnapshot {
  LaneState state;
  std::size_t queued_events;
  std::size_t batch_events;  // of the present batch, riders' included, not ended yet
};

struct DispatcherSnapshot {
  DispatcherCounts counts;
  unsigned in_flight;
  unsigned concurrency_limit;
  CircuitState circuit;
  std::optional<ParkReason> parked;
  std::optional<EventKind> parked_kind;  // if it is not the whole workspace; the first such
  std::optional<MonoTime> held_until;    // may have passed
  std::vector<LaneSnapshot> lanes;
};

class Dispatcher {
 public:
  Dispatcher(const DispatcherOptions& options, Rng rng);
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  // Inputs. Groups come in the order of their tickets.
  void push(Group::Owner group);
  // What the answer means.
  Outcome on_answer(std::size_t lane, AttemptId attempt, const UpstreamAnswer& answer, MonoTime now,
                    WallTime wall_now);
  void on_dead_letters_stored(std::size_t lane, bool stored, MonoTime now);
  void on_credentials_refreshed(bool refreshed, MonoTime now);
  // From now on batches do not linger.
  void begin_drain() { draining_ = true; }

  // Appends what is to be done now.
  void run(MonoTime now, std::vector<Action>& actions);
  // When run() has to be called again although nothing has happened; later than `now`, at which
  // run() was called after the last input. nullopt: not before the next input.
  [[nodiscard]] std::optional<MonoTime> wake_at(MonoTime now);

  [[nodiscard]] std::size_t pending_events() const;
  [[nodiscard]] unsigned in_flight() const { return lanes_.in_flight(); }
  // Why the workspace, or one kind of its events, is parked.
  [[nodiscard]] std::optional<ParkReason> parked() const;
  [[nodiscard]] const DispatcherCounts& counts() const { return counts_; }
  [[nodiscard]] DispatcherSnapshot snapshot() const;
  // What it could send if all lanes had enough, as it stands after run() at that time.
  [[nodiscard]] Capacity capacity(MonoTime now) const;
  // Requests per second that a throttling upstream is sent at most; nullopt: no such limit.
  [[nodiscard]] std::optional<double> pace(MonoTime now) const { return pace_.limit(now); }

 private:
  struct Attempt;

  void apply(const Attempt& attempt);
  void feed_policies(const Attempt& attempt);
  void accept(const Attempt& attempt);
  void hold(const Attempt& attempt);
  [[nodiscard]] BackoffPolicy soon() const;
  void shrink(const Attempt& attempt);
  void bisect(const Attempt& attempt);
  void suspect(const Attempt& attempt, DeadLetterReason reason);
  [[nodiscard]] bool dissolve(Lane& carrier);
  void conclude(Lane& lane);
  void conclude_others(const Lane& answered);
  [[nodiscard]] bool must_withdraw(const Lane& lane) const;
  void release_riders(const Lane& carrier, bool to_go_alone);
  void end(std::span<const EventRef> events, std::size_t lane);
  void end(EventRef event);

  void park(ParkReason reason, const Attempt& attempt);
  void follow_up_probe(const Attempt& attempt);
  void announce_park(const UpstreamAnswer& answer);
  void tell_park(const UpstreamAnswer& answer);
  void resume(MonoTime now);
  [[nodiscard]] bool is_current_probe_good(const Attempt& attempt) const;

  void note_endpoint(const Attempt& attempt);
  void bar(ParkReason reason, const Attempt& attempt);
  void end_bars();
  void try_barred(MonoTime now);
  void sort_out();

  void start_probe(MonoTime now);
  void store_again(MonoTime now);
  void store(Lane& lane);
  void send_ready(MonoTime now);
  void send(Lane& lane, MonoTime now);
  [[nodiscard]] bool may_send(MonoTime now) const;
  [[nodiscard]] bool probing() const;
  void cut(Lane& lane, MonoTime now);
  [[nodiscard]] bool may_share(const Lane& lane, const batch::Limits& limits) const;
  void take_along(Lane& carrier, const batch::Limits& limits);
  [[nodiscard]] std::optional<MonoTime> ready_at(const Lane& lane, MonoTime now);
  [[nodiscard]] SizeLimit& size_limit_of(EventKind kind);
  void clear_back_offs(MonoTime now);

  DispatcherOptions options_;
  Rng rng_;
  Lanes lanes_;
  std::vector<Action> outbox_;
  DispatcherCounts counts_;
  CircuitBreaker breaker_;
  ConcurrencyLimit concurrency_;
  Pace pace_;
  std::vector<SizeLimit> size_limits_;  // per kind
  std::size_t next_lane_ = 0;           // whose turn it is
  AttemptId next_attempt_ = 1;
  Ticket last_ticket_ = 0;
  bool draining_ = false;
  bool stopped_ = false;  // the client has been: it would only fail what it is given

  MonoTime held_until_ = MonoTime::min();
  MonoTime throttled_at_ = MonoTime::min();
  unsigned throttled_in_a_row_ = 0;

  unsigned refused_in_a_row_ = 0;
  Parking parking_;
  Barring barring_;
};

}  // namespace sluice::deliver
