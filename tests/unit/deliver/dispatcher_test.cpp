// Scripts of inputs and the actions expected, one per rule of the dispatcher.
#include <algorithm>
#include <bit>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include <sluice/deliver/dispatcher.hpp>

#include "event_groups.hpp"
#include "made_up_kind.hpp"

namespace sluice::deliver {
namespace {

using namespace std::chrono_literals;
using test::EventSpec;
using test::numbers_of;

UpstreamAnswer status(unsigned code, std::string body = "") {
  UpstreamAnswer answer;
  answer.status = code;
  answer.body = std::move(body);
  answer.duration = 10ms;
  return answer;
}
UpstreamAnswer throttled(std::string retry_after) {
  UpstreamAnswer answer = status(429);
  answer.retry_after = std::move(retry_after);
  return answer;
}
UpstreamAnswer failed(Failure failure) {
  UpstreamAnswer answer;
  answer.failure = failure;
  return answer;
}

// " transactions"
std::string describe(std::optional<EventKind> kind) {
  return kind ? " " + std::string(info(*kind).name) + "s" : "";
}
std::string describe(const action::Send& send) {
  return (send.kind == EventKind::event ? "send " : "send" + describe(send.kind) + " ") +
         std::to_string(send.lane) + ": " + numbers_of(send.events);
}
std::string describe(const action::Delivered& delivered) {
  return "delivered " + numbers_of(delivered.events);
}
std::string describe(const action::StoreDeadLetters& store) {
  std::string text = "store " + std::to_string(store.lane) + ":";
  for (const DeadLetter& letter : store.letters) {
    text += " " + numbers_of(std::span(&letter.event, 1)) + " " +
            std::string(dead_letter_reason_names[static_cast<std::size_t>(letter.reason)]);
  }
  return text;
}
std::string describe(const action::RefreshCredentials& /*refresh*/) { return "refresh"; }
std::string describe(const action::Released& /*released*/) { return "released"; }
std::string describe(const action::Parked& parked) {
  return "parked " + std::string(park_reason_names[static_cast<std::size_t>(parked.reason)]) +
         describe(parked.kind);
}
std::string describe(const action::Resumed& resumed) { return "resumed" + describe(resumed.kind); }

// A dispatcher under a hand-driven clock; actions are compared as text, one after the other.
class Rig {
 public:
  explicit Rig(const DispatcherOptions& options = one_lane()) : dispatcher(options, Rng(1)) {}

  static DispatcherOptions one_lane() {
    DispatcherOptions options;
    options.lanes = 1;
    options.batch.linger = 0ms;
    return options;
  }

  void push(std::vector<EventSpec> specs) {
    Group::Owner group = test::make_group(specs, now);
    group->ticket = ++last_ticket_;
    dispatcher.push(std::move(group));
  }
  void push_numbers(std::uint64_t first, std::uint64_t last) {
    std::vector<EventSpec> specs;
    for (std::uint64_t number = first; number <= last; ++number) {
      specs.push_back({.number = number, .profile = 16 * number});
    }
    push(specs);
  }
  std::string run() {
    std::vector<Action> actions;
    dispatcher.run(now, actions);
    std::string text;
    for (const Action& action : actions) {
      text += text.empty() ? "" : "; ";
      text += std::visit([](const auto& a) { return describe(a); }, action);
      if (const auto* send = std::get_if<action::Send>(&action)) {
        attempts_[send->lane] = send->attempt;
      }
    }
    const std::optional<MonoTime> wake = dispatcher.wake_at(now);
    EXPECT_TRUE(!wake || *wake > now) << "would spin";
    return text;
  }
  // Ten milliseconds later there is an answer.
  std::string answer(const UpstreamAnswer& answer, std::size_t lane = 0) {
    now += 10ms;
    dispatcher.on_answer(lane, attempts_.at(lane), answer, now, wall_now());
    return run();
  }
  std::string stored(bool ok, std::size_t lane = 0) {
    dispatcher.on_dead_letters_stored(lane, ok, now);
    return run();
  }
  std::string refreshed(bool ok) {
    dispatcher.on_credentials_refreshed(ok, now);
    return run();
  }
  // Goes to when the dispatcher wants to be woken; how long that was.
  std::chrono::nanoseconds sleep() {
    const std::optional<MonoTime> wake = dispatcher.wake_at(now);
    EXPECT_TRUE(wake.has_value()) << "nothing to wake up for";
    const MonoTime before = now;
    now = wake.value_or(now);
    return now - before;
  }
  [[nodiscard]] WallTime wall_now() const {
    return WallTime(std::chrono::floor<std::chrono::milliseconds>(now.time_since_epoch()));
  }

  MonoTime now{1h};
  Dispatcher dispatcher;

