// Goal: a key is known for as long as the window says, and no longer; only what is really kept
// counts as a duplicate; the window is bounded.
#include <span>

#include <gtest/gtest.h>

#include <sluice/buffer/dedup_window.hpp>

namespace sluice::buffer {
namespace {

using namespace std::chrono_literals;
using Entry = DedupWindow::Entry;

constexpr MonoTime start{1h};
constexpr DedupKey key{.low = 1, .high = 2};

void enter(DedupWindow& window, DedupKey entered, MonoTime now = start) {
  EXPECT_EQ(window.try_reserve(entered, now), Entry::reserved);
  window.confirm(std::span(&entered, 1));
}

TEST(DedupWindow, KnowsAKeyForTheWindow) {
  DedupWindow window({.window = 10min, .entries_max = 64'000});
  enter(window, key);
  EXPECT_EQ(window.try_reserve(key, start + 9min), Entry::duplicate);
  enter(window, {.low = 1, .high = 66});  // of the same shard
  EXPECT_EQ(window.try_reserve(key, start + 10min), Entry::reserved) << "it has left the window";
}

TEST(DedupWindow, IsNoDuplicateBeforeItIsConfirmedNorOnceGivenUp) {
  DedupWindow window({.window = 10min, .entries_max = 64'000});
  EXPECT_EQ(window.try_reserve(key, start), Entry::reserved);
  EXPECT_EQ(window.try_reserve(key, start), Entry::pending);
  window.give_up(std::span(&key, 1));
  EXPECT_EQ(window.size(), 0);
  enter(window, key);
  EXPECT_EQ(window.try_reserve(key, start), Entry::duplicate);
}

TEST(DedupWindow, IsBoundedAndDropsTheOldest) {
  DedupWindow window({.window = 10min, .entries_max = 640});
  for (std::uint64_t i = 0; i < 64'000; ++i) {
    enter(window, {.low = i, .high = i});
  }
  EXPECT_LE(window.size(), 640);
  EXPECT_EQ(window.try_reserve({.low = 63'999, .high = 63'999}, start), Entry::duplicate);
  EXPECT_EQ(window.try_reserve({.low = 0, .high = 0}, start), Entry::reserved);
}

TEST(DedupWindow, KnowsTheLatestKeyHoweverSmallItIs) {
  DedupWindow window({.window = 10min, .entries_max = 1});
  enter(window, key);
  EXPECT_EQ(window.try_reserve(key, start), Entry::duplicate);
}

TEST(DedupWindow, RemembersWhatARequestWasAnswered) {
  DedupWindow window({.window = 10min, .entries_max = 64'000});
  const RememberedAnswer answer{.request = key, .accepted = 3, .duplicates = 1};
  EXPECT_EQ(window.answer_to(key, start), std::nullopt);
  window.remember(answer, start);
  EXPECT_EQ(window.answer_to(key, start + 9min), answer);
  EXPECT_EQ(window.answer_to(key, start + 10min), std::nullopt);
}

TEST(DedupWindow, TakesInWhatAnEarlierRunKnew) {
  DedupWindow window({.window = 10min, .entries_max = 64'000});
  window.restore(key, start - 5min);
  EXPECT_EQ(window.try_reserve(key, start), Entry::duplicate);
  EXPECT_EQ(window.try_reserve(key, start + 5min), Entry::reserved);
}

}  // namespace
}  // namespace sluice::buffer
