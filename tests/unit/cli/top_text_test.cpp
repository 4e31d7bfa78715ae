// Goal: what `sluice top` shows is what /status says, fits into the window, and has rates once
// there is something to compare with.
#include "top_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

std::string status(int accepted, int delivered, const std::string& parked) {
  return R"({"version":"0.1.0","ready":true,"not_ready":"","uptime_s":61,"accepted":)" +
         std::to_string(accepted) + R"(,"workspaces":[{"name":"shop","delivered":)" +
         std::to_string(delivered) +
         R"(,"buffered":9,"oldest_event_age_s":1.250,"pressure":0.500,"in_flight":2,)"
         R"("concurrency_limit":16,"circuit":"half_open","parked":)" +
         parked +
         R"(}],"duplicates":3,"connections":4,"rejected":{"a":5,"b":6},"dead_letters":{"stored":7}})";
}

TEST(TopText, ShowsCountsAndStates) {
  const auto state = parse_status(status(100, 50, "null"), MonoTime(1s));
  ASSERT_TRUE(state) << state.error().message;
  const std::string text = top_text(*state, std::nullopt, 100, 200);
  for (const char* part :
       {"up for 61 s: ready", "accepted 100 ", "rejected 11 ", "duplicates 3 ", "dead letters 7 ",
        "connections 4\n", "shop", "1.2 s", "50%", "2/16", "circuit half_open"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, Not(HasSubstr("/s)")));
  const auto parked = parse_status(status(1, 1, "\"unauthorised\""), MonoTime(1s));
  EXPECT_THAT(top_text(*parked, std::nullopt, 100, 200), HasSubstr("parked: unauthorised"));
}

TEST(TopText, SaysThatTheClocksDiffer) {
  const auto shown = [](const std::string& skew) {
    std::string text = status(1, 1, "null");
    const std::string circuit = R"("circuit":)";
    text.insert(text.find(circuit), R"("clock_skew_s":)" + skew + ",");
    return top_text(*parse_status(text, MonoTime(1s)), std::nullopt, 100, 200);
  };
  EXPECT_THAT(shown("312.4"), HasSubstr("the gateway's clock is 312 s ahead of the API's\n"));
  EXPECT_THAT(shown("-7.0"), HasSubstr("the gateway's clock is 7 s behind the API's\n"));
  EXPECT_THAT(shown("0.9"), Not(HasSubstr("clock")));
  EXPECT_THAT(shown("null"), Not(HasSubstr("clock")));
}

TEST(TopText, HasRatesAndFits) {
  const auto before = parse_status(status(100, 50, "null"), MonoTime(1s));
  const auto now = parse_status(status(400, 90, "null"), MonoTime(3s));
  const std::string text = top_text(*now, *before, 100, 200);
  EXPECT_THAT(text, HasSubstr("accepted 400 (150/s)"));
  EXPECT_THAT(text, HasSubstr("90 (20/s)"));
  const std::string small = top_text(*now, *before, 2, 10);
  EXPECT_EQ(small, "sluice 0.1\naccepted 4\n");
}

TEST(TopText, KnowsWhatIsNoStatus) {
  EXPECT_FALSE(parse_status("<html>", MonoTime(1s)));
  EXPECT_FALSE(parse_status("{}", MonoTime(1s)));
}

}  // namespace
}  // namespace sluice::cli
