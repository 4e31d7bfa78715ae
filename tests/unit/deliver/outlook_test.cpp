// Whoever comes again when it was told to finds room, and is not told to wait much longer than it
// has to: after idle times, in bursts, before upstreams of all speeds.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/base/rng.hpp>
#include <sluice/deliver/dispatcher.hpp>
#include <sluice/deliver/outlook.hpp>

#include "event_groups.hpp"

namespace sluice::deliver {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using Seconds = std::chrono::duration<double>;

TEST(TimeToLeave, IsInWholeSecondsAndWithinReason) {
  const MonoTime now{1h};
  EXPECT_EQ(time_to_leave(0, 100, now, now), 1s);
  EXPECT_EQ(time_to_leave(30, 100, now, now), 1s);
  EXPECT_EQ(time_to_leave(1'010, 100, now, now), 11s);
  EXPECT_EQ(time_to_leave(1'000, 100, now + 3s, now), 13s);
  EXPECT_EQ(time_to_leave(1'000, 100, now - 3s, now), 10s);
  EXPECT_EQ(time_to_leave(1e12, 0.001, now, now), 60s);
}

TEST(Outlook, TellsWhatWasPublished) {
  Outlook outlook;
  const MonoTime now{1h};
  EXPECT_EQ(outlook.retry_after(0, now), 1s) << "nothing is known yet";
  outlook.publish(50, now + 2s);
  EXPECT_EQ(outlook.retry_after(100, now), 4s);
  EXPECT_EQ(outlook.retry_after(100, now + 2s), 2s);
}

// A buffer of so many events before a dispatcher and an upstream.
class BufferedWorld {
 public:
  static constexpr double high = 0.95;
  static constexpr double low = 0.8;
  static constexpr std::size_t batch = 20;

  BufferedWorld(std::size_t events_max, nanoseconds latency, std::uint64_t seed)
      : events_max_(events_max), latency_(latency), rng_(seed), dispatcher_(options(), Rng(seed)) {}

  static DispatcherOptions options() {
    DispatcherOptions options;
    options.batch.events_max = batch;
    return options;
  }
  [[nodiscard]] double level() const {
    return static_cast<double>(dispatcher_.pending_events()) / static_cast<double>(events_max_);
  }
  void push() {
    std::vector<test::EventSpec> specs(10);
    for (test::EventSpec& spec : specs) {
      spec = {.number = 1, .profile = rng_()};
    }
    Group::Owner group = test::make_group(specs, now);
    group->ticket = ++last_ticket_;
    dispatcher_.push(std::move(group));
  }
  // As many events as fit, at once.
  void fill() {
    while (level() < high) {
      push();
      run_until(now);
    }
  }
  [[nodiscard]] std::chrono::seconds retry_after() const {
    const Capacity capacity = dispatcher_.capacity(now);
    const double to_leave = std::max(0.0, level() - low) * static_cast<double>(events_max_);
    return time_to_leave(to_leave, capacity.requests_per_s * batch, capacity.from, now);
  }
  void run_until(MonoTime end) {
    do {
      std::vector<Action> actions;
      dispatcher_.run(now, actions);
      for (const Action& action : actions) {
        if (const auto* send = std::get_if<action::Send>(&action)) {
          const nanoseconds latency = down ? 1ms : latency_ * (80 + rng_.below(40)) / 100;
          answers_.emplace(now + latency, std::pair(send->lane, send->attempt));
        }
      }
      const MonoTime wake = dispatcher_.wake_at(now).value_or(end);
      const MonoTime answered = answers_.empty() ? end : answers_.begin()->first;
      now = std::min({end, std::max(now, wake), answered});
      while (!answers_.empty() && answers_.begin()->first <= now) {
        const auto [lane, attempt] = answers_.extract(answers_.begin()).mapped();
        UpstreamAnswer answer;
        answer.status = 202;
        answer.failure = down ? Failure::connect : Failure::none;
        answer.duration = latency_;
        dispatcher_.on_answer(lane, attempt, answer, now, WallTime{});
      }
    } while (now < end || (!answers_.empty() && answers_.begin()->first <= now));
  }
  // How long until there is room; at most a minute.
  std::chrono::nanoseconds wait_for_room() {
    const MonoTime begin = now;
    while (level() >= low && now < begin + 60s) {
      run_until(now + 10ms);
    }
    return now - begin;
  }
  [[nodiscard]] CircuitState circuit() const { return dispatcher_.snapshot().circuit; }

  bool down = false;
  MonoTime now{1h};

 private:
  std::size_t events_max_;
  nanoseconds latency_;
  Rng rng_;
  std::multimap<MonoTime, std::pair<std::size_t, AttemptId>> answers_;
  Ticket last_ticket_ = 0;
  Dispatcher dispatcher_;
};

TEST(RetryAfter, IsEnoughAndInTheMedianNotTwiceTheBestWait) {
  std::vector<double> ratios;
  int early = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    for (const nanoseconds latency : {nanoseconds(5ms), nanoseconds(100ms), nanoseconds(1s)}) {
      for (const std::size_t events_max : {2'000U, 20'000U}) {
        BufferedWorld world(events_max, latency, seed);
        for (const auto idle : {nanoseconds(0s), nanoseconds(30s), nanoseconds(500ms)}) {
          world.run_until(world.now + idle);
          world.fill();
          const auto told = world.retry_after();
          const Seconds best = world.wait_for_room();
          early += told < best ? 1 : 0;
          ratios.push_back(Seconds(told) / std::max(best, Seconds(1s)));
        }
      }
    }
  }
  std::ranges::sort(ratios);
  EXPECT_LE(ratios[ratios.size() / 2], 2);
  EXPECT_LE(ratios[ratios.size() * 9 / 10], 3);
  EXPECT_LE(early, static_cast<int>(ratios.size() / 4)) << "of " << ratios.size();
}

TEST(RetryAfter, DuringAnOutageIsWhenItIsTriedAgain) {
  BufferedWorld world(2'000, 20ms, 1);
  world.push();
  world.run_until(world.now + 1s);
  world.down = true;
  world.fill();
  world.run_until(world.now + 1min);
  ASSERT_EQ(world.circuit(), CircuitState::open);
  for (int i = 0; i < 60; ++i) {
    world.run_until(world.now + 1s);
    EXPECT_LE(world.retry_after(), 17s) << "no interval is longer than 15 s";
  }
  world.down = false;
  const auto told = world.retry_after();
  EXPECT_LE(world.wait_for_room(), told + 1s);
}

}  // namespace
}  // namespace sluice::deliver
