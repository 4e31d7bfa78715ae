// Goal: a key is known for as long as the window says, and no longer; the window is bounded.
#include <gtest/gtest.h>

#include <sluice/buffer/dedup_window.hpp>

namespace sluice::buffer {
namespace {

using namespace std::chrono_literals;
using normalise::DedupKey;

constexpr MonoTime start{1h};

TEST(DedupWindow, KnowsAKeyForTheWindow) {
  DedupWindow window({.window = 10min, .entries_max = 64'000});
  const DedupKey key{.low = 1, .high = 2};
  EXPECT_TRUE(window.try_enter(key, start));
  EXPECT_FALSE(window.try_enter(key, start + 9min));
  EXPECT_TRUE(window.try_enter({.low = 1, .high = 66}, start)) << "another key of the same shard";
  EXPECT_TRUE(window.try_enter(key, start + 10min)) << "it has left the window";
}

TEST(DedupWindow, ForgetsWhatWasNotAcceptedAfterAll) {
  DedupWindow window({.window = 10min, .entries_max = 64'000});
  const DedupKey key{.low = 1, .high = 2};
  EXPECT_TRUE(window.try_enter(key, start));
  window.forget(key);
  EXPECT_EQ(window.size(), 0);
  EXPECT_TRUE(window.try_enter(key, start));
  EXPECT_FALSE(window.try_enter(key, start));
}

TEST(DedupWindow, IsBoundedAndDropsTheOldest) {
  DedupWindow window({.window = 10min, .entries_max = 640});
  for (std::uint64_t i = 0; i < 64'000; ++i) {
    EXPECT_TRUE(window.try_enter({.low = i, .high = i}, start));
  }
  EXPECT_LE(window.size(), 640);
  EXPECT_FALSE(window.try_enter({.low = 63'999, .high = 63'999}, start)) << "the newest is known";
  EXPECT_TRUE(window.try_enter({.low = 0, .high = 0}, start)) << "the oldest is not";
}

TEST(DedupWindow, KnowsTheLatestKeyHoweverSmallItIs) {
  DedupWindow window({.window = 10min, .entries_max = 1});
  EXPECT_TRUE(window.try_enter({.low = 1, .high = 2}, start));
  EXPECT_FALSE(window.try_enter({.low = 1, .high = 2}, start));
}

}  // namespace
}  // namespace sluice::buffer