 private:
  std::map<std::size_t, AttemptId> attempts_;
  Ticket last_ticket_ = 0;
};

TEST(Dispatcher, DeliversAndHandsGroupsBack) {
  Rig rig;
  rig.push_numbers(1, 2);
  rig.push_numbers(3, 3);
  EXPECT_EQ(rig.run(), "send 0: 1 2 3");
  EXPECT_EQ(rig.run(), "") << "one batch in flight per lane";
  EXPECT_EQ(rig.answer(status(202)), "delivered 1 2 3; released; released");
  EXPECT_EQ(rig.dispatcher.pending_events(), 0U);
  EXPECT_EQ(rig.dispatcher.in_flight(), 0U);
  EXPECT_EQ(rig.dispatcher.wake_at(rig.now), std::nullopt);
}

TEST(Dispatcher, LingersUntilFullOrOldOrDraining) {
  DispatcherOptions options = Rig::one_lane();
  options.batch = {.events_max = 3, .linger = 100ms};
  Rig rig(options);
  rig.push_numbers(1, 1);
  EXPECT_EQ(rig.run(), "");
  EXPECT_EQ(rig.sleep(), 100ms);
  EXPECT_EQ(rig.run(), "send 0: 1");
  EXPECT_EQ(rig.answer(status(200)), "delivered 1; released");
  rig.push_numbers(2, 5);
  EXPECT_EQ(rig.run(), "send 0: 2 3 4");
  EXPECT_EQ(rig.answer(status(200)), "delivered 2 3 4");
  rig.dispatcher.begin_drain();
  EXPECT_EQ(rig.run(), "send 0: 5");
}

TEST(Dispatcher, KindsGoInBatchesOfTheirOwn) {
  Rig rig;
  rig.push({{1, 1ULL << 52}, {2, 2ULL << 52, EventKind::transaction}, {3, 3ULL << 52}});
  EXPECT_EQ(rig.run(), "send 0: 1 3");
  EXPECT_EQ(rig.answer(status(202)), "delivered 1 3; send transactions 0: 2");
  EXPECT_EQ(rig.answer(status(202)), "delivered 2; released");
}

TEST(Dispatcher, LanesTakeTurnsWithinTheConcurrencyLimit) {
  DispatcherOptions options = Rig::one_lane();
  options.lanes = 4;
  options.max_in_flight = 2;
  options.batch.events_max = 1;
  Rig rig(options);
  rig.push({{1, 0}, {2, 1}, {3, 2}, {4, 3}, {5, 0}, {6, 1}});
  EXPECT_EQ(rig.run(), "send 0: 1") << "begins with one";
  EXPECT_EQ(rig.answer(status(202), 0), "delivered 1; send 1: 2; send 2: 3") << "then two";
  EXPECT_EQ(rig.answer(status(202), 2), "delivered 3; send 3: 4") << "never more";
  EXPECT_EQ(rig.answer(status(202), 1), "delivered 2; send 0: 5");
  EXPECT_EQ(rig.answer(status(202), 3), "delivered 4; send 1: 6");
}

TEST(Dispatcher, ALaneThatIsNotAnsweredHoldsUpItsOwnEventsOnly) {
  DispatcherOptions options = Rig::one_lane();
  options.lanes = 4;
  options.max_in_flight = 2;
  options.batch.events_max = 1;
  Rig rig(options);
  rig.push({{1, 0}, {2, 1}, {3, 2}, {4, 3}, {5, 0}, {6, 1}, {7, 2}});
  EXPECT_EQ(rig.run(), "send 0: 1");
  EXPECT_EQ(rig.answer(status(202), 0), "delivered 1; send 1: 2; send 2: 3");
  EXPECT_EQ(rig.answer(status(202), 2), "delivered 3; send 3: 4");
  EXPECT_EQ(rig.answer(status(202), 3), "delivered 4; send 0: 5");
  EXPECT_EQ(rig.answer(status(202), 0), "delivered 5; send 2: 7");
  EXPECT_EQ(rig.answer(status(202), 2), "delivered 7") << "6 stays behind 2";
  EXPECT_EQ(rig.answer(failed(Failure::answer_timeout), 1), "");
  rig.sleep();
  EXPECT_EQ(rig.run(), "send 1: 2");
  EXPECT_EQ(rig.answer(status(202), 1), "delivered 2; send 1: 6");
}

class DispatcherRetryTest : public testing::TestWithParam<UpstreamAnswer> {};

TEST_P(DispatcherRetryTest, SendsTheSameAgainAfterABackOff) {
  Rig rig;
  rig.push_numbers(1, 3);
  EXPECT_EQ(rig.run(), "send 0: 1 2 3");
  rig.push_numbers(4, 4);
  for (const auto ceiling : {200ms, 400ms, 800ms, 1'600ms}) {
    EXPECT_EQ(rig.answer(GetParam()), "");
    EXPECT_LE(rig.sleep(), ceiling);
    EXPECT_EQ(rig.run(), "send 0: 1 2 3");
  }
  EXPECT_EQ(rig.answer(status(202)), "delivered 1 2 3; released; send 0: 4");
}

INSTANTIATE_TEST_SUITE_P(TransientAndAmbiguous, DispatcherRetryTest,
                         testing::Values(status(500), status(408), failed(Failure::connect),
                                         failed(Failure::no_answer),
                                         failed(Failure::answer_timeout)));

TEST(Dispatcher, ThrottlingHoldsEveryLane) {
  DispatcherOptions options = Rig::one_lane();
  options.lanes = 2;
  options.batch.events_max = 1;
  Rig rig(options);
  rig.push({{1, 0}, {2, 1}});
  EXPECT_EQ(rig.run(), "send 0: 1");
  EXPECT_EQ(rig.answer(throttled("7"), 0), "");
  const auto wait = rig.sleep();
  EXPECT_GE(wait, 7s);
  EXPECT_LE(wait, 7s + options.backoff.initial);
  EXPECT_EQ(rig.run(), "send 1: 2");
  EXPECT_EQ(rig.answer(status(202), 1), "delivered 2") << "slowly, as nothing else is known";
  EXPECT_LE(rig.sleep(), 1s);
  EXPECT_EQ(rig.run(), "send 0: 1");
}

TEST(Dispatcher, ARandomRefusalHoldsUpItsOwnLaneOnly) {
  DispatcherOptions options = Rig::one_lane();
  options.lanes = 4;
  options.batch.events_max = 1;
  Rig rig(options);
  rig.push({{1, 0}, {2, 1}, {3, 2}, {4, 3}});
  EXPECT_EQ(rig.run(), "send 0: 1");
  EXPECT_EQ(rig.answer(status(202), 0), "delivered 1; send 1: 2; send 2: 3");
  EXPECT_EQ(rig.answer(status(503), 1), "send 3: 4") << "at once";
  const std::string answered = rig.answer(status(202), 2);
  if (answered == "delivered 3") {
    EXPECT_LE(rig.sleep(), 10ms) << "a round trip";
    EXPECT_EQ(rig.run(), "send 1: 2");
  } else {
    EXPECT_EQ(answered, "delivered 3; send 1: 2");
  }
  EXPECT_EQ(rig.dispatcher.pace(rig.now), std::nullopt);
  EXPECT_EQ(rig.dispatcher.snapshot().concurrency_limit, 3U);
}

TEST(Dispatcher, ThrottledTogetherWaitsOnce) {
  std::chrono::nanoseconds sum{};
  for (int i = 0; i < 40; ++i) {
    DispatcherOptions options = Rig::one_lane();
    options.lanes = 8;
    Dispatcher dispatcher(options, Rng(static_cast<std::uint64_t>(i)));
    MonoTime now{1h};
    std::vector<action::Send> sent;
    const auto run = [&] {
      std::vector<Action> actions;
      dispatcher.run(now, actions);
      sent.clear();
      for (const Action& action : actions) {
        if (const auto* send = std::get_if<action::Send>(&action)) {
          sent.push_back(*send);
        }
      }
    };
    for (unsigned code : {202U, 202U, 202U, 202U, 202U, 202U, 202U, 202U, 202U, 429U}) {
      std::vector<EventSpec> specs;
      for (std::uint64_t lane = 0; lane < 8; ++lane) {
        specs.push_back({.number = lane, .profile = lane});
      }
      dispatcher.push(test::make_group(specs, now));
      run();
      while (!sent.empty()) {
        now += 1ms;
        for (const action::Send& send : std::exchange(sent, {})) {
          dispatcher.on_answer(send.lane, send.attempt, status(code), now, WallTime{});
        }
        run();
      }
    }
    sum += *dispatcher.wake_at(now) - now;
  }
  EXPECT_LT(sum / 40, 140ms) << "full jitter below 200 ms, not the longest of many draws";
}

TEST(Dispatcher, ABusyUpstreamIsNotOneThatIsDown) {
  Rig rig;
  rig.push_numbers(1, 1);
  EXPECT_EQ(rig.run(), "send 0: 1");
  EXPECT_EQ(rig.answer(status(503)), "") << "it has accepted nothing so far";
  const auto counted = [&rig](Outcome outcome) {
    return rig.dispatcher.counts().requests[static_cast<std::size_t>(outcome)];
  };
  EXPECT_EQ(counted(Outcome::transient), 1U);
  rig.sleep();
  EXPECT_EQ(rig.run(), "send 0: 1");
  EXPECT_EQ(rig.answer(status(202)), "delivered 1; released");
  rig.push_numbers(2, 2);
  EXPECT_EQ(rig.run(), "send 0: 2");
  EXPECT_EQ(rig.answer(status(503)), "");
  EXPECT_EQ(counted(Outcome::throttled), 1U);
  rig.now += 2s;
  EXPECT_EQ(rig.run(), "send 0: 2");
  EXPECT_EQ(rig.answer(status(503)), "");
  EXPECT_EQ(counted(Outcome::transient), 2U);
}

TEST(Dispatcher, ThrottlingWithoutATimeBacksOff) {
  Rig rig;
  rig.push_numbers(1, 1);
  EXPECT_EQ(rig.run(), "send 0: 1");
  for (const auto ceiling : {200ms, 400ms, 800ms, 1'600ms, 3'200ms, 6'400ms, 12'800ms}) {
    EXPECT_EQ(rig.answer(status(429)), "");
    EXPECT_LE(rig.sleep(), ceiling);
    EXPECT_EQ(rig.run(), "send 0: 1");
  }
  EXPECT_EQ(rig.dispatcher.snapshot().circuit, CircuitState::closed) << "it works, and says so";
}

TEST(Dispatcher, OpensTheCircuitAndSendsOneProbe) {
  DispatcherOptions options = Rig::one_lane();
  options.lanes = 3;
  options.batch.events_max = 1;
  Rig rig(options);
  rig.push({{1, 0}, {2, 1}, {3, 2}});
  std::string sent = rig.run();
  while (rig.dispatcher.snapshot().circuit == CircuitState::closed) {
    ASSERT_EQ(sent.find(';'), std::string::npos) << "the concurrency limit is one";
    const std::size_t lane = static_cast<std::size_t>(sent.at(5) - '0');
    sent = rig.answer(status(500), lane);
    if (sent.empty()) {
      rig.sleep();
      sent = rig.run();
    }
  }
  EXPECT_EQ(rig.dispatcher.counts().requests[static_cast<std::size_t>(Outcome::transient)], 5U);
  ASSERT_TRUE(sent.starts_with("send ")) << "the probe, at the end of the wait";
  EXPECT_EQ(rig.dispatcher.snapshot().circuit, CircuitState::half_open);
  EXPECT_EQ(rig.dispatcher.wake_at(rig.now), std::nullopt);
  const std::size_t lane = static_cast<std::size_t>(sent.at(5) - '0');
  sent = rig.answer(status(202), lane);
  EXPECT_EQ(rig.dispatcher.snapshot().circuit, CircuitState::closed);
  EXPECT_TRUE(sent.starts_with("delivered ")) << sent;
  EXPECT_NE(sent.find("; send "), std::string::npos) << "the others need not wait: " << sent;
  EXPECT_EQ(rig.dispatcher.in_flight(), 1U) << "and begin with one";
}

TEST(Dispatcher, HalvesWhatIsTooLargeAndRemembers) {
  Rig rig;
  rig.push_numbers(1, 4);
  EXPECT_EQ(rig.run(), "send 0: 1 2 3 4");
  EXPECT_EQ(rig.answer(status(413)), "send 0: 1 2");
  EXPECT_EQ(rig.answer(status(202)), "delivered 1 2; send 0: 3 4");
  EXPECT_EQ(rig.answer(status(202)), "delivered 3 4; released");
  rig.push_numbers(5, 8);
  EXPECT_EQ(rig.run(), "send 0: 5 6");
  EXPECT_EQ(rig.answer(status(202)), "delivered 5 6; send 0: 7 8");
  EXPECT_EQ(rig.answer(status(202)), "delivered 7 8; released");
  rig.now += 10min;
  rig.push_numbers(9, 12);
  EXPECT_EQ(rig.run(), "send 0: 9 10 11 12");
}

TEST(Dispatcher, AnEventThatIsTooLargeAloneIsADeadLetter) {
  Rig rig;
  rig.push_numbers(1, 1);
  EXPECT_EQ(rig.run(), "send 0: 1");
  EXPECT_EQ(rig.answer(status(413)), "store 0: 1 too_large");
  EXPECT_EQ(rig.stored(true), "released");
}

TEST(Dispatcher, OneHugeEventCostsOnlyItself) {
  Rig rig;
  rig.push_numbers(1, 1'000);
  std::string actions = rig.run();
  for (int i = 0; i < 100 && !actions.starts_with("store"); ++i) {
    const bool has_huge = (actions + " ").find(" 501 ") != std::string::npos;
    actions = rig.answer(has_huge ? status(413) : status(202));
    actions = actions.substr(actions.starts_with("delivered") ? actions.find("; ") + 2 : 0);
  }
  EXPECT_EQ(actions, "store 0: 501 too_large");
  EXPECT_EQ(rig.dispatcher.counts().events_delivered, 999U);
  EXPECT_LE(rig.dispatcher.counts().requests[static_cast<std::size_t>(Outcome::too_large)], 11U);
  EXPECT_EQ(rig.stored(true), "released");
  rig.push_numbers(2'000, 2'999);
  rig.run();
  EXPECT_EQ(rig.answer(status(202)).substr(0, 14), "delivered 2000");
  EXPECT_EQ(rig.dispatcher.pending_events(), 0U) << "the next batch is as large as ever";
}

// Each kind has its endpoint, and each endpoint its limits.
TEST(Dispatcher, A413OnOneKindLeavesTheBatchesOfTheOtherAlone) {
  constexpr EventKind transaction = EventKind::transaction;
  Rig rig;
  const auto next_batch = [&rig](EventKind kind) {
    std::vector<EventSpec> specs;
    for (std::uint64_t number = 1; number <= 8; ++number) {
      specs.push_back({.number = number, .profile = 16 * number, .kind = kind});
    }
    rig.push(specs);
    std::string sent = rig.run();
    if (kind == transaction && sent.ends_with(" 8")) {
      sent = rig.answer(status(413));
    }
    while (rig.dispatcher.pending_events() > 0) {
      rig.answer(status(202));
    }
    return sent;
  };
  EXPECT_EQ(next_batch(transaction), "send transactions 0: 1 2 3 4");
  EXPECT_EQ(next_batch(EventKind::event), "send 0: 1 2 3 4 5 6 7 8");
  EXPECT_EQ(next_batch(transaction), "send transactions 0: 1 2 3 4");
}

// What has lingered, and what fills a batch, is told by the limits of the kind as well.
TEST(Dispatcher, AKindWithSmallerBatchesFillsThemSooner) {
  constexpr EventKind transaction = EventKind::transaction;
  DispatcherOptions options = Rig::one_lane();
  options.batch = {.events_max = 4, .linger = 100ms};
  Rig rig(options);
  const auto push = [&rig](EventKind kind, std::uint64_t count) {
    std::vector<EventSpec> specs;
    for (std::uint64_t number = 1; number <= count; ++number) {
      specs.push_back({.number = number, .profile = 16 * number, .kind = kind});
    }
    rig.push(specs);
    return rig.run();
  };
  EXPECT_EQ(push(transaction, 4), "send transactions 0: 1 2 3 4");
  EXPECT_EQ(rig.answer(status(413)), "send transactions 0: 1 2");
  EXPECT_EQ(rig.answer(status(202)), "delivered 1 2; send transactions 0: 3 4");
  EXPECT_EQ(rig.answer(status(202)), "delivered 3 4; released");
  EXPECT_EQ(push(EventKind::event, 2), "") << "two events fill no batch";
  rig.sleep();
  EXPECT_EQ(rig.run(), "send 0: 1 2");
  EXPECT_EQ(rig.answer(status(202)), "delivered 1 2; released");
  EXPECT_EQ(push(transaction, 2), "send transactions 0: 1 2");
}

TEST(Dispatcher, ASmallerSizeIsRelaxedStepByStep) {
  Rig rig;
  const auto next_batch = [&rig] {
    rig.push_numbers(1, 8);
    std::string sent = rig.run();
    while (rig.dispatcher.pending_events() > 0) {
      rig.answer(status(202));
    }
    return sent;
  };
  rig.push_numbers(1, 8);
  EXPECT_EQ(rig.run(), "send 0: 1 2 3 4 5 6 7 8");
  EXPECT_EQ(rig.answer(status(413)), "send 0: 1 2 3 4");
  EXPECT_EQ(rig.answer(status(413)), "send 0: 1 2");
  while (rig.dispatcher.pending_events() > 0) {
    rig.answer(status(202));
  }
  EXPECT_EQ(next_batch(), "send 0: 1 2");
  rig.now += 9min;
  EXPECT_EQ(next_batch(), "send 0: 1 2");
  rig.now += 1min;
  EXPECT_EQ(next_batch(), "send 0: 1 2 3 4");
  rig.now += 10min;
  EXPECT_EQ(next_batch(), "send 0: 1 2 3 4 5 6 7 8");
}

TEST(Dispatcher, BisectsAndStoresThePoisonBeforeTheLaneGoesOn) {
  Rig rig;
  rig.push_numbers(1, 4);
  EXPECT_EQ(rig.run(), "send 0: 1 2 3 4");
  rig.push_numbers(5, 5);
  EXPECT_EQ(rig.answer(status(400)), "send 0: 1 2");
  EXPECT_EQ(rig.answer(status(202)), "delivered 1 2; send 0: 3");
  EXPECT_EQ(rig.answer(status(400)), "send 0: 4");
  EXPECT_EQ(rig.answer(status(202)), "delivered 4; store 0: 3 rejected");
  EXPECT_EQ(rig.run(), "") << "durable first";
  EXPECT_EQ(rig.stored(true), "released; send 0: 5");
  EXPECT_EQ(rig.dispatcher.counts().events_dead_lettered[0], 1U);
}

// Each lane's batches, for many seeds: the poisoned lane is through after few requests and in
// order, while the others are never held up by it.
TEST(Dispatcher, BisectingHoldsUpNoOtherLaneAndCostsLittle) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    DispatcherOptions options = Rig::one_lane();
    options.lanes = 4;
    options.batch.events_max = 2 + rng.below(999);
    Rig rig(options);
    for (int i = 0; i < 5; ++i) {  // until all lanes may be in flight
      rig.push({{1, 3}});
      rig.run();
      rig.answer(status(202), 3);
    }
    const std::uint64_t n = options.batch.events_max;
    std::set<std::uint64_t> poison;
    for (std::uint64_t k = 1 + rng.below(19); k > 0; --k) {
      poison.insert(rng.below(n));
    }
    std::vector<EventSpec> specs;
    for (std::uint64_t number = 0; number < n; ++number) {
      specs.push_back({.number = number, .profile = 4 * number});
    }
    rig.push(specs);
    std::size_t requests = 0;
    std::uint64_t next = 0;
    std::vector<Action> actions;
    const auto is_poison = [&poison](EventRef event) {
      return poison.contains(test::number_of(event));
    };
    bool stored = false;
    while (!stored) {
      rig.push({{1, 1}, {1, 2}, {1, 3}});
      actions.clear();
      rig.dispatcher.run(rig.now, actions);
      rig.now += 10ms;
      std::size_t others = 0;
      for (const Action& action : actions) {
        stored = stored || std::holds_alternative<action::StoreDeadLetters>(action);
        const auto* const send = std::get_if<action::Send>(&action);
        if (send == nullptr) {
          continue;
        }
        const bool refused = send->lane == 0 && std::ranges::any_of(send->events, is_poison);
        if (send->lane == 0) {
          ++requests;
          EXPECT_EQ(test::number_of(send->events.front()), next) << "in order";
          next += refused && send->events.size() > 1 ? 0 : send->events.size();
        } else {
          others += send->events.size();
        }
        rig.dispatcher.on_answer(send->lane, send->attempt, status(refused ? 400 : 202), rig.now,
                                 rig.wall_now());
      }
      EXPECT_EQ(others, 3U) << "each lane's event goes at once";
    }
    EXPECT_EQ(next, n);
    EXPECT_LE(requests, 1 + 2 * poison.size() * static_cast<std::size_t>(std::bit_width(n - 1)));
    EXPECT_EQ(rig.dispatcher.parked(), std::nullopt);
  }
}

TEST(Dispatcher, TransientFailuresDoNotDisturbBisecting) {
  Rig rig;
  rig.push_numbers(1, 4);
  EXPECT_EQ(rig.run(), "send 0: 1 2 3 4");
  EXPECT_EQ(rig.answer(status(400)), "send 0: 1 2");
  EXPECT_EQ(rig.answer(status(500)), "");
  rig.sleep();
  EXPECT_EQ(rig.run(), "send 0: 1 2");
  EXPECT_EQ(rig.answer(status(202)), "delivered 1 2; send 0: 3");
}

TEST(Dispatcher, AFullStoreHoldsTheLaneAndIsTriedAgain) {
  DispatcherOptions options = Rig::one_lane();
  options.lanes = 2;
  Rig rig(options);
  rig.push({{1, 0}, {2, 0}});
  EXPECT_EQ(rig.run(), "send 0: 1 2");
  EXPECT_EQ(rig.answer(status(400)), "send 0: 1");
  EXPECT_EQ(rig.answer(status(400)), "send 0: 2");
  EXPECT_EQ(rig.answer(status(202)), "delivered 2; store 0: 1 rejected");
  rig.push({{3, 0}, {4, 1}});
  EXPECT_EQ(rig.stored(false), "send 1: 4") << "other lanes go on";
  EXPECT_LE(rig.sleep(), 200ms);
  EXPECT_EQ(rig.run(), "store 0: 1 rejected");
  EXPECT_EQ(rig.stored(true), "released; send 0: 3") << "room for two by now";
}

TEST(Dispatcher, APartialDeliveryEndsAllButTheNamed) {
  Rig rig;
  rig.push_numbers(1, 3);
  EXPECT_EQ(rig.run(), "send 0: 1 2 3");
  EXPECT_EQ(rig.answer(status(207, R"({"errors":[{"index":1}]})")),
            "delivered 1; delivered 3; store 0: 2 rejected");
  EXPECT_EQ(rig.stored(true), "released");
  rig.push_numbers(4, 5);
  EXPECT_EQ(rig.run(), "send 0: 4 5");
  EXPECT_EQ(rig.answer(status(207, "who knows")), "send 0: 4") << "it says so of each";
  EXPECT_EQ(rig.answer(status(202)), "delivered 4; send 0: 5");
  EXPECT_EQ(rig.answer(status(202)), "delivered 5; released");
  rig.push_numbers(6, 7);
  EXPECT_EQ(rig.run(), "send 0: 6 7");
  EXPECT_EQ(rig.answer(status(207, R"([{"index":0},{"index":1}])")), "send 0: 6")
      << "nothing accepted: as a 400";
}

TEST(Dispatcher, APartialDeliveryThatCountsOtherwiseIsBisected) {
  Rig rig;
  rig.push_numbers(1, 2);
  EXPECT_EQ(rig.run(), "send 0: 1 2");
  EXPECT_EQ(rig.answer(status(207, R"([{"index":2}])")), "send 0: 1") << "does it count from one?";
  EXPECT_EQ(rig.answer(status(202)), "delivered 1; send 0: 2");
  EXPECT_EQ(rig.answer(status(207, R"([{"index":1}])")), "store 0: 2 rejected");
}

TEST(Dispatcher, APartialDeliveryWhoseListIsCutIsBisected) {
  const auto cut = [](std::string body) {
    UpstreamAnswer answer = status(207, std::move(body));
    answer.body_is_cut = true;
    return answer;
  };
  Rig rig;
  rig.push_numbers(1, 4);
  EXPECT_EQ(rig.run(), "send 0: 1 2 3 4");
  EXPECT_EQ(rig.answer(cut(R"([{"index":1},{"ind)")), "send 0: 1 2") << "is 3 refused, too?";
  EXPECT_EQ(rig.answer(status(207, R"([{"index":1})")), "send 0: 1");
  EXPECT_EQ(rig.answer(status(202)), "delivered 1; send 0: 2");
  EXPECT_EQ(rig.answer(cut("")), "") << "nothing is known of it";
  EXPECT_LE(rig.sleep(), 200ms);
  EXPECT_EQ(rig.run(), "send 0: 2");
  EXPECT_EQ(rig.answer(cut(std::string(answer_body_bytes_max, ' '))), "send 0: 3 4")
      << "such an answer would not become shorter";
  EXPECT_EQ(rig.answer(status(202)), "delivered 3 4; store 0: 2 rejected");
}

TEST(Dispatcher, APageInPlaceOfASuccessParksAndKeepsTheEvents) {
  Rig rig;
  rig.push_numbers(1, 2);
  EXPECT_EQ(rig.run(), "send 0: 1 2");
  UpstreamAnswer page = status(200, "<html>Sign in</html>");
  page.content_type = "text/html";
  EXPECT_EQ(rig.answer(page), "parked misrouted");
  EXPECT_EQ(rig.dispatcher.pending_events(), 2U);
  rig.sleep();
  EXPECT_EQ(rig.run(), "refresh");
  EXPECT_EQ(rig.refreshed(true), "send 0: 1 2");
  EXPECT_EQ(rig.answer(status(202)), "resumed; delivered 1 2; released");
}

TEST(Dispatcher, AnErrorInASuccessIsDealtWithAsTheError) {
  Rig rig;
  rig.push_numbers(1, 2);
  EXPECT_EQ(rig.run(), "send 0: 1 2");
  EXPECT_EQ(rig.answer(status(200, R"({"error":"Bad Request","status":400})")), "send 0: 1");
  EXPECT_EQ(rig.answer(status(200, R"({"errors":[{"message":"no"}]})")), "send 0: 2");
  EXPECT_EQ(rig.answer(status(202)), "delivered 2; store 0: 1 rejected");
}

TEST(Dispatcher, RefreshesOnceAndRetriesAtOnce) {
  Rig rig;
  rig.push_numbers(1, 1);
  EXPECT_EQ(rig.run(), "send 0: 1");
  EXPECT_EQ(rig.answer(status(401)), "refresh");
  EXPECT_EQ(rig.dispatcher.parked(), std::nullopt);
  EXPECT_EQ(rig.refreshed(true), "send 0: 1");
  EXPECT_EQ(rig.answer(status(202)), "delivered 1; released");
}

TEST(Dispatcher, ParksWhenNewCredentialsAreRefusedToo) {
  Rig rig;
  rig.push_numbers(1, 1);
  EXPECT_EQ(rig.run(), "send 0: 1");
  EXPECT_EQ(rig.answer(status(401)), "refresh");
  EXPECT_EQ(rig.refreshed(true), "send 0: 1");
  EXPECT_EQ(rig.answer(status(403)), "parked unauthorised");
  EXPECT_EQ(rig.dispatcher.parked(), ParkReason::unauthorised);
  for (const auto ceiling : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    const auto wait = rig.sleep();
    EXPECT_GE(wait, ceiling / 2);
    EXPECT_LE(wait, ceiling);
    EXPECT_EQ(rig.run(), "refresh");
    EXPECT_EQ(rig.refreshed(true), "send 0: 1");
    EXPECT_EQ(rig.answer(status(403)), "");
  }
  rig.sleep();
  EXPECT_EQ(rig.run(), "refresh");
  EXPECT_EQ(rig.refreshed(true), "send 0: 1");
  EXPECT_EQ(rig.answer(status(202)), "resumed; delivered 1; released");
  EXPECT_EQ(rig.dispatcher.parked(), std::nullopt);
}

TEST(Dispatcher, ARevokedKeyKeepsEverything) {
  DispatcherOptions options = Rig::one_lane();
  options.lanes = 4;
  Rig rig(options);
  std::size_t probes = 0;
  const MonoTime revoked_at = rig.now;
  std::string actions = rig.run();
  for (std::uint64_t number = 0; rig.now < revoked_at + 24h; ++number) {
    rig.push({{number, number}});
    for (actions = rig.run(); !actions.empty();) {
      if (actions.starts_with("send ")) {
        ++probes;
        actions = rig.answer(status(401), static_cast<std::size_t>(actions.at(5) - '0'));
      } else {
        actions = actions == "refresh" ? rig.refreshed(true) : "";
      }
    }
    rig.sleep();
  }
  EXPECT_EQ(rig.dispatcher.parked(), ParkReason::unauthorised);
  EXPECT_EQ(rig.dispatcher.pending_events(), rig.dispatcher.counts().events_pushed);
  EXPECT_LE(probes, 24U * 60 * 2 + 10);
  EXPECT_GE(probes, 24U * 60);
}

// A key that may send events, but not transactions. 1 to 3 are of profiles of their own, and 4 is
// of that of 2.
TEST(Dispatcher, OneForbiddenKindDoesNotStopTheOther) {
  constexpr EventKind transaction = EventKind::transaction;
  Rig rig;
  constexpr auto profile = [](std::uint64_t number) { return number << 52; };
  rig.push({{1, profile(1)}, {2, profile(2), transaction}, {3, profile(3)}, {4, profile(2)}});
  EXPECT_EQ(rig.run(), "send 0: 1 3");
  EXPECT_EQ(rig.answer(status(202)), "delivered 1 3; send transactions 0: 2");
  EXPECT_EQ(rig.answer(status(403)), "refresh");
  EXPECT_EQ(rig.refreshed(true), "send transactions 0: 2");
  EXPECT_EQ(rig.answer(status(403)), "parked unauthorised transactions");
  EXPECT_EQ(rig.dispatcher.parked(), ParkReason::unauthorised);
  EXPECT_EQ(rig.dispatcher.snapshot().parked_kind, transaction);
  rig.push({{5, profile(5)}, {6, profile(2)}, {7, profile(7), transaction}, {8, profile(7)}});
  EXPECT_EQ(rig.run(), "send 0: 5") << "not 4, 6 and 8, which come after a transaction";
  EXPECT_EQ(rig.answer(status(202)), "delivered 5");
  for (const auto ceiling : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    EXPECT_LE(rig.sleep(), ceiling);
    EXPECT_EQ(rig.run(), "send transactions 0: 2 7");
    EXPECT_EQ(rig.answer(status(403)), "refresh");
    EXPECT_EQ(rig.refreshed(true), "send transactions 0: 2 7");
    EXPECT_EQ(rig.answer(status(403)), "") << "known";
  }
  rig.sleep();
  EXPECT_EQ(rig.run(), "send transactions 0: 2 7");
  EXPECT_EQ(rig.answer(status(202)), "resumed transactions; delivered 2 7; send 0: 4 6 8");
  EXPECT_EQ(rig.dispatcher.parked(), std::nullopt);
  EXPECT_EQ(rig.answer(status(202)), "delivered 4 6 8; released; released");
}

TEST(Dispatcher, AMissingEndpointStopsOnlyItsKind) {
  Rig rig;
  rig.push({{1, 1}, {2, 2, EventKind::transaction}});
  EXPECT_EQ(rig.run(), "send 0: 1");
  EXPECT_EQ(rig.answer(status(202)), "delivered 1; send transactions 0: 2");
  EXPECT_EQ(rig.answer(status(404)), "parked misrouted transactions");
  rig.push({{3, 1}});
  EXPECT_EQ(rig.run(), "send 0: 3");
}

TEST(Dispatcher, BothKindsForbiddenParkTheWorkspace) {
  Rig rig;
  rig.push({{1, 1}, {2, 2, EventKind::transaction}});
  EXPECT_EQ(rig.run(), "send 0: 1");
  EXPECT_EQ(rig.answer(status(202)), "delivered 1; send transactions 0: 2");
  EXPECT_EQ(rig.answer(status(403)), "refresh");
  EXPECT_EQ(rig.refreshed(true), "send transactions 0: 2");
  EXPECT_EQ(rig.answer(status(403)), "parked unauthorised transactions");
  rig.push({{3, 3}});
  EXPECT_EQ(rig.run(), "send 0: 3");
  EXPECT_EQ(rig.answer(status(401)), "refresh");
  EXPECT_EQ(rig.refreshed(true), "send 0: 3");
  EXPECT_EQ(rig.answer(status(401)), "parked unauthorised");
  EXPECT_EQ(rig.dispatcher.snapshot().parked_kind, std::nullopt);
  EXPECT_EQ(rig.dispatcher.pending_events(), 2U);
}

// Each is told, tried again and resumed for itself; what works goes on.
TEST(Dispatcher, TwoOfThreeKindsForbiddenLeaveTheThird) {
  Rig rig;
  rig.push({{1, 1}, {2, 2, EventKind::transaction}, {3, 3, test::made_up_kind}});
  EXPECT_EQ(rig.run(), "send 0: 1");
  EXPECT_EQ(rig.answer(status(202)), "delivered 1; send transactions 0: 2");
  EXPECT_EQ(rig.answer(status(404)), "parked misrouted transactions; send made-ups 0: 3");
  EXPECT_EQ(rig.answer(status(404)), "parked misrouted made-ups");
  rig.push({{4, 4}, {5, 2}, {6, 3}});
  EXPECT_EQ(rig.run(), "send 0: 4") << "the others come after what is barred";
  EXPECT_EQ(rig.answer(status(202)), "delivered 4");
  rig.sleep();
  std::string actions = rig.run();
  while (actions.starts_with("send transactions")) {  // which of the two is first is by lot
    EXPECT_EQ(rig.answer(status(404)), "");
    rig.sleep();
    actions = rig.run();
  }
  EXPECT_EQ(actions, "send made-ups 0: 3");
  EXPECT_EQ(rig.answer(status(202)), "resumed made-ups; delivered 3; send 0: 6");
  EXPECT_EQ(rig.dispatcher.snapshot().parked_kind, EventKind::transaction);
  EXPECT_EQ(rig.answer(status(202)), "delivered 6");
  rig.sleep();
  EXPECT_EQ(rig.run(), "send transactions 0: 2");
  EXPECT_EQ(rig.answer(status(202)), "resumed transactions; delivered 2; released; send 0: 5");
  EXPECT_EQ(rig.dispatcher.parked(), std::nullopt);
}

TEST(Dispatcher, KeepsToWhatTheApiTakesOfAKind) {
  Rig rig;
  std::vector<EventSpec> specs;
  for (std::uint64_t number = 1; number <= 25; ++number) {
    specs.push_back({.number = number, .profile = number, .kind = test::made_up_kind});
  }
  rig.push(specs);
  EXPECT_TRUE(rig.run().ends_with(" 19 20")) << "its row says 20";
  EXPECT_EQ(rig.answer(status(202)).substr(0, 9), "delivered");
}

TEST(Dispatcher, SendsNoProbeWithoutCredentials) {
  Rig rig;
  rig.push_numbers(1, 1);
  EXPECT_EQ(rig.run(), "send 0: 1");
  EXPECT_EQ(rig.answer(failed(Failure::credentials)), "refresh");
  EXPECT_EQ(rig.refreshed(false), "parked unauthorised");
  rig.sleep();
  EXPECT_EQ(rig.run(), "refresh");
  EXPECT_EQ(rig.refreshed(true), "send 0: 1");
  EXPECT_EQ(rig.answer(status(400)), "resumed; store 0: 1 rejected") << "read, and refused";
}

TEST(Dispatcher, OldNewsAboutCredentialsIsOnlyARetry) {
  DispatcherOptions options = Rig::one_lane();
  options.lanes = 2;
  options.batch.events_max = 1;
  Rig rig(options);
  rig.push({{1, 0}});
  EXPECT_EQ(rig.run(), "send 0: 1");
  EXPECT_EQ(rig.answer(status(202), 0), "delivered 1; released");
  rig.push({{2, 0}, {3, 1}});
  EXPECT_EQ(rig.run(), "send 1: 3; send 0: 2");
  EXPECT_EQ(rig.answer(status(401), 0), "refresh");
  EXPECT_EQ(rig.refreshed(true), "send 0: 2");
  EXPECT_EQ(rig.answer(status(202), 0), "delivered 2");
  EXPECT_EQ(rig.answer(status(401), 1), "send 1: 3") << "sent before the refresh";
}

TEST(Dispatcher, ParksOnAWrongAddressAndProbesLaneByLane) {
  DispatcherOptions options = Rig::one_lane();
  options.lanes = 2;
  options.batch.events_max = 1;
  Rig rig(options);
  rig.push({{1, 0}, {2, 1}});
  EXPECT_EQ(rig.run(), "send 0: 1");
  EXPECT_EQ(rig.answer(status(302), 0), "parked misrouted");
  rig.push({{3, 0}});
  EXPECT_EQ(rig.run(), "");
  rig.sleep();
  EXPECT_EQ(rig.run(), "refresh");
  EXPECT_EQ(rig.refreshed(true), "send 1: 2");
  EXPECT_EQ(rig.answer(status(404), 1), "");
  rig.sleep();
  EXPECT_EQ(rig.run(), "refresh");
  EXPECT_EQ(rig.refreshed(true), "send 0: 1");
  EXPECT_EQ(rig.answer(status(202), 0), "resumed; delivered 1; send 1: 2");
}

// Refuses everything until the workspace parks; the numbers that were dead-lettered before.
std::string refuse_until_parked(Rig& rig, std::string actions) {
  std::string dead;
  for (int i = 0; i < 200 && !rig.dispatcher.parked(); ++i) {
    if (actions.starts_with("store 0: ")) {
      dead += actions.substr(9) + ",";
      actions = rig.stored(true);
    } else {
      actions = rig.answer(status(400, "no"));
    }
  }
  EXPECT_EQ(actions, "parked all_refused");
  return dead;
}

TEST(Dispatcher, ParksInsteadOfDeadLetteringAWholeStream) {
  DispatcherOptions options = Rig::one_lane();
  options.refused_in_a_row_max = 4;
  Rig rig(options);
  rig.push_numbers(1, 50);
  EXPECT_EQ(refuse_until_parked(rig, rig.run()), "");
  EXPECT_EQ(rig.dispatcher.pending_events(), 50U);
  std::set<std::string> probes;
  for (int i = 0; i < 20; ++i) {
    rig.sleep();
    EXPECT_EQ(rig.run(), "refresh");
    probes.insert(rig.refreshed(true));
    EXPECT_EQ(rig.answer(status(400)), "") << "a refusal does not refute it";
  }
  EXPECT_GT(probes.size(), 10U) << "not the same again and again";
  rig.sleep();
  EXPECT_EQ(rig.run(), "refresh");
  const std::string probe = rig.refreshed(true);
  EXPECT_TRUE(rig.answer(status(202)).starts_with("resumed; delivered " + probe.substr(8)));
  EXPECT_EQ(rig.dispatcher.pending_events(), 49U) << "nothing was given up";
}

TEST(Dispatcher, AProbeFindsTheGoodEventBehindABatchOfPoison) {
  DispatcherOptions options = Rig::one_lane();
  options.refused_in_a_row_max = 4;
  options.batch.events_max = 4;
  Rig rig(options);
  rig.push_numbers(1, 5);
  EXPECT_EQ(refuse_until_parked(rig, rig.run()), "");
  std::string actions;
  for (int i = 0; i < 100 && rig.dispatcher.parked(); ++i) {
    rig.sleep();
    EXPECT_EQ(rig.run(), "refresh");
    actions = rig.refreshed(true);
    actions = rig.answer(status(actions == "send 0: 5" ? 202 : 400));
  }
  EXPECT_TRUE(actions.starts_with("resumed; delivered 5; send 0: ")) << actions;
}

TEST(Dispatcher, AProbeFindsTheGoodEventBehindPoisonOfItsProfile) {
  DispatcherOptions options = Rig::one_lane();
  options.refused_in_a_row_max = 4;
  Rig rig(options);
  rig.push({{1}, {2}, {3}, {4}, {5}});
  EXPECT_EQ(refuse_until_parked(rig, rig.run()), "");
  rig.sleep();
  EXPECT_EQ(rig.run(), "refresh");
  EXPECT_EQ(rig.refreshed(true), "send 0: 1");
  EXPECT_EQ(rig.answer(status(400)), "send 0: 2") << "at once";
  EXPECT_EQ(rig.answer(status(400)), "send 0: 3");
  EXPECT_EQ(rig.answer(status(202)), "resumed; delivered 3; store 0: 1 rejected 2 rejected");
  EXPECT_EQ(rig.stored(true), "send 0: 4 5");
}

TEST(Dispatcher, AProbeThatMayHaveBeenAcceptedIsRepeated) {
  DispatcherOptions options = Rig::one_lane();
  options.refused_in_a_row_max = 4;
  Rig rig(options);
  rig.push({{1}, {2}, {3, 16}, {4, 32}});
  EXPECT_EQ(refuse_until_parked(rig, rig.run()), "");
  std::string sent;
  while (sent != "send 0: 1") {
    rig.sleep();
    EXPECT_EQ(rig.run(), "refresh");
    sent = rig.refreshed(true);
    sent = sent == "send 0: 1" ? sent : rig.answer(status(400));
  }
  EXPECT_EQ(rig.answer(status(400)), "send 0: 2");
  for (const UpstreamAnswer& unclear : {failed(Failure::no_answer), status(500), status(429)}) {
    EXPECT_EQ(rig.answer(unclear), "");
    rig.sleep();
    EXPECT_EQ(rig.run(), "refresh");
    sent = rig.refreshed(true);
    EXPECT_EQ(sent, "send 0: 2") << "1 must not be sent again after it";
  }
  EXPECT_EQ(rig.answer(status(400)), "") << "so it was not";
  EXPECT_EQ(rig.dispatcher.pending_events(), 4U);
}

TEST(Dispatcher, LoneRefusedEventsAreDeadLettersUpToTheLimit) {
  DispatcherOptions options = Rig::one_lane();
  options.refused_in_a_row_max = 4;
  options.batch.events_max = 1;
  Rig rig(options);
  rig.push_numbers(1, 6);
  EXPECT_EQ(refuse_until_parked(rig, rig.run()), "1 rejected,2 rejected,3 rejected,");
  EXPECT_EQ(rig.dispatcher.pending_events(), 3U);
}

TEST(Dispatcher, AnAcceptanceStartsTheCountAnew) {
  DispatcherOptions options = Rig::one_lane();
  options.refused_in_a_row_max = 2;
  options.batch.events_max = 1;
  Rig rig(options);
  rig.push_numbers(1, 6);
  EXPECT_EQ(rig.run(), "send 0: 1");
  for (const std::string number : {"1", "3", "5"}) {
    const std::string next = std::to_string(std::stoi(number) + 1);
    EXPECT_EQ(rig.answer(status(400)), "store 0: " + number + " rejected");
    EXPECT_TRUE(rig.stored(true).ends_with("send 0: " + next));
    EXPECT_TRUE(rig.answer(status(202)).starts_with("delivered " + next));
  }
  EXPECT_EQ(rig.dispatcher.parked(), std::nullopt);
}

// Lanes 0 to 3, whose numbers are the profiles'; a linger of 100 ms.
DispatcherOptions four_lanes() {
  DispatcherOptions options;
  options.lanes = 4;
  return options;
}

// Until three requests may be in flight; then it is lane 0's turn.
void ramp_up(Rig& rig) {
  for (int i = 0; i < 2; ++i) {
    rig.push({{90, 3}});
    rig.sleep();
    EXPECT_EQ(rig.run(), "send 3: 90");
    EXPECT_EQ(rig.answer(status(202), 3), "delivered 90; released");
  }
  EXPECT_EQ(rig.dispatcher.snapshot().concurrency_limit, 3U);
}

std::string states_of(const Dispatcher& dispatcher) {
  std::string text;
  for (const LaneSnapshot& lane : dispatcher.snapshot().lanes) {
    text += (text.empty() ? "" : ", ") +
            std::string(lane_state_names[static_cast<std::size_t>(lane.state)]) + " " +
            std::to_string(lane.batch_events) + "+" + std::to_string(lane.queued_events);
  }
  return text;
}

TEST(DispatcherSharing, FillsABatchFromTheLanesThatFollow) {
  DispatcherOptions options = four_lanes();
  options.batch.events_max = 5;
  Rig rig(options);
  rig.push({{1, 1}, {2, 1}, {3, 2}, {4, 3}, {5, 3}, {6, 0}});
  rig.push({{7, 3}});
  rig.sleep();
  EXPECT_EQ(rig.run(), "send 0: 6 1 2 3 4");
  EXPECT_EQ(states_of(rig.dispatcher), "in_flight 5+0, riding 0+0, riding 0+0, riding 0+2");
  EXPECT_EQ(rig.answer(status(202)), "delivered 6 1 2 3 4; send 3: 5 7");
  EXPECT_EQ(states_of(rig.dispatcher),
            "collecting 0+0, collecting 0+0, collecting 0+0, in_flight 2+0");
  EXPECT_EQ(rig.dispatcher.counts().batches, 2U);
}

TEST(DispatcherSharing, KeepsToTheBytes) {
  DispatcherOptions options = four_lanes();
  options.batch.bytes_max = 20;
  Rig rig(options);
  rig.push({{1, 0}, {.number = 2, .profile = 1, .size = 17}, {3, 2}});
  rig.sleep();
  EXPECT_EQ(rig.run(), "send 0: 1 3") << "2 would make it 21 bytes";
  EXPECT_EQ(rig.answer(status(202)), "delivered 1 3; send 1: 2");
}

TEST(DispatcherSharing, DoesNotMixKinds) {
  Rig rig(four_lanes());
  rig.push({{1, 0}, {2, 1, EventKind::transaction}, {3, 2}, {4, 3, EventKind::transaction}});
  rig.sleep();
  EXPECT_EQ(rig.run(), "send 0: 1 3");
  EXPECT_EQ(rig.answer(status(202)), "delivered 1 3; send transactions 1: 2 4");
}

TEST(DispatcherSharing, ALaneThatLingersComesAlong) {
  Rig rig(four_lanes());
  rig.push({{1, 0}});
  rig.now += 60ms;
  rig.push({{2, 1}});
  EXPECT_EQ(rig.run(), "");
  EXPECT_EQ(rig.sleep(), 40ms);
  EXPECT_EQ(rig.run(), "send 0: 1 2");
}

TEST(DispatcherSharing, RidersWaitForTheEndOfTheBatch) {
  Rig rig(four_lanes());
  ramp_up(rig);
  rig.push({{1, 0}, {2, 1}});
  rig.sleep();
  EXPECT_EQ(rig.run(), "send 0: 1 2");
  rig.push({{3, 1}, {4, 2}});
  rig.sleep();
  EXPECT_EQ(rig.run(), "send 2: 4") << "3 must not overtake 2";
  EXPECT_EQ(rig.answer(failed(Failure::no_answer), 0), "");
  EXPECT_EQ(rig.answer(status(202), 2), "delivered 4");
  rig.sleep();
  EXPECT_EQ(rig.run(), "send 0: 1 2");
  EXPECT_EQ(rig.answer(status(207, R"([{"index":1}])"), 0), "delivered 1; store 0: 2 rejected");
  EXPECT_EQ(rig.stored(true, 0), "released; send 1: 3");
}

TEST(DispatcherSharing, LanesThatFillABatchGoByThemselves) {
  DispatcherOptions options = four_lanes();
  options.batch = {.events_max = 3, .bytes_max = 20};
  Rig rig(options);
  rig.push({{1, 0}, {.number = 2, .profile = 0, .size = 18}, {3, 1}});
  EXPECT_EQ(rig.run(), "send 0: 1") << "there is room for 3, but only because 2 is large";
  rig.push({{4, 2}, {5, 2}, {6, 2}});
  rig.now += 100ms;
  EXPECT_EQ(rig.answer(status(202)), "delivered 1; send 1: 3; send 2: 4 5 6");
}

TEST(DispatcherSharing, IsDissolvedWhenRefusedLestTheInnocentWait) {
  Rig rig(four_lanes());
  ramp_up(rig);
  rig.push({{1, 0}, {2, 0}, {3, 1}, {4, 2}});
  rig.sleep();
  EXPECT_EQ(rig.run(), "send 0: 1 2 3 4");
  rig.push({{5, 1}, {6, 3}});
  EXPECT_EQ(rig.answer(status(400), 0), "send 1: 3 5; send 2: 4; send 0: 1 2")
      << "each alone; 6 lingers";
  EXPECT_EQ(rig.answer(status(202), 1), "delivered 3 5");
  EXPECT_EQ(rig.answer(status(202), 2), "delivered 4");
  EXPECT_EQ(rig.answer(status(400), 0), "send 0: 1") << "now it is the lane's own fault";
  rig.push({{7, 1}, {8, 2}});
  rig.sleep();
  EXPECT_EQ(rig.run(), "send 3: 6 7 8") << "the others share again";
  EXPECT_EQ(rig.answer(status(400), 0), "send 0: 2");
  EXPECT_EQ(rig.answer(status(202), 0), "delivered 2; store 0: 1 rejected");
  const DispatcherCounts& counts = rig.dispatcher.counts();
  EXPECT_EQ(counts.requests[static_cast<std::size_t>(Outcome::rejected)], 3U);
  EXPECT_EQ(counts.retries[static_cast<std::size_t>(Outcome::rejected)], 2U) << "but the verdict";
}

TEST(DispatcherSharing, WhoRodeWithPoisonGoesAloneOnce) {
  Rig rig(four_lanes());
  rig.push({{1, 0}, {2, 1}, {3, 1}, {4, 2}});
  rig.sleep();
  EXPECT_EQ(rig.run(), "send 0: 1 2 3 4");
  EXPECT_EQ(rig.answer(status(400), 0), "send 1: 2 3") << "4 goes alone too";
  EXPECT_EQ(rig.answer(status(400), 1), "send 2: 4");
  EXPECT_EQ(rig.answer(status(202), 2), "delivered 4; send 0: 1; send 1: 2");
  EXPECT_EQ(rig.answer(status(202), 0), "delivered 1");
  rig.push({{5, 2}, {6, 0}});
  rig.sleep();
  EXPECT_EQ(rig.run(), "send 2: 5 6");
}

TEST(DispatcherSharing, StaysOnceAPartWasAccepted) {
  Rig rig(four_lanes());
  rig.push({{1, 0}, {2, 1}, {3, 1}, {4, 2}});
  rig.sleep();
  EXPECT_EQ(rig.run(), "send 0: 1 2 3 4");
  rig.push({{5, 2}});
  EXPECT_EQ(rig.answer(status(413)), "send 0: 1 2");
  EXPECT_EQ(rig.answer(status(202)), "delivered 1 2; send 0: 3 4");
  EXPECT_EQ(rig.answer(status(400)), "send 0: 3");
  EXPECT_EQ(rig.answer(status(202)), "delivered 3; send 0: 4");
  EXPECT_EQ(rig.answer(status(400)), "store 0: 4 rejected");
  rig.now += 100ms;
  EXPECT_EQ(rig.run(), "") << "durable before the rider goes on";
  EXPECT_EQ(rig.stored(true), "released; send 2: 5");
}

TEST(DispatcherSharing, APartOfTheCarriersOwnIsBisectedAtOnce) {
  Rig rig(four_lanes());
  rig.push({{1, 0}, {2, 0}, {3, 1}, {4, 1}});
  rig.sleep();
  EXPECT_EQ(rig.run(), "send 0: 1 2 3 4");
  EXPECT_EQ(rig.answer(status(413)), "send 0: 1 2");
  EXPECT_EQ(rig.answer(status(400)), "send 1: 3 4");
  EXPECT_EQ(rig.answer(status(202), 1), "delivered 3 4; send 0: 1") << "nobody else was in it";
}

TEST(DispatcherSharing, ProbesOfAParkedWorkspaceAreNotShared) {
  DispatcherOptions options = four_lanes();
  options.batch.linger = 0ms;
  Rig rig(options);
  rig.push({{1, 0}});
  EXPECT_EQ(rig.run(), "send 0: 1");
  rig.push({{2, 1}, {3, 2}, {4, 3}});
  EXPECT_EQ(rig.answer(status(404)), "parked misrouted");
  rig.sleep();
  EXPECT_EQ(rig.run(), "refresh");
  EXPECT_EQ(rig.refreshed(true), "send 1: 2");
  EXPECT_EQ(rig.answer(status(202), 1), "resumed; delivered 2; send 2: 3 4");
}

TEST(DispatcherSharing, TheProbeOfAnOpenCircuitIsNotShared) {
  DispatcherOptions options = four_lanes();
  options.batch.linger = 0ms;
  options.circuit.failures_max = 1;
  Rig rig(options);
  rig.push({{1, 0}});
  EXPECT_EQ(rig.run(), "send 0: 1");
  rig.push({{2, 1}, {3, 2}, {4, 3}});
  EXPECT_EQ(rig.answer(status(500)), "");
  rig.sleep();
  EXPECT_EQ(rig.run(), "send 1: 2");
  EXPECT_EQ(rig.answer(status(202), 1), "delivered 2; send 2: 3 4");
}

TEST(DispatcherSharing, MakesLargeBatchesOfManySmallLanes) {
  constexpr std::uint64_t events = 3'795;
  Rig rig{DispatcherOptions{}};
  std::vector<EventSpec> specs;
  specs.reserve(events);
  for (std::uint64_t number = 0; number < events; ++number) {
    specs.push_back({.number = number, .profile = (1 + number % 198) * 0x9e3779b97f4a7c15ULL});
  }
  rig.push(specs);
  rig.sleep();
  std::vector<action::Send> in_flight;
  while (rig.dispatcher.pending_events() > 0) {
    std::vector<Action> actions;
    rig.dispatcher.run(rig.now, actions);
    for (const Action& action : actions) {
      if (const auto* send = std::get_if<action::Send>(&action)) {
        in_flight.push_back(*send);
      }
    }
    ASSERT_FALSE(in_flight.empty());
    const action::Send answered = in_flight.front();
    in_flight.erase(in_flight.begin());
    rig.now += 10ms;
    rig.dispatcher.on_answer(answered.lane, answered.attempt, status(202), rig.now, rig.wall_now());
  }
  EXPECT_LE(rig.dispatcher.counts().batches, 5U);
}

TEST(Dispatcher, SendsNothingAfterTheClientWasStopped) {
  Rig rig;
  rig.push_numbers(1, 2);
  EXPECT_EQ(rig.run(), "send 0: 1 2");
  EXPECT_EQ(rig.answer(failed(Failure::stopped)), "");
  rig.push_numbers(3, 3);
  EXPECT_EQ(rig.run(), "");
  EXPECT_EQ(rig.dispatcher.wake_at(rig.now), std::nullopt);
  EXPECT_EQ(rig.dispatcher.pending_events(), 3U);
}

TEST(Dispatcher, CountsWhatItDoes) {
  Rig rig;
  rig.push_numbers(1, 2);
  rig.run();
  rig.answer(status(500));
  rig.sleep();
  rig.run();
  rig.push_numbers(3, 5);
  DispatcherSnapshot snapshot = rig.dispatcher.snapshot();
  EXPECT_EQ(snapshot.in_flight, 1U);
  EXPECT_EQ(snapshot.lanes.at(0).state, LaneState::in_flight);
  EXPECT_EQ(snapshot.lanes.at(0).batch_events, 2U);
  EXPECT_EQ(snapshot.lanes.at(0).queued_events, 3U);
  EXPECT_EQ(snapshot.held_until, std::nullopt);
  rig.answer(status(202));
  rig.answer(throttled("5"));
  snapshot = rig.dispatcher.snapshot();
  EXPECT_EQ(snapshot.counts.events_pushed, 5U);
  EXPECT_EQ(snapshot.counts.events_delivered, 2U);
  EXPECT_EQ(snapshot.counts.batches, 2U);
  EXPECT_EQ(snapshot.counts.requests[static_cast<std::size_t>(Outcome::delivered)], 1U);
  EXPECT_EQ(snapshot.counts.requests[static_cast<std::size_t>(Outcome::transient)], 1U);
  EXPECT_EQ(snapshot.counts.retries[static_cast<std::size_t>(Outcome::transient)], 1U);
  EXPECT_EQ(snapshot.counts.retries[static_cast<std::size_t>(Outcome::delivered)], 0U);
  EXPECT_GE(snapshot.held_until, rig.now + 5s);
}

TEST(DispatcherDeathTest, AnAnswerThatNobodyAskedForIsAProgrammersError) {
  Rig rig;
  EXPECT_DEATH(rig.dispatcher.on_answer(0, 1, status(202), rig.now, rig.wall_now()),
               "assertion failed");
}

}  // namespace
}  // namespace sluice::deliver
