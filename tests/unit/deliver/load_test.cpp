// The dispatcher against an upstream with a capacity, in simulated time: it finds what the upstream
// bears within seconds, stays near it, uses what is given back, obeys Retry-After on all lanes,
// does not storm an upstream that has just come back, and is not slowed down by one that refuses at
// random.
#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include <sluice/base/rng.hpp>
#include <sluice/deliver/dispatcher.hpp>

#include "event_groups.hpp"

namespace sluice::deliver {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using Seconds = std::chrono::duration<double>;

constexpr MonoTime load_start{1h};
constexpr double unlimited = 1e9;

struct UpstreamSpec {
  double capacity = unlimited;  // requests per second
  nanoseconds latency = 50ms;   // give or take a fifth
  bool by_window = false;       // counts per second of the clock, or with a bucket of a tenth
  unsigned status = 429;        // above the capacity
  std::optional<std::string> retry_after = std::nullopt;
  double noise = 0;            // the share that is refused in the same way at any rate
  double at_once = unlimited;  // as many requests
};

// A workspace that always has something to send, one event per request.
class LoadedWorld {
 public:
  explicit LoadedWorld(const UpstreamSpec& spec, std::uint64_t seed = 1)
      : upstream(spec), rng_(seed), dispatcher(options(), Rng(seed + 1)) {}

  static DispatcherOptions options() {
    DispatcherOptions options;
    options.batch = {.events_max = 1, .linger = 0ms};
    return options;
  }

  struct Request {
    MonoTime sent_at;
    unsigned status;
    std::size_t in_flight;  // this one included
  };
  struct Rates {
    double accepted;  // per second
    double refused;   // of all
  };

  void run_until(MonoTime end) {
    while (now < end) {
      if (dispatcher.pending_events() < 500) {
        push();
      }
      std::vector<Action> actions;
      dispatcher.run(now, actions);
      for (const Action& action : actions) {
        if (const auto* send = std::get_if<action::Send>(&action)) {
          answer(*send);
        }
      }
      const MonoTime wake = dispatcher.wake_at(now).value_or(end);
      const MonoTime answered = answers_.empty() ? end : answers_.begin()->first;
      ASSERT_GT(wake, now) << "spins";
      now = std::min({end, wake, answered});
      if (!answers_.empty() && answers_.begin()->first == now) {
        const Answer next = std::move(answers_.extract(answers_.begin()).mapped());
        running_ -= next.answer.status == 202 ? 1 : 0;
        const WallTime wall(std::chrono::floor<std::chrono::milliseconds>(now.time_since_epoch()));
        dispatcher.on_answer(next.lane, next.attempt, next.answer, now, wall);
      }
    }
  }
  [[nodiscard]] Rates rates(MonoTime from, MonoTime to) const {
    std::size_t accepted = 0;
    std::size_t all = 0;
    for (const Request& request : requests) {
      if (request.sent_at >= from && request.sent_at < to) {
        ++all;
        accepted += request.status == 202 ? 1 : 0;
      }
    }
    return {.accepted = static_cast<double>(accepted) / Seconds(to - from).count(),
            .refused = all == 0 ? 0 : 1 - static_cast<double>(accepted) / static_cast<double>(all)};
  }

  UpstreamSpec upstream;
  bool down = false;
  MonoTime now = load_start;
  std::vector<Request> requests;

 private:
  struct Answer {
    std::size_t lane;
    AttemptId attempt;
    UpstreamAnswer answer;
  };

  void push() {
    std::vector<test::EventSpec> specs(500);
    for (test::EventSpec& spec : specs) {
      spec = {.number = 1, .profile = rng_()};
    }
    Group::Owner group = test::make_group(specs, now);
    group->ticket = ++last_ticket_;
    dispatcher.push(std::move(group));
  }
  void answer(const action::Send& send) {
    UpstreamAnswer answer;
    nanoseconds latency = upstream.latency * (80 + rng_.below(40)) / 100;
    if (down) {
      answer.failure = Failure::connect;
      latency = 1ms;
    } else {
      answer.status =
          !is_noise() && running_ < upstream.at_once && admits() ? 202 : upstream.status;
      running_ += answer.status == 202 ? 1 : 0;
      if (answer.status != 202) {
        answer.retry_after = upstream.retry_after;
        latency /= 10;
      }
    }
    answer.duration = latency;
    requests.push_back({now, answer.status, dispatcher.in_flight()});
    answers_.emplace(now + latency, Answer{send.lane, send.attempt, std::move(answer)});
  }
  bool is_noise() {
    return static_cast<double>(noise_.below(1'000'000)) < upstream.noise * 1'000'000;
  }
  bool admits() {
    if (upstream.by_window) {
      const auto second = std::chrono::floor<std::chrono::seconds>(now);
      taken_ = std::exchange(window_, second) == second ? taken_ : 0;
      return ++taken_ <= upstream.capacity;
    }
    const double gained = Seconds(now - std::exchange(filled_at_, now)).count() * upstream.capacity;
    tokens_ = std::min(std::max(1.0, upstream.capacity / 10), tokens_ + gained);
    const bool admitted = tokens_ >= 1;
    tokens_ -= admitted ? 1 : 0;
    return admitted;
  }

