// Goal: an event is known for as long as the window says, and no longer; a change is told from a
// repetition; only what is really kept counts as accepted; the window is bounded.
#include <span>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sluice/buffer/dedup_window.hpp>

namespace sluice::buffer {
namespace {

using namespace std::chrono_literals;
using Entry = DedupWindow::Entry;
using RequestEntry = DedupWindow::RequestEntry;
using testing::ElementsAre;

constexpr MonoTime start{1h};
constexpr WallTime wall{1'714'564'800'000ms};
constexpr DedupKey key{.identity = 1, .content = 2};
constexpr DedupKey changed{.identity = 1, .content = 3};

// One request, which ends at once or with confirm() or give_up().
class Request {
 public:
  explicit Request(DedupWindow& window, MonoTime now = start) : window_(window), now_(now) {
    keys.reserve(8);
  }
  Entry reserve(DedupKey wanted) { return window_.try_reserve(wanted, now_, keys); }
  void confirm() { window_.confirm(keys, std::nullopt); }
  void give_up() { window_.give_up(keys, std::nullopt); }

  std::vector<DedupKey> keys;

 private:
  DedupWindow& window_;
  MonoTime now_;
};

Entry enter(DedupWindow& window, DedupKey entered, MonoTime now = start) {
  Request request(window, now);
  const Entry entry = request.reserve(entered);
  request.confirm();
  return entry;
}

TEST(DedupWindow, KnowsAKeyForTheWindow) {
  DedupWindow window({.window = 10min, .entries_max = 64'000});
  EXPECT_EQ(enter(window, key), Entry::reserved);
  EXPECT_EQ(enter(window, key, start + 9min), Entry::duplicate);
  EXPECT_EQ(enter(window, {.identity = 2, .content = 2}), Entry::reserved) << "of the same shard";
  EXPECT_EQ(enter(window, key, start + 10min), Entry::reserved) << "it has left the window";
}

TEST(DedupWindow, TellsAChangeFromARepetition) {
  DedupWindow window({.window = 10min, .entries_max = 64'000});
  EXPECT_EQ(enter(window, key), Entry::reserved);
  EXPECT_EQ(enter(window, changed), Entry::changed);
  EXPECT_EQ(enter(window, changed), Entry::duplicate);
  EXPECT_EQ(enter(window, key), Entry::changed) << "back to what it said first";
  EXPECT_EQ(window.latest(key.identity, start), key);
  EXPECT_EQ(window.size(), 1);
}

TEST(DedupWindow, AChangeIsKnownForTheWholeWindow) {
  DedupWindow window({.window = 10min, .entries_max = 64'000});
  enter(window, key);
  enter(window, changed, start + 9min);
  EXPECT_EQ(enter(window, changed, start + 18min), Entry::duplicate);
  EXPECT_EQ(enter(window, changed, start + 28min), Entry::reserved);
}

TEST(DedupWindow, OneRequestMayChangeItsOwnEvents) {
  DedupWindow window({.window = 10min, .entries_max = 64'000});
  Request request(window);
  EXPECT_EQ(request.reserve(key), Entry::reserved);
  EXPECT_EQ(request.reserve(key), Entry::duplicate);
  EXPECT_EQ(request.reserve({.identity = 2, .content = 2}), Entry::reserved);
  EXPECT_EQ(request.reserve(changed), Entry::changed);
  EXPECT_EQ(request.reserve(key), Entry::changed);
  EXPECT_EQ(request.reserve(changed), Entry::changed);
  EXPECT_THAT(request.keys, ElementsAre(changed, DedupKey{.identity = 2, .content = 2}))
      << "of each event, what it says last";
  Request other(window);
  EXPECT_EQ(other.reserve(key), Entry::pending);
  EXPECT_EQ(other.reserve(changed), Entry::pending);
  request.confirm();
  EXPECT_EQ(enter(window, changed), Entry::duplicate);
}

TEST(DedupWindow, IsNoDuplicateBeforeItIsConfirmedNorOnceGivenUp) {
  DedupWindow window({.window = 10min, .entries_max = 64'000});
  Request request(window);
  EXPECT_EQ(request.reserve(key), Entry::reserved);
  EXPECT_EQ(enter(window, key), Entry::pending);
  EXPECT_EQ(window.latest(key.identity, start), key) << "an older one must not follow it";
  request.give_up();
  EXPECT_EQ(window.latest(key.identity, start), std::nullopt);
  EXPECT_EQ(window.size(), 0);
  EXPECT_EQ(enter(window, key), Entry::reserved);
  EXPECT_EQ(enter(window, key), Entry::duplicate);
}

TEST(DedupWindow, AChangeThatIsGivenUpLeavesWhatWasThere) {
  DedupWindow window({.window = 10min, .entries_max = 64'000});
  enter(window, key);
  Request request(window, start + 9min);
  EXPECT_EQ(request.reserve(changed), Entry::changed);
  EXPECT_EQ(enter(window, key), Entry::pending) << "it may be the change that is kept";
  request.give_up();
  EXPECT_EQ(window.latest(key.identity, start), key);
  EXPECT_EQ(enter(window, key), Entry::duplicate);
  EXPECT_EQ(enter(window, changed), Entry::changed);
}

TEST(DedupWindow, IsBoundedAndDropsTheOldest) {
  DedupWindow window({.window = 10min, .entries_max = 640});
  for (std::uint64_t i = 0; i < 64'000; ++i) {
    // In all shards, which the upper bits tell.
    enter(window, {.identity = i << 58 | i, .content = i}, start + std::chrono::nanoseconds(i));
  }
  EXPECT_LE(window.size(), 640);
  const MonoTime now = start + 1s;
  EXPECT_EQ(enter(window, {.identity = 63'999ULL << 58 | 63'999, .content = 63'999}, now),
            Entry::duplicate);
  EXPECT_EQ(enter(window, {.identity = 0, .content = 0}, now), Entry::reserved);
}

TEST(DedupWindow, ChangesDoNotGrowIt) {
  DedupWindow window({.window = 10min, .entries_max = 640});
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    ASSERT_NE(enter(window, {.identity = 1, .content = i}, start + std::chrono::nanoseconds(i)),
              Entry::duplicate);
    ASSERT_EQ(window.size(), 1);
  }
}

TEST(DedupWindow, KnowsTheLatestKeyHoweverSmallItIs) {
  DedupWindow window({.window = 10min, .entries_max = 1});
  enter(window, key);
  EXPECT_EQ(enter(window, key), Entry::duplicate);
  EXPECT_EQ(enter(window, changed, start + 1ns), Entry::changed);
  EXPECT_EQ(enter(window, changed, start + 1ns), Entry::duplicate);
}

TEST(DedupWindow, RemembersWhatARequestWasAnswered) {
  DedupWindow window({.window = 10min, .entries_max = 64'000});
  const auto look = [&](DedupKey request, MonoTime now) {
    return window.try_reserve_request({.key = request, .received_at = wall, .id = "first"}, now);
  };
  const RememberedAnswer answer{.request = key, .accepted = 3, .duplicates = 1};
  EXPECT_EQ(look(key, start).entry, RequestEntry::reserved);
  EXPECT_EQ(look(key, start).entry, RequestEntry::pending);
  EXPECT_EQ(look(changed, start).entry, RequestEntry::pending);
  window.give_up({}, key);
  EXPECT_EQ(look(changed, start).entry, RequestEntry::reserved) << "the first was not accepted";
  window.give_up({}, changed);
  EXPECT_EQ(look(key, start).entry, RequestEntry::reserved);
  window.confirm({}, answer);
  const auto again = look(key, start + 9min);
  EXPECT_EQ(again.entry, RequestEntry::repeated);
  ASSERT_TRUE(again.first);
  EXPECT_EQ(again.first->answer, answer);
  const auto other = look(changed, start + 9min);
  EXPECT_EQ(other.entry, RequestEntry::reused);
  ASSERT_TRUE(other.first);
  EXPECT_EQ(other.first->id, "first");
  EXPECT_EQ(other.first->received_at, wall);
  EXPECT_EQ(look(key, start + 10min).entry, RequestEntry::reserved);
}

TEST(DedupWindow, EventsAndRequestsWithTheSameHashAreTwoThings) {
  DedupWindow window({.window = 10min, .entries_max = 64'000});
  enter(window, key);
  EXPECT_EQ(window.try_reserve_request({.key = changed, .received_at = wall}, start).entry,
            RequestEntry::reserved);
  EXPECT_EQ(enter(window, key), Entry::duplicate);
  window.give_up({}, changed);
  EXPECT_EQ(enter(window, key), Entry::duplicate);
}

TEST(DedupWindow, TakesInWhatAnEarlierRunKnew) {
  DedupWindow window({.window = 10min, .entries_max = 64'000});
  window.restore(key, start - 5min);
  window.restore(changed, start - 4min);
  window.restore({.request = key, .accepted = 1}, wall, start - 4min);
  EXPECT_EQ(window.latest(key.identity, start), changed) << "what was accepted last";
  EXPECT_EQ(enter(window, changed), Entry::duplicate);
  const auto known = window.try_reserve_request({.key = changed, .received_at = wall + 1h}, start);
  EXPECT_EQ(known.entry, RequestEntry::reused);
  ASSERT_TRUE(known.first);
  EXPECT_EQ(known.first->received_at, wall);
  EXPECT_EQ(enter(window, changed, start + 6min), Entry::reserved);
}

TEST(DedupWindow, WhatIsAcceptedAgainIsReservedUnlessSomethingElseCameSince) {
  using Again = DedupWindow::AgainEntry;
  DedupWindow window({.window = 10min, .entries_max = 64'000});
  enter(window, key);
  std::vector<DedupKey> keys;
  EXPECT_EQ(window.try_reserve_again(key, start + 9min, keys), Again::reserved);
  EXPECT_THAT(keys, ElementsAre(key));
  EXPECT_EQ(enter(window, changed), Entry::pending) << "it may not come in between";
  std::vector<DedupKey> others;
  EXPECT_EQ(window.try_reserve_again(key, start, others), Again::pending);
  EXPECT_EQ(window.try_reserve_again(key, start + 9min, keys), Again::reserved) << "its own";
  window.give_up(keys, std::nullopt);
  EXPECT_EQ(enter(window, key, start + 9min), Entry::duplicate) << "as before";
  keys.clear();
  EXPECT_EQ(window.try_reserve_again(key, start + 9min, keys), Again::reserved);
  window.confirm(keys, std::nullopt);
  EXPECT_EQ(enter(window, changed, start + 18min), Entry::changed) << "known from then on";
  keys.clear();
  EXPECT_EQ(window.try_reserve_again(key, start + 18min, keys), Again::superseded);
  EXPECT_TRUE(keys.empty());
}

TEST(DedupWindow, OfSeveralVersionsThatAreAcceptedAgainTheLastCounts) {
  using Again = DedupWindow::AgainEntry;
  DedupWindow window({.window = 10min, .entries_max = 64'000});
  std::vector<DedupKey> keys;
  EXPECT_EQ(window.try_reserve_again(key, start, keys), Again::reserved);
  EXPECT_EQ(window.try_reserve_again(changed, start, keys), Again::reserved);
  EXPECT_THAT(keys, ElementsAre(changed));
  window.confirm(keys, std::nullopt);
  EXPECT_EQ(enter(window, changed), Entry::duplicate);
}

}  // namespace
}  // namespace sluice::buffer
