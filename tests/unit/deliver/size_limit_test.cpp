// After a 413 the fuller dimension is halved, remembered, and tried upwards again.
#include <gtest/gtest.h>

#include <sluice/deliver/size_limit.hpp>

namespace sluice::deliver {
namespace {

using namespace std::chrono_literals;

constexpr MonoTime start{};

SizeLimit make() { return {{.events_max = 1'000, .bytes_max = 1'000'000}, 10min}; }

TEST(SizeLimit, HalvesTheFullerDimensionOnly) {
  SizeLimit by_events = make();
  by_events.on_too_large(1'000, 390'000, start);
  EXPECT_EQ(by_events.at(start).events_max, 500U);
  EXPECT_EQ(by_events.at(start).bytes_max, 1'000'000U);

  SizeLimit by_bytes = make();
  by_bytes.on_too_large(2, 900'000, start);
  EXPECT_EQ(by_bytes.at(start).events_max, 1'000U);
  EXPECT_EQ(by_bytes.at(start).bytes_max, 450'000U);
}

TEST(SizeLimit, IsNotHalvedTwiceByLanesRefusedTogether) {
  SizeLimit limit = make();
  limit.on_too_large(1'000, 390'000, start);
  limit.on_too_large(1'000, 390'000, start);
  EXPECT_EQ(limit.at(start).events_max, 500U);
}

TEST(SizeLimit, IsRememberedAndThenDoubled) {
  SizeLimit limit = make();
  limit.on_too_large(600, 1'000, start);
  EXPECT_EQ(limit.at(start + 9min).events_max, 300U);
  EXPECT_EQ(limit.at(start + 10min).events_max, 600U);
  EXPECT_EQ(limit.at(start + 19min).events_max, 600U);
  EXPECT_EQ(limit.at(start + 20min).events_max, 1'000U);
  limit.on_too_large(1'000, 1'000, start + 20min);
  EXPECT_EQ(limit.at(start + 20min).events_max, 500U);
}

}  // namespace
}  // namespace sluice::deliver
