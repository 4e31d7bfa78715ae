// After a 413 the fuller dimension is halved, remembered, and tried upwards again.
#include <gtest/gtest.h>

#include <sluice/deliver/size_limit.hpp>

namespace sluice::deliver {
namespace {

using namespace std::chrono_literals;

constexpr MonoTime epoch{};

SizeLimit make() { return {{.events_max = 1'000, .bytes_max = 1'000'000}, 10min}; }

TEST(SizeLimit, HalvesTheFullerDimensionOnly) {
  SizeLimit by_events = make();
  by_events.on_too_large(1'000, 390'000, epoch);
  EXPECT_EQ(by_events.at(epoch).events_max, 500U);
  EXPECT_EQ(by_events.at(epoch).bytes_max, 1'000'000U);

  SizeLimit by_bytes = make();
  by_bytes.on_too_large(2, 900'000, epoch);
  EXPECT_EQ(by_bytes.at(epoch).events_max, 1'000U);
  EXPECT_EQ(by_bytes.at(epoch).bytes_max, 450'000U);
}

TEST(SizeLimit, IsNotHalvedTwiceByLanesRefusedTogether) {
  SizeLimit limit = make();
  limit.on_too_large(1'000, 390'000, epoch);
  limit.on_too_large(1'000, 390'000, epoch);
  EXPECT_EQ(limit.at(epoch).events_max, 500U);
}

TEST(SizeLimit, IsRememberedAndThenDoubled) {
  SizeLimit limit = make();
  limit.on_too_large(600, 1'000, epoch);
  EXPECT_EQ(limit.at(epoch + 9min).events_max, 300U);
  EXPECT_EQ(limit.at(epoch + 10min).events_max, 600U);
  EXPECT_EQ(limit.at(epoch + 19min).events_max, 600U);
  EXPECT_EQ(limit.at(epoch + 20min).events_max, 1'000U);
  limit.on_too_large(1'000, 1'000, epoch + 20min);
  EXPECT_EQ(limit.at(epoch + 20min).events_max, 500U);
}

}  // namespace
}  // namespace sluice::deliver