  Rng rng_;
  Rng noise_{17};
  std::multimap<MonoTime, Answer> answers_;
  Ticket last_ticket_ = 0;
  MonoTime window_{};
  double taken_ = 0;
  MonoTime filled_at_ = load_start;
  double tokens_ = 1;
  double running_ = 0;

 public:
  Dispatcher dispatcher;
};

struct ThrottlingCase {
  UpstreamSpec upstream;
  double used_min;  // of the capacity, after ten seconds
  nanoseconds gives_back_within;
};

// Names the case in a failure's message.
std::string describe(const UpstreamSpec& spec) {
  return "capacity " + std::to_string(spec.capacity) + " latency " +
         std::to_string(spec.latency.count()) + " ns" + (spec.by_window ? " window " : " bucket ") +
         std::to_string(spec.status) + " Retry-After " + spec.retry_after.value_or("none") +
         " noise " + std::to_string(spec.noise);
}

// Throttled answers that ask for a second each are paid for in throughput: they are risked seldom,
// and what is given back is found later.
std::vector<ThrottlingCase> throttling_cases() {
  std::vector<ThrottlingCase> cases;
#ifdef SLUICE_SANITIZED  // one capacity will do where each step takes many times as long
  const std::vector<double> capacities{50.0};
#else
  const std::vector<double> capacities{20.0, 50.0, 100.0, 250.0};
#endif
  for (const double capacity : capacities) {
    for (const nanoseconds latency : {nanoseconds(2ms), nanoseconds(20ms), nanoseconds(50ms)}) {
      for (const bool by_window : {false, true}) {
        for (const unsigned status : {429U, 503U}) {
          cases.push_back({{capacity, latency, by_window, status, std::nullopt}, 0.8, 10s});
          cases.push_back({{capacity, latency, by_window, status, "1"}, 0.65, 20s});
        }
      }
    }
  }
  return cases;
}

TEST(Load, FindsTheRateOfAThrottledUpstreamAndTakesWhatItGivesBack) {
  for (const ThrottlingCase& c : throttling_cases()) {
    SCOPED_TRACE(describe(c.upstream));
    LoadedWorld world(c.upstream);
    world.run_until(load_start + 40s);
    const auto found = world.rates(load_start + 10s, load_start + 40s);
    EXPECT_GE(found.accepted, c.used_min * c.upstream.capacity);
    EXPECT_LE(found.refused, 0.05);

    const double more =
        std::min(4 * c.upstream.capacity, 0.8 * 16 / Seconds(c.upstream.latency).count());
    world.upstream.capacity = unlimited;
    world.run_until(load_start + 40s + c.gives_back_within + 2s);
    EXPECT_GE(world.rates(world.now - 2s, world.now).accepted, more);
  }
}

TEST(Load, FollowsACapacityThatFalls) {
  LoadedWorld world({.capacity = unlimited});
  world.run_until(load_start + 10s);
  EXPECT_GE(world.rates(load_start + 5s, load_start + 10s).accepted, 0.9 * 320)
      << "16 at once in 50 ms";
  world.upstream.capacity = 40;
  world.run_until(load_start + 40s);
  EXPECT_GE(world.rates(load_start + 20s, load_start + 40s).accepted, 0.8 * 40);
  EXPECT_LE(world.rates(load_start + 20s, load_start + 40s).refused, 0.05);
}

TEST(Load, RetryAfterStopsEveryLaneInBothForms) {
  const WallTime wall(
      std::chrono::floor<std::chrono::seconds>((load_start + 2s).time_since_epoch()));
  const auto date = std::chrono::floor<std::chrono::seconds>(wall) + 30s;
  ASSERT_EQ(date.time_since_epoch(), 1h + 32s);
  for (const std::string header : {"30", "Thu, 01 Jan 1970 01:00:32 GMT"}) {
    SCOPED_TRACE(header);
    LoadedWorld world({});
    world.run_until(load_start + 2s);
    world.upstream.capacity = 0;
    world.upstream.retry_after = header;
    const std::size_t before = world.requests.size();
    world.run_until(load_start + 31s);
    const std::size_t held = world.requests.size();
    EXPECT_EQ(world.requests.back().status, 429U);
    EXPECT_LE(held, before + 17) << "no more than were in flight already";
    world.upstream.capacity = unlimited;
    world.run_until(load_start + 35s);
    ASSERT_GT(world.requests.size(), held);
    EXPECT_GE(world.requests[held].sent_at, load_start + 32s);
    EXPECT_LE(world.requests[held].sent_at, load_start + 33s);
  }
}

// What is accepted per second once everything has been found out.
double accepted_of(const UpstreamSpec& upstream) {
  LoadedWorld world(upstream);
  world.run_until(load_start + 25s);
  return world.rates(load_start + 10s, load_start + 25s).accepted;
}

TEST(Load, IsNotSlowedDownByRandomRefusals) {
  const double without = accepted_of({.latency = 50ms});
  const std::vector<std::optional<std::string>> headers{std::nullopt, "0"};
  for (const auto& [noise, kept_min] :
       {std::pair(0.01, 0.9), {0.05, 0.8}, {0.1, 0.8}, {0.3, 0.56}}) {
    for (const unsigned status : {429U, 503U}) {
      for (const std::optional<std::string>& retry_after : headers) {
        const UpstreamSpec upstream{
            .latency = 50ms, .status = status, .retry_after = retry_after, .noise = noise};
        SCOPED_TRACE(describe(upstream));
        EXPECT_GE(accepted_of(upstream), kept_min * without);
      }
    }
  }
}

TEST(Load, IsNotSlowedDownByRandomRefusalsOfAQuickUpstream) {
  EXPECT_GE(accepted_of({.latency = 5ms, .status = 503, .noise = 0.1}),
            0.7 * accepted_of({.latency = 5ms}));
}

TEST(Load, FindsACapacityBehindRandomRefusals) {
  LoadedWorld world({.noise = 0.1});
  world.run_until(load_start + 15s);
  world.upstream.capacity = 100;
  world.run_until(load_start + 60s);
  const auto found = world.rates(load_start + 30s, load_start + 60s);
  EXPECT_GE(found.accepted, 0.6 * 100);
  EXPECT_LE(found.refused, 0.25);
}

TEST(Load, KeepsToARetryAfterThatComesAtRandom) {
  for (const unsigned status : {429U, 503U}) {
    LoadedWorld world({.latency = 50ms, .status = status, .retry_after = "1", .noise = 0.1});
    world.run_until(load_start + 60s);
    MonoTime held_from = MonoTime::max();
    MonoTime held_until{};
    for (const LoadedWorld::Request& request : world.requests) {
      EXPECT_FALSE(request.sent_at > held_from && request.sent_at < held_until);
      if (request.status == status) {
        held_from = request.sent_at + 6ms;  // the answer takes a tenth of the latency
        held_until = held_from + 998ms;
      }
    }
    EXPECT_GT(world.rates(load_start, world.now).accepted, 1);
  }
}

TEST(Load, FindsHowManyAtOnceAreBorne) {
  for (const double at_once : {2.0, 4.0, 8.0}) {
    SCOPED_TRACE(at_once);
    LoadedWorld world({.latency = 50ms, .at_once = at_once});
    world.run_until(load_start + 40s);
    const auto found = world.rates(load_start + 10s, load_start + 40s);
    EXPECT_GE(found.accepted, 0.6 * at_once / 0.05);
    EXPECT_LE(found.refused, 0.05);
  }
}

TEST(Load, ReturnsFromAnOutageWithoutAStorm) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    LoadedWorld world({}, seed);
    world.run_until(load_start + 5s);
    world.down = true;
    world.run_until(load_start + 5min);
    const double per_s = static_cast<double>(std::ranges::count_if(
                             world.requests, [](const auto& r) { return r.status == 0; })) /
                         295;
    EXPECT_LT(per_s, 0.3) << "a probe at a time";
    world.down = false;
    const std::size_t before = world.requests.size();
    world.run_until(load_start + 7min);
    ASSERT_GT(world.requests.size(), before);
    const MonoTime back = world.requests[before].sent_at;
    EXPECT_LE(back, load_start + 6min);
    // The limit at most doubles with each round trip, of which none is quicker than 40 ms.
    for (std::size_t i = before; i < world.requests.size(); ++i) {
      const auto round_trips = (world.requests[i].sent_at - back) / 40ms;
      if (round_trips > 4) {
        break;
      }
      EXPECT_LE(world.requests[i].in_flight, 1U << round_trips);
    }
    EXPECT_LE(world.rates(back, back + 1s).accepted, 16 / 0.040);
    EXPECT_GE(world.rates(back + 1s, back + 3s).accepted, 0.8 * 16 / 0.050) << "and is soon back";
  }
}

}  // namespace
}  // namespace sluice::deliver
