// A lane's batches keep to the limits and to one kind, and never take an event before an earlier
// one of the same profile: by example, and against a model for many seeds.
#include <algorithm>
#include <deque>
#include <map>

#include <gtest/gtest.h>

#include <sluice/base/rng.hpp>
#include <sluice/batch/body.hpp>
#include <sluice/batch/lane_queue.hpp>

#include "event_groups.hpp"

namespace sluice::batch {
namespace {

using std::chrono::milliseconds;
using test::EventSpec;
using test::numbers_of;

constexpr EventKind transaction = EventKind::transaction;

// A queue and the groups that it refers to.
class Lane {
 public:
  LaneQueue queue;
  std::vector<EventRef> batch;

  void push(std::vector<EventSpec> specs, MonoTime accepted_at = {}) {
    groups_.push_back(test::make_group(specs, accepted_at));
    for (std::uint32_t i = 0; i < specs.size(); ++i) {
      queue.push({groups_.back().get(), i});
    }
  }
  std::string cut(const Limits& limits = {}) {
    batch.clear();
    const Cut taken = queue.cut(limits, batch);
    EXPECT_EQ(taken.bytes, array_bytes(batch));
    for (const EventRef event : batch) {
      EXPECT_EQ(event.record().kind, taken.kind);
    }
    return numbers_of(batch);
  }

