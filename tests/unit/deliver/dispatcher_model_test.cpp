// Whatever the upstream does, and in whatever order, the dispatcher keeps its promises: nothing is
// lost, no profile is reordered, the limits hold, only poison is dead-lettered, and once the faults
// have ended and good events come in, everything ends soon. A failure prints its seed, and the seed
// replays it.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include <sluice/base/rng.hpp>
#include <sluice/batch/body.hpp>
#include <sluice/deliver/dispatcher.hpp>

#include "event_groups.hpp"
#include "made_up_kind.hpp"

namespace sluice::deliver {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr MonoTime start{1h};
constexpr auto faults_last = 60s;
// Some of the longest intervals between probes.
constexpr auto drained_within = 20min;
constexpr auto good_event_interval = 10s;

enum class Fault { none, transient, ambiguous_lost, ambiguous_applied, throttled, misrouted };

// An upstream in simulated time that breaks in every way known, and its world: arrivals, the
// dead-letter store and the log-in.
class World {
 public:
  explicit World(std::uint64_t seed)
      : rng_(seed), options_(make_options()), dispatcher_(options_, Rng(seed ^ 0xD15)) {
    fault_permille_ = rng_.below(2) == 0 ? 0 : rng_.below(500);
    poison_permille_ = rng_.below(3) == 0 ? rng_.below(200) : 0;
    partial_ = rng_.below(2) == 0;
    events_cap_ = rng_.below(3) == 0 ? 1 + rng_.below(options_.batch.events_max) : 1'000'000;
    bytes_cap_ = rng_.below(3) == 0 ? 100 + rng_.below(1'000) : 1'000'000;
    outage_ = phase(4);
    revocation_ = phase(4);
    refuse_all_ = phase(6);
    kind_count_ = 2 + rng_.below(kinds().size() - 1);
    forbidden_.push_back(phase(EventKind::transaction, 4));
    if (kind_count_ > 2) {
      forbidden_.push_back(phase(test::made_up_kind, 3));
      forbidden_.push_back(phase(EventKind::event, 8));
    }
    capped_kind_ = static_cast<EventKind>(rng_.below(kind_count_));
    caps_all_kinds_ = rng_.below(2) == 0;
    // A trickle: no lane fills a batch, and they share.
    trickles_ = rng_.below(2) == 0;
    for (std::uint64_t i = 1 + rng_.below(trickles_ ? 300 : 40); i > 0; --i) {
      at(start + nanoseconds(rng_.below(50'000'000'000)), [this] { arrive(); });
    }
    at(start + faults_last, [this] { arrive_good(); });
  }

  void run() {
    std::vector<Action> actions;
    while (true) {
      actions.clear();
      dispatcher_.run(now_, actions);
      for (Action& action : actions) {
        std::visit([this](auto& a) { perform(a); }, action);
      }
      const MonoTime wake = dispatcher_.wake_at(now_).value_or(MonoTime::max());
      ASSERT_GT(wake, now_) << "spins";
      ASSERT_LE(dispatcher_.in_flight(), options_.max_in_flight);
      const MonoTime input = happenings_.empty() ? MonoTime::max() : happenings_.begin()->first;
      now_ = std::min(input, wake);
      if (now_ == MonoTime::max()) {
        break;
      }
      ASSERT_LT(now_, start + drained_within) << "does not drain";
      if (input == now_) {
        const std::function<void()> happen = std::move(happenings_.begin()->second);
        happenings_.erase(happenings_.begin());
        happen();
      }
      if (testing::Test::HasFatalFailure()) {
        return;
      }
    }
    check_end();
  }

  [[nodiscard]] std::uint64_t trace() const { return trace_; }
  [[nodiscard]] std::size_t shared_requests() const { return shared_requests_; }
  [[nodiscard]] std::size_t barred() const { return barred_; }
  // How often a kind was barred while another one was.
  [[nodiscard]] std::size_t barred_beside() const { return barred_beside_; }
  [[nodiscard]] std::size_t shared_requests_refused() const { return shared_requests_refused_; }

 private:
  struct Event {
    std::uint64_t profile;
    std::size_t size;
    bool poison;
    unsigned acceptances = 0;
    unsigned dead_letters = 0;
    std::size_t refused_after = 0;  // so many acceptances, the last time
    bool ended = false;
  };
  struct Phase {
    MonoTime from;
    MonoTime to;
    [[nodiscard]] bool holds(MonoTime t) const { return from <= t && t < to; }
  };
  struct KindPhase {
    EventKind kind;
    Phase phase;
  };

  DispatcherOptions make_options() {
    DispatcherOptions options;
    options.lanes = static_cast<unsigned>(1 + rng_.below(6));
    options.max_in_flight = static_cast<unsigned>(1 + rng_.below(6));
    options.batch = {.events_max = 1 + rng_.below(30),
                     .bytes_max = 100 + rng_.below(2'000),
                     .linger = std::chrono::milliseconds(rng_.below(200))};
    options.size_memory = 5s;
    return options;
  }
  Phase phase(std::uint64_t one_in) {
    const MonoTime from = start + nanoseconds(rng_.below(40'000'000'000));
    const bool happens = rng_.below(one_in) == 0;
    return {from, happens ? from + nanoseconds(rng_.below(15'000'000'000)) : from};
  }
  KindPhase phase(EventKind kind, std::uint64_t one_in) { return {kind, phase(one_in)}; }
  bool permille(std::uint64_t chance) { return rng_.below(1'000) < chance; }
  void at(MonoTime time, std::function<void()> happening) {
    happenings_.emplace(time, std::move(happening));
  }
  void note(std::uint64_t what) { trace_ = (trace_ ^ what) * 0x100000001b3ULL; }

  // The stream goes on, with profiles that were not there before, until nothing else is left.
  void arrive_good() {
    if (dispatcher_.pending_events() > 0) {
      push({{.number = events_.size(), .profile = rng_()}});
      events_.push_back({.profile = 1'000 + events_.size(), .size = 6, .poison = false});
      at(now_ + good_event_interval, [this] { arrive_good(); });
    }
  }
  void push(const std::vector<test::EventSpec>& specs) {
    Group::Owner group = test::make_group(specs, now_);
    group->ticket = ++groups_;
    dispatcher_.push(std::move(group));
  }
  void arrive() {
    std::vector<test::EventSpec> specs;
    for (std::uint64_t n = 1 + rng_.below(trickles_ ? 3 : 25); n > 0; --n) {
      const bool oversized = bytes_cap_ < 1'000'000 && poison_permille_ > 0 && permille(20);
      Event event{.profile = rng_.below(12),
                  .size = oversized ? bytes_cap_ : 6 + rng_.below(60),
                  .poison = oversized || permille(poison_permille_)};
      // Spread over the hash, so that lanes and the bitmap of profiles see different bits.
      const std::uint64_t profile_hash = (event.profile + 1) * 0x9e3779b97f4a7c15ULL;
      specs.push_back(
          {.number = events_.size(),
           .profile = profile_hash,
           .kind = static_cast<EventKind>(rng_.below(6) == 0 ? 1 + rng_.below(kind_count_ - 1) : 0),
           .size = event.size});
      events_.push_back(event);
    }
    push(specs);
  }

  void perform(const action::Send& send) {
    note(send.attempt);
    std::set<std::size_t> lanes = {send.lane};
    for (const EventRef event : send.events) {
      lanes.insert(event.record().profile_hash % options_.lanes);
    }
    for (const std::size_t lane : lanes) {
      ASSERT_TRUE(lanes_in_flight_.insert(lane).second) << "two in flight in one lane";
    }
    ASSERT_EQ(send.bytes, batch::array_bytes(send.events));
    ASSERT_LE(send.events.size(),
              std::min(options_.batch.events_max, info(send.kind).batch_events_max));
    ASSERT_TRUE(send.events.size() == 1 ||
                send.bytes <= std::min(options_.batch.bytes_max, info(send.kind).batch_bytes_max));
    for (const EventRef event : send.events) {
      note(test::number_of(event));
      ASSERT_EQ(event.record().kind, send.kind);
      ASSERT_FALSE(events_.at(test::number_of(event)).ended);
    }
    UpstreamAnswer answer = upstream(send);
    shared_requests_ += lanes.size() > 1 ? 1 : 0;
    shared_requests_refused_ += lanes.size() > 1 && answer.status == 400 ? 1 : 0;
    nanoseconds latency = 1ms + nanoseconds(rng_.below(80'000'000));
    if (answer.failure == Failure::answer_timeout) {
      latency = 10s;
    }
    answer.duration = latency;
    at(now_ + latency, [this, lane = send.lane, attempt = send.attempt, lanes = std::move(lanes),
                        sent = send.events, answered = std::move(answer)] {
      for (const EventRef event : sent) {
        events_.at(test::number_of(event)).refused_after = acceptances_;
      }
      for (const std::size_t answered_lane : lanes) {
        lanes_in_flight_.erase(answered_lane);
      }
      const WallTime wall(std::chrono::floor<std::chrono::milliseconds>(now_.time_since_epoch()));
      dispatcher_.on_answer(lane, attempt, answered, now_, wall);
    });
  }
  void perform(const action::Delivered& delivered) {
    ++acceptances_;
    innocents_dead_lettered_in_a_row_ = 0;
    for (const EventRef event : delivered.events) {
      Event& ended = events_.at(test::number_of(event));
      ASSERT_GE(ended.acceptances, 1U);
      ASSERT_FALSE(std::exchange(ended.ended, true));
    }
  }
  void perform(const action::StoreDeadLetters& store) {
    const bool stored = !permille(faulty() ? 300 : 0);
    for (const DeadLetter& letter : store.letters) {
      note(letter.attempts);
      Event& event = events_.at(test::number_of(letter.event));
      ASSERT_GE(letter.attempts, 1U);
      ASSERT_LE(letter.first_attempt_at, letter.last_attempt_at);
      if (stored) {
        ++event.dead_letters;
        if (!event.poison) {
          ASSERT_LT(refuse_all_.from, refuse_all_.to) << "innocent";
          // Storing may have failed for a while, and what was refused before an acceptance be
          // stored after it.
          innocents_dead_lettered_in_a_row_ += event.refused_after == acceptances_ ? 1 : 0;
          ASSERT_LT(innocents_dead_lettered_in_a_row_, options_.refused_in_a_row_max);
        }
        ASSERT_FALSE(std::exchange(event.ended, true));
      }
    }
    at(now_ + nanoseconds(rng_.below(5'000'000)), [this, lane = store.lane, stored] {
      dispatcher_.on_dead_letters_stored(lane, stored, now_);
    });
  }
  void perform(const action::RefreshCredentials& /*refresh*/) {
    const bool refreshed = !permille(faulty() ? 300 : 0);
    at(now_ + nanoseconds(rng_.below(50'000'000)),
       [this, refreshed] { dispatcher_.on_credentials_refreshed(refreshed, now_); });
  }
  void perform(const action::Released& released) {
    ASSERT_EQ(released.group->open_events, 0U);
    ++released_;
  }
  void perform(const action::Parked& parked) {
    note(static_cast<std::uint64_t>(parked.reason));
    if (!parked.kind) {
      if (parked.reason != ParkReason::all_refused) {  // which says nothing of the endpoints
        kinds_barred_.clear();
      }
      return;
    }
    ++barred_;
    barred_beside_ += kinds_barred_.empty() ? 0 : 1;
    ASSERT_TRUE(kinds_barred_.insert(*parked.kind).second) << "told twice";
    ASSERT_LT(kinds_barred_.size(), kind_count_) << "then the workspace is parked";
  }
  void perform(const action::Resumed& resumed) {
    note(7);
    if (resumed.kind) {
      ASSERT_EQ(kinds_barred_.erase(*resumed.kind), 1U);
    }
  }

  [[nodiscard]] bool faulty() const { return fault_permille_ > 0 && now_ < start + faults_last; }

  UpstreamAnswer upstream(const action::Send& send) {
    UpstreamAnswer answer;
    Fault fault = Fault::none;
    if (faulty() && permille(fault_permille_)) {
      fault = static_cast<Fault>(1 + rng_.below(rng_.below(4) == 0 ? 5 : 4));
    }
    if (outage_.holds(now_) || fault == Fault::transient) {
      answer.failure = Failure::connect;
    } else if (revocation_.holds(now_)) {
      answer.status = 401;
    } else if (is_forbidden(send.kind)) {
      answer.status = 403;
    } else if (fault == Fault::misrouted) {
      answer.status = 404;
    } else if (fault == Fault::throttled) {
      answer.status = 429;
      answer.retry_after = rng_.below(2) == 0 ? std::optional<std::string>("2") : std::nullopt;
    } else if (fault == Fault::ambiguous_lost) {
      answer.failure = Failure::no_answer;
    } else {
      answer = judge(send);
      if (fault == Fault::ambiguous_applied) {
        answer = {};
        answer.failure = rng_.below(2) == 0 ? Failure::no_answer : Failure::answer_timeout;
      }
    }
    return answer;
  }

  [[nodiscard]] bool is_forbidden(EventKind kind) const {
    return std::ranges::any_of(forbidden_, [&](const KindPhase& forbidden) {
      return forbidden.kind == kind && forbidden.phase.holds(now_);
    });
  }

  // What a healthy upstream makes of it.
  UpstreamAnswer judge(const action::Send& send) {
    UpstreamAnswer answer;
    answer.status = 202;
    const bool is_capped = caps_all_kinds_ || send.kind == capped_kind_;
    if (is_capped && (send.events.size() > events_cap_ || send.bytes > bytes_cap_)) {
      answer.status = 413;
      return answer;
    }
    std::string rejected;
    for (std::size_t i = 0; i < send.events.size(); ++i) {
      if (refuse_all_.holds(now_) || events_.at(test::number_of(send.events[i])).poison) {
        rejected += (rejected.empty() ? "" : ",") + ("{\"index\":" + std::to_string(i) + "}");
      }
    }
    if (!rejected.empty()) {
      answer.status = partial_ ? 207 : 400;
      answer.body = "[" + rejected + "]";
    }
    if (rejected.empty() || partial_) {
      for (const EventRef event : send.events) {
        apply(test::number_of(event));
      }
    }
    return answer;
  }
  void apply(std::uint64_t number) {
    Event& event = events_.at(number);
    if (event.poison || refuse_all_.holds(now_) || event.acceptances++ > 0) {
      return;
    }
    const auto [last, is_first] = last_of_profile_.try_emplace(event.profile, number);
    ASSERT_TRUE(is_first || last->second < number) << "profile reordered";
    last->second = number;
  }

  void check_end() {
    EXPECT_EQ(dispatcher_.pending_events(), 0U);
    EXPECT_EQ(dispatcher_.in_flight(), 0U);
    EXPECT_EQ(dispatcher_.counts().events_pushed, events_.size());
    if (!dispatcher_.snapshot().parked_kind) {
      EXPECT_EQ(dispatcher_.parked(), std::nullopt);
    }
    EXPECT_EQ(released_, groups_);
    for (const Event& event : events_) {
      EXPECT_TRUE(event.ended);
      EXPECT_LE(event.dead_letters, 1U);
      EXPECT_TRUE(event.dead_letters == 1 || event.acceptances > 0) << "lost";
      EXPECT_TRUE(event.dead_letters == 1 || !event.poison) << "poison delivered";
    }
  }

  Rng rng_;
  DispatcherOptions options_;
  std::uint64_t fault_permille_ = 0;
  std::uint64_t poison_permille_ = 0;
  bool partial_ = false;
  bool trickles_ = false;
  std::size_t events_cap_ = 0;
  std::size_t bytes_cap_ = 0;
  Phase outage_{};
  Phase revocation_{};
  Phase refuse_all_{};
  std::size_t kind_count_ = 2;  // with the one that is made up, or without
  std::vector<KindPhase> forbidden_;
  EventKind capped_kind_{};
  bool caps_all_kinds_ = false;

  MonoTime now_ = start;
  std::multimap<MonoTime, std::function<void()>> happenings_;
  std::vector<Event> events_;
  std::map<std::uint64_t, std::uint64_t> last_of_profile_;
  std::set<std::size_t> lanes_in_flight_;
  Ticket groups_ = 0;
  std::size_t released_ = 0;
  std::size_t acceptances_ = 0;
  std::size_t innocents_dead_lettered_in_a_row_ = 0;
  std::set<EventKind> kinds_barred_;
  std::size_t barred_ = 0;
  std::size_t barred_beside_ = 0;
  std::size_t shared_requests_ = 0;
  std::size_t shared_requests_refused_ = 0;
  std::uint64_t trace_ = 0xcbf29ce484222325ULL;
  Dispatcher dispatcher_;
};

std::uint64_t seed_count() {
  const char* const seeds = std::getenv("SLUICE_DELIVER_SEEDS");  // NOLINT(concurrency-mt-unsafe)
  return seeds == nullptr ? 10'000 : std::strtoull(seeds, nullptr, 10);
}

TEST(DispatcherModel, KeepsItsPromisesUnderEveryFault) {
  std::size_t barred = 0;
  std::size_t barred_beside = 0;
  std::size_t shared_requests = 0;
  std::size_t shared_requests_refused = 0;
  for (std::uint64_t seed = 0; seed < seed_count(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(seed);
    world.run();
    if (HasFailure()) {
      break;
    }
    barred += world.barred();
    barred_beside += world.barred_beside();
    shared_requests += world.shared_requests();
    shared_requests_refused += world.shared_requests_refused();
  }
  EXPECT_GE(barred, seed_count() / 20) << "or it proves nothing about one kind alone";
  EXPECT_GE(barred_beside, seed_count() / 500) << "or about two of three";
  EXPECT_GE(shared_requests, 5 * seed_count()) << "or it proves nothing about sharing";
  EXPECT_GE(shared_requests_refused, seed_count() / 4);
}

TEST(DispatcherModel, ReplaysFromItsSeed) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    World first(seed);
    first.run();
    World second(seed);
    second.run();
    EXPECT_EQ(first.trace(), second.trace()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace sluice::deliver
