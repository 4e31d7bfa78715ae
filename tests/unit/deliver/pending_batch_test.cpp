// A batch finds its guilty events with few requests, keeps its order, and condemns nobody too
// early.
#include <bit>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sluice/base/rng.hpp>
#include <sluice/batch/body.hpp>
#include <sluice/deliver/pending_batch.hpp>

#include "event_groups.hpp"

namespace sluice::deliver {
namespace {

using test::EventSpec;
using test::numbers_of;

constexpr batch::Limits no_limits{.events_max = 1'000'000, .bytes_max = 1'000'000'000};
constexpr Refusal refusal{.reason = DeadLetterReason::rejected, .status = 400, .answer = "bad"};

class PendingBatchTest : public testing::Test {
 protected:
  void push(batch::LaneQueue& queue, std::vector<EventSpec> specs) {
    groups_.push_back(test::make_group(specs));
    for (std::uint32_t i = 0; i < specs.size(); ++i) {
      queue.push({groups_.back().get(), i});
    }
  }
  void cut(std::vector<EventSpec> specs) {
    push(own_queue, std::move(specs));
    batch.cut_from(own_queue, no_limits);
  }
  void cut_numbers(std::uint64_t count) {
    std::vector<EventSpec> specs;
    for (std::uint64_t number = 1; number <= count; ++number) {
      specs.push_back({.number = number, .profile = number});
    }
    cut(specs);
  }
  // What is sent next.
  std::string next(const batch::Limits& limits = no_limits) {
    batch.prepare(limits);
    EXPECT_EQ(batch.bytes(), batch::array_bytes(batch.events()));
    return numbers_of(batch.events());
  }
  std::string dead() {
    std::vector<EventRef> events;
    for (const DeadLetter& letter : batch.dead_letters()) {
      events.push_back(letter.event);
    }
    return numbers_of(events);
  }

  // What is left in a queue.
  static std::string queued(const batch::LaneQueue& queue) {
    std::vector<EventRef> events;
    queue.for_each([&events](EventRef event) { events.push_back(event); });
    return numbers_of(events);
  }

  PendingBatch batch;
  batch::LaneQueue own_queue;
  batch::LaneQueue second_queue;
  batch::LaneQueue third_queue;

 private:
  std::vector<Group::Owner> groups_;
};

TEST_F(PendingBatchTest, SendsTheSameUntilItIsAccepted) {
  cut_numbers(3);
  EXPECT_EQ(next(), "1 2 3");
  EXPECT_EQ(next(), "1 2 3");
  EXPECT_EQ(numbers_of(batch.accept()), "1 2 3");
  EXPECT_TRUE(batch.done());
}

TEST_F(PendingBatchTest, SendsTheFirstHalfFirst) {
  cut_numbers(4);
  EXPECT_EQ(next(), "1 2 3 4");
  batch.bisect();
  EXPECT_EQ(next(), "1 2");
  batch.bisect();
  EXPECT_EQ(next(), "1");
  batch.suspect(refusal);
  EXPECT_EQ(next(), "2");
  batch.accept();
  EXPECT_EQ(next(), "3 4") << "nothing is known of it";
  batch.accept();
  EXPECT_FALSE(batch.has_work());
  EXPECT_EQ(dead(), "1");
  batch.dead_letters_stored();
  EXPECT_TRUE(batch.done());
}

TEST_F(PendingBatchTest, SkipsTheUselessRequest) {
  cut_numbers(8);
  (void)next();
  batch.bisect();
  EXPECT_EQ(next(), "1 2 3 4");
  batch.accept();
  EXPECT_EQ(next(), "5 6") << "5 to 8 certainly would be refused";
  batch.accept();
  EXPECT_EQ(next(), "7");
  batch.accept();
  EXPECT_EQ(next(), "8") << "guilty, but only its own refusal condemns it";
  batch.suspect(refusal);
  EXPECT_EQ(dead(), "8");
}

TEST_F(PendingBatchTest, AcceptanceOfASmallerPartProvesNothingAboutTheRest) {
  cut_numbers(8);
  (void)next();
  batch.bisect();
  EXPECT_EQ(next({.events_max = 2}), "1 2") << "the limit has shrunk meanwhile";
  batch.accept();
  EXPECT_EQ(next({.events_max = 2}), "3 4");
  batch.accept();
  EXPECT_EQ(next(), "5 6 7 8");
}

TEST_F(PendingBatchTest, FindsEveryGuiltyEventAtABoundedCost) {
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const std::uint64_t count = 1 + rng.below(1'000);
    std::set<std::uint64_t> guilty;
    for (std::uint64_t k = 1 + rng.below(20); k > 0; --k) {
      guilty.insert(1 + rng.below(count));
    }
    const auto is_guilty = [&guilty](EventRef e) { return guilty.contains(test::number_of(e)); };
    cut_numbers(count);
    std::size_t requests = 0;
    std::uint64_t last = 0;
    while (batch.has_work()) {
      batch.prepare(no_limits);
      ++requests;
      ASSERT_GT(test::number_of(batch.events().front()), requests == 1 ? 0 : last);
      if (std::ranges::none_of(batch.events(), is_guilty)) {
        last = test::number_of(batch.accept().back());
      } else if (batch.events().size() > 1) {
        batch.bisect();
      } else {
        last = test::number_of(batch.events().back());
        batch.suspect(refusal);
      }
    }
    std::set<std::uint64_t> dead_numbers;
    for (const DeadLetter& letter : batch.dead_letters()) {
      dead_numbers.insert(test::number_of(letter.event));
    }
    EXPECT_EQ(dead_numbers, guilty);
    const auto depth = static_cast<std::size_t>(std::bit_width(count - 1));
    EXPECT_LE(requests, 1 + 2 * guilty.size() * depth);
    batch.dead_letters_stored();
  }
}

TEST_F(PendingBatchTest, APartialAcceptanceNamesTheGuilty) {
  cut_numbers(6);
  (void)next();
  std::vector<std::span<const EventRef>> accepted;
  const std::vector<std::size_t> positions = {0, 3};
  batch.accept_all_but(positions, refusal, accepted);
  ASSERT_EQ(accepted.size(), 2U);
  EXPECT_EQ(numbers_of(accepted[0]), "2 3");
  EXPECT_EQ(numbers_of(accepted[1]), "5 6");
  EXPECT_EQ(dead(), "1 4");
  batch.withdraw(own_queue);
  EXPECT_EQ(dead(), "1 4") << "confirmed by what was accepted beside them";
  EXPECT_EQ(queued(own_queue), "");
}

TEST_F(PendingBatchTest, WithdrawsAllButWhatAnAcceptanceHasConfirmed) {
  cut_numbers(8);
  EXPECT_EQ(next({.events_max = 1}), "1");
  batch.suspect(refusal);
  EXPECT_EQ(next({.events_max = 1}), "2");
  batch.accept();
  EXPECT_EQ(next({.events_max = 1}), "3");
  batch.suspect(refusal);
  EXPECT_EQ(next({.events_max = 1}), "4");
  batch.suspect(refusal);
  EXPECT_EQ(batch.open_events(), 7U);
  push(own_queue, {{9}});
  batch.withdraw(own_queue);
  EXPECT_EQ(batch.open_events(), 1U);
  EXPECT_EQ(dead(), "1");
  EXPECT_EQ(queued(own_queue), "3 4 5 6 7 8 9");
}

TEST_F(PendingBatchTest, WithdrawsWhatIsLeftOfEachQueue) {
  cut_numbers(3);
  push(second_queue, {{4}, {5}});
  push(third_queue, {{6}, {7}, {8}});
  EXPECT_TRUE(batch.add_from(second_queue, no_limits));
  EXPECT_TRUE(batch.add_from(third_queue, {.events_max = 7, .bytes_max = 1'000}));
  EXPECT_EQ(next({.events_max = 2}), "1 2");
  batch.accept();
  EXPECT_EQ(next({.events_max = 4}), "3 4 5 6");
  batch.bisect();
  batch.withdraw(own_queue);
  EXPECT_TRUE(batch.done());
  EXPECT_EQ(queued(own_queue), "3");
  EXPECT_EQ(queued(second_queue), "4 5");
  EXPECT_EQ(queued(third_queue), "6 7 8");
}

TEST_F(PendingBatchTest, DoesNotSendAgainWhatSomethingMayHaveOvertaken) {
  cut_numbers(3);
  EXPECT_EQ(next({.events_max = 1}), "1");
  batch.suspect(refusal);
  EXPECT_EQ(next({.events_max = 1}), "2");
  batch.count_attempt({}, true);
  EXPECT_TRUE(batch.must_stay());
  batch.withdraw(own_queue);
  EXPECT_EQ(dead(), "1") << "2 may have been accepted";
  EXPECT_EQ(queued(own_queue), "2 3");
}

TEST_F(PendingBatchTest, WhatIsStoredCannotBeWithdrawn) {
  cut_numbers(1);
  (void)next();
  batch.suspect(refusal);
  batch.dead_letters_stored();
  batch.withdraw(own_queue);
  EXPECT_TRUE(batch.done());
  EXPECT_EQ(queued(own_queue), "");
}

TEST_F(PendingBatchTest, AProbeIsTheBeginningOfSomeProfile) {
  Rng rng(1);
  push(own_queue, {{1, 7}, {2, 8}, {3, 7}, {4, 9}, {5, 7}});
  std::set<std::string> probes;
  for (int i = 0; i < 50; ++i) {
    batch.cut_probe_from(own_queue, 2, rng);
    probes.insert(next());
    batch.withdraw(own_queue);
  }
  EXPECT_THAT(probes, testing::UnorderedElementsAre("1 3", "2", "4"));
}

TEST_F(PendingBatchTest, ADeadLetterKnowsItsHistory) {
  cut_numbers(2);
  const WallTime first{std::chrono::seconds(10)};
  (void)next();
  batch.count_attempt(first);
  batch.bisect();
  (void)next();
  batch.count_attempt(first + std::chrono::seconds(5));
  const std::string words = std::string(dead_letter_answer_bytes_max - 1, 'x') + "ä and more";
  batch.suspect({.reason = DeadLetterReason::too_large, .status = 413, .answer = words});
  const DeadLetter& letter = batch.dead_letters().front();
  EXPECT_EQ(letter.reason, DeadLetterReason::too_large);
  EXPECT_EQ(letter.status, 413U);
  EXPECT_EQ(letter.answer, words.substr(0, dead_letter_answer_bytes_max - 1)) << "no half letter";
  EXPECT_EQ(letter.attempts, 2U);
  EXPECT_EQ(letter.first_attempt_at, first);
  EXPECT_EQ(letter.last_attempt_at, first + std::chrono::seconds(5));
}

TEST_F(PendingBatchTest, TakesAlongWhatFitsOfOtherQueues) {
  cut_numbers(2);
  EXPECT_FALSE(batch.is_shared());
  push(second_queue, {{3}, {.number = 4, .size = 10}, {5}});
  push(third_queue, {{.number = 6, .size = 10}});
  EXPECT_TRUE(batch.add_from(second_queue, {.events_max = 10, .bytes_max = 17}));
  EXPECT_FALSE(batch.add_from(third_queue, {.events_max = 10, .bytes_max = 17}));
  EXPECT_TRUE(batch.is_shared());
  EXPECT_TRUE(batch.add_from(second_queue, {.events_max = 4, .bytes_max = 18}));
  EXPECT_EQ(next(), "1 2 3 4");
  EXPECT_EQ(batch.bytes(), 18U) << "full to the byte";
  EXPECT_EQ(queued(second_queue), "5");
  EXPECT_EQ(queued(third_queue), "6");
}

TEST_F(PendingBatchTest, TakesAlongNothingOfTheOtherKind) {
  cut_numbers(1);
  push(second_queue, {{.number = 2, .kind = EventKind::transaction}, {.number = 3, .profile = 3}});
  EXPECT_FALSE(batch.add_from(second_queue, no_limits));
  EXPECT_EQ(queued(second_queue), "2 3");
}

TEST_F(PendingBatchTest, GivesEachQueueItsOwnBack) {
  cut_numbers(2);
  push(second_queue, {{3}, {4}});
  push(third_queue, {{5}, {6}});
  EXPECT_TRUE(batch.add_from(second_queue, no_limits));
  EXPECT_TRUE(batch.add_from(third_queue, {.events_max = 5, .bytes_max = 1'000}));
  push(second_queue, {{7}});
  const WallTime sent_at{std::chrono::seconds(10)};
  EXPECT_EQ(next(), "1 2 3 4 5");
  batch.count_attempt(sent_at);
  EXPECT_TRUE(batch.give_back());
  EXPECT_FALSE(batch.is_shared());
  EXPECT_EQ(queued(second_queue), "3 4 7");
  EXPECT_EQ(queued(third_queue), "5 6");
  EXPECT_EQ(batch.open_events(), 2U);
  EXPECT_EQ(next(), "1 2");
  batch.bisect();
  EXPECT_EQ(next(), "1");
  batch.count_attempt(sent_at + std::chrono::seconds(1));
  batch.suspect(refusal);
  EXPECT_EQ(batch.dead_letters().front().attempts, 2U) << "the shared request carried it too";
  EXPECT_EQ(batch.dead_letters().front().first_attempt_at, sent_at);
}

TEST_F(PendingBatchTest, KnowsWhetherGivingBackChangedTheFirstPiece) {
  cut_numbers(3);
  push(second_queue, {{4}, {5}, {6}});
  EXPECT_TRUE(batch.add_from(second_queue, no_limits));
  EXPECT_EQ(next({.events_max = 2}), "1 2") << "the limit has shrunk meanwhile";
  EXPECT_TRUE(batch.is_shared());
  EXPECT_FALSE(batch.give_back());
  EXPECT_EQ(queued(second_queue), "4 5 6");
  EXPECT_EQ(next(), "1 2");
  batch.accept();
  EXPECT_EQ(next(), "3");
}

TEST_F(PendingBatchTest, GivesNothingBackOnceAnythingIsKnown) {
  for (const bool accepted : {true, false}) {
    SCOPED_TRACE(accepted);
    cut_numbers(1);
    push(second_queue, {{2}});
    EXPECT_TRUE(batch.add_from(second_queue, no_limits));
    EXPECT_EQ(next({.events_max = 1}), "1");
    EXPECT_TRUE(batch.is_shared());
    if (accepted) {
      batch.accept();
    } else {
      batch.suspect(refusal);
    }
    EXPECT_FALSE(batch.is_shared());
    EXPECT_EQ(next(), "2") << "it stays";
    batch.accept();
    batch.dead_letters_stored();
  }
}

TEST_F(PendingBatchTest, KeepsTheEventsOfTheBatchBefore) {
  cut_numbers(3);
  (void)next();
  const std::span<const EventRef> delivered = batch.accept();
  cut({{4}, {5}});
  EXPECT_EQ(numbers_of(delivered), "1 2 3");
}

}  // namespace
}  // namespace sluice::deliver