 private:
  std::vector<Group::Owner> groups_;
};

TEST(LaneQueue, CutsInOrderOfAcceptance) {
  Lane lane;
  lane.push({{1}, {2}});
  lane.push({{3}});
  EXPECT_EQ(lane.cut({.events_max = 2}), "1 2");
  EXPECT_EQ(lane.cut({.events_max = 2}), "3");
  EXPECT_TRUE(lane.queue.empty());
}

TEST(LaneQueue, CountsBracketsAndCommas) {
  Lane lane;
  lane.push({{1}, {2}, {3}});
  EXPECT_EQ(lane.cut({.bytes_max = 6}), "1 2");  // [1,2] is 5 bytes, [1,2,3] is 7
  lane.push({{4}, {5}});
  EXPECT_EQ(lane.cut({.bytes_max = 7}), "3 4 5");
}

TEST(LaneQueue, TakesAnEventThatAloneIsOverTheLimit) {
  Lane lane;
  lane.push({{.number = 1, .size = 100}, {2}});
  EXPECT_EQ(lane.cut({.bytes_max = 10}), "1");
  EXPECT_EQ(lane.cut({.bytes_max = 10}), "2");
}

TEST(LaneQueue, PassesOverTheOtherKindButNotOverItsProfiles) {
  constexpr std::uint64_t a = 1ULL << 52;
  constexpr std::uint64_t b = 2ULL << 52;
  Lane lane;
  lane.push({{1, a}, {2, b, transaction}, {3, a}, {4, b}, {5, a, transaction}, {6, a}});
  EXPECT_EQ(lane.cut(), "1 3");
  EXPECT_EQ(lane.cut(), "2 5");
  EXPECT_EQ(lane.cut(), "4 6");
}

TEST(LaneQueue, TwoProfilesTakenForOneKeepTheirOrder) {
  Lane lane;  // the same high bits: the bitmap cannot tell 1 from 2
  lane.push({{1, 0}, {2, 1, transaction}, {3, 2}, {4, 2}, {5, 3ULL << 52}});
  EXPECT_EQ(lane.cut(), "1 5");
  EXPECT_EQ(lane.cut(), "2");
  EXPECT_EQ(lane.cut(), "3 4");
}

TEST(LaneQueue, AppendsToWhatIsThere) {
  Lane first;
  first.push({{1}});
  Lane second;
  second.push({{2}, {3}, {4}});
  (void)first.queue.cut({}, first.batch);
  const Cut cut = second.queue.cut({.events_max = 2, .bytes_max = 5}, first.batch);
  EXPECT_EQ(numbers_of(first.batch), "1 2 3");
  EXPECT_EQ(cut.bytes, 5U) << "of the second cut alone";
}

TEST(LaneQueue, PutsBackBeforeWhatHasComeMeanwhile) {
  Lane lane;
  lane.push({{1}, {2}, {3}});
  EXPECT_EQ(lane.cut({.events_max = 2}), "1 2");
  lane.push({{4}});
  lane.queue.put_back(lane.batch);
  EXPECT_EQ(lane.queue.size(), 4U);
  EXPECT_EQ(test::number_of(lane.queue.head()), 1U);
  EXPECT_EQ(lane.cut(), "1 2 3 4");
}

TEST(LaneQueue, PutsBackIntoAQueueThatHasFilledUp) {
  Lane lane;
  const std::vector<EventSpec> specs(60, {.number = 1});
  lane.push(specs);
  (void)lane.cut();
  lane.push(specs);
  lane.queue.put_back(lane.batch);
  EXPECT_EQ(lane.queue.size(), 120U);
}

TEST(LaneQueue, CutsTheBeginningOfAProfileDrawnByLot) {
  Rng rng(1);
  Lane lane;
  lane.push({{1, 7}, {2, 8}, {3, 7}, {4, 9}, {5, 7}, {6, 9, transaction}, {7, 9}});
  std::map<std::string, int> drawn;
  for (int i = 0; i < 300; ++i) {
    lane.batch.clear();
    const Cut cut = lane.queue.cut_profile(2, rng, lane.batch);
    EXPECT_EQ(cut.bytes, array_bytes(lane.batch));
    EXPECT_EQ(lane.queue.size(), 7 - lane.batch.size());
    ++drawn[numbers_of(lane.batch)];
    lane.queue.put_back(lane.batch);
  }
  EXPECT_EQ(drawn.size(), 3U);
  for (const std::string expected : {"1 3", "2", "4"}) {
    EXPECT_GT(drawn[expected], 60) << expected;
  }
}

TEST(LaneQueue, ScansOnlySoFar) {
  Lane lane;
  lane.push({{1, 0}});
  for (std::size_t i = 0; i < LaneQueue::passed_over_max + 1; ++i) {
    lane.push({{2, 1ULL << 52, transaction}});
  }
  lane.push({{3, 2ULL << 52}});
  EXPECT_EQ(lane.cut(), "1");
  EXPECT_EQ(lane.queue.size(), LaneQueue::passed_over_max + 2);
}

TEST(LaneQueue, IsReadyWhenFullOrWhenTheHeadHasLingered) {
  const MonoTime start{};
  const Limits limits{.events_max = 3, .bytes_max = 20, .linger = milliseconds(100)};
  Lane lane;
  lane.push({{1}}, start + milliseconds(5));
  lane.push({{2}}, start + milliseconds(50));
  EXPECT_EQ(lane.queue.ready_at(limits), start + milliseconds(105));
  lane.push({{.number = 3, .kind = transaction}}, start);
  EXPECT_EQ(lane.queue.ready_at(limits), start + milliseconds(105)) << "of the other kind";
  lane.push({{4}}, start);
  EXPECT_EQ(lane.queue.ready_at(limits), MonoTime::min()) << "three of the kind";
  EXPECT_EQ(lane.cut(limits), "1 2");
  EXPECT_EQ(lane.queue.ready_at(limits), start + milliseconds(100));
  lane.push({{.number = 5, .kind = transaction, .size = 16}}, start);
  EXPECT_EQ(lane.queue.ready_at(limits), MonoTime::min()) << "[3,5...] is 20 bytes";
}

// What the header promises, in the simplest possible way.
std::vector<EventSpec> model_cut(std::deque<EventSpec>& queue, const Limits& limits) {
  const EventKind kind = queue.front().kind;
  std::map<std::uint64_t, bool> passed;
  std::deque<EventSpec> left;
  std::vector<EventSpec> taken;
  std::size_t bytes = 1;
  bool closed = false;
  for (const EventSpec& spec : queue) {
    if (closed || taken.size() == limits.events_max) {
      left.push_back(spec);
    } else if (spec.kind != kind || passed[spec.profile >> 52]) {
      passed[spec.profile >> 52] = true;
      left.push_back(spec);
    } else if (!taken.empty() && bytes + spec.size + 1 > limits.bytes_max) {
      closed = true;
      left.push_back(spec);
    } else {
      bytes += spec.size + 1;
      taken.push_back(spec);
    }
  }
  queue = left;
  return taken;
}

bool model_fills(const std::deque<EventSpec>& queue, const Limits& limits) {
  std::size_t events = 0;
  std::size_t bytes = 1;
  for (const EventSpec& spec : queue) {
    if (spec.kind == queue.front().kind) {
      ++events;
      bytes += spec.size + 1;
    }
  }
  return events >= limits.events_max || bytes >= limits.bytes_max;
}

std::string numbers_of(const std::vector<EventSpec>& specs) {
  std::string text;
  for (const EventSpec& spec : specs) {
    text += (text.empty() ? "" : " ") + std::to_string(spec.number);
  }
  return text;
}

// A queue and its model, treated alike.
class Twins {
 public:
  explicit Twins(std::uint64_t seed)
      : rng_(seed), limits_{.events_max = 1 + rng_.below(20), .bytes_max = 20 + rng_.below(200)} {}

  [[nodiscard]] bool empty() const { return model_.empty(); }
  bool one_in(std::uint64_t n) { return rng_.below(n) == 0; }

  void push() {
    std::vector<EventSpec> specs;
    for (std::uint64_t n = 1 + rng_.below(12); n > 0; --n) {
      specs.push_back({.number = ++number_,
                       .profile = rng_.below(8) << 52,
                       .kind = static_cast<EventKind>(one_in(4) ? 1 + rng_.below(2) : 0),
                       .size = 4 + rng_.below(30)});
    }
    model_.insert(model_.end(), specs.begin(), specs.end());
    lane_.push(specs);
  }
  void cut() {
    taken_ = model_cut(model_, limits_);
    ASSERT_EQ(lane_.cut(limits_), numbers_of(taken_));
    ASSERT_EQ(lane_.queue.size(), model_.size());
    if (!model_.empty()) {
      ASSERT_EQ(lane_.queue.fills(limits_), model_fills(model_, limits_));
    }
  }
  void put_back() {
    model_.insert(model_.begin(), taken_.begin(), taken_.end());
    lane_.queue.put_back(lane_.batch);
    std::vector<EventRef> held;
    lane_.queue.for_each([&held](EventRef event) { held.push_back(event); });
    const auto same = [](EventRef event, const EventSpec& spec) {
      return test::number_of(event) == spec.number;
    };
    ASSERT_TRUE(std::ranges::equal(held, model_, same));
    ASSERT_EQ(lane_.queue.fills(limits_), model_fills(model_, limits_));
  }
  // What was cut stays cut.
  void keep() {
    for (const EventSpec& spec : taken_) {
      ASSERT_LT(std::exchange(last_of_profile_[spec.profile], spec.number), spec.number)
          << "profile reordered";
    }
  }

 private:
  Rng rng_;
  Limits limits_;
  Lane lane_;
  std::deque<EventSpec> model_;
  std::vector<EventSpec> taken_;
  std::map<std::uint64_t, std::uint64_t> last_of_profile_;
  std::uint64_t number_ = 0;
};

TEST(LaneQueue, DoesWhatTheModelDoes) {
  for (std::uint64_t seed = 0; seed < 300 && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Twins twins(seed);
    for (int step = 0; step < 60 && !HasFailure(); ++step) {
      if (twins.empty() || twins.one_in(3)) {
        twins.push();
      }
      twins.cut();
      if (twins.one_in(3)) {
        twins.push();
      }
      if (twins.one_in(3)) {
        twins.put_back();
      } else {
        twins.keep();
      }
    }
    while (!twins.empty() && !HasFailure()) {
      twins.cut();
      twins.keep();
    }
  }
}

}  // namespace
}  // namespace sluice::batch
