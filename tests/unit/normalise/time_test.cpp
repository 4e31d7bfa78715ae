// Goal: every usual way of writing an instant is read to the millisecond, everything else is
// refused with the right reason, and what is written is read back as the same instant.
#include <array>
#include <chrono>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include <sluice/base/calendar.hpp>
#include <sluice/base/rng.hpp>
#include <sluice/normalise/time.hpp>

namespace sluice {
namespace {

using std::chrono::milliseconds;

std::string written(WallTime time) {
  std::array<char, time_text_size> text{};
  EXPECT_EQ(format_time(time, text.data()), text.data() + text.size());
  return {text.data(), text.size()};
}

// A clock may show anything.
TEST(Time, writes_any_instant) {
  EXPECT_EQ(written(WallTime(milliseconds(-1))), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(written(WallTime::min()), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(written(wall_time_max), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(written(wall_time_max + milliseconds(1)), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(written(WallTime::max()), "9999-12-31T23:59:59.999Z");
}

struct Reading {
  std::string_view text;
  std::string_view instant;
};

TEST(Time, reads_each_usual_form) {
  constexpr Reading readings[] = {
      {"2010-12-01T08:26:00Z", "2010-12-01T08:26:00.000Z"},
      {"2010-12-01t08:26:00z", "2010-12-01T08:26:00.000Z"},
      {"2010-12-01 08:26:00Z", "2010-12-01T08:26:00.000Z"},
      {"2010-12-01T08:26Z", "2010-12-01T08:26:00.000Z"},
      {"2010-12-01T08:26:00.1Z", "2010-12-01T08:26:00.100Z"},
      {"2010-12-01T08:26:00,12Z", "2010-12-01T08:26:00.120Z"},
      {"2010-12-01T08:26:00.123Z", "2010-12-01T08:26:00.123Z"},
      {"2010-12-01T08:26:00.123999Z", "2010-12-01T08:26:00.123Z"},
      {"2010-12-01T08:26:00.999999999999Z", "2010-12-01T08:26:00.999Z"},
      {"2010-12-01T08:26:00+01:00", "2010-12-01T07:26:00.000Z"},
      {"2010-12-01T08:26:00+0100", "2010-12-01T07:26:00.000Z"},
      {"2010-12-01T08:26:00+01", "2010-12-01T07:26:00.000Z"},
      {"2010-12-01T08:26:00-05:30", "2010-12-01T13:56:00.000Z"},
      {"2010-12-01T08:26:00.5 -0530", "2010-12-01T13:56:00.500Z"},
      {"2010-12-01 08:26:00 +01:00", "2010-12-01T07:26:00.000Z"},
      {"2010-12-01T08:26-00:00", "2010-12-01T08:26:00.000Z"},
      {"2010-12-31T23:59:00-00:01", "2011-01-01T00:00:00.000Z"},
      {"20101201T082600Z", "2010-12-01T08:26:00.000Z"},
      {"20101201T0826Z", "2010-12-01T08:26:00.000Z"},
      {"20101201T082600.25+0200", "2010-12-01T06:26:00.250Z"},
      {"2012-02-29T00:00:00Z", "2012-02-29T00:00:00.000Z"},
      {"2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z"},
      {"2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999Z"},
      {"2016-12-31T23:59:60.5Z", "2016-12-31T23:59:59.999Z"},
      {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"},
      {"9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"},
      {"1291191960", "2010-12-01T08:26:00.000Z"},
      {"1291191960.5", "2010-12-01T08:26:00.500Z"},
      {"1291191960123", "2010-12-01T08:26:00.123Z"},
  };
  for (const auto& [text, instant] : readings) {
    const auto parsed = parse_time(text);
    ASSERT_TRUE(parsed.has_value()) << text;
    EXPECT_TRUE(parsed->has_zone) << text;
    EXPECT_EQ(written(parsed->time), instant) << text;
  }
}

TEST(Time, hands_over_a_local_time_when_only_the_zone_is_missing) {
  for (const std::string_view text :
       {"2010-12-01T08:26:00", "2010-12-01 08:26", "20101201T082600", "2010-12-01T08:26:00.000"}) {
    const auto parsed = parse_time(text);
    ASSERT_TRUE(parsed.has_value()) << text;
    EXPECT_FALSE(parsed->has_zone) << text;
    EXPECT_EQ(written(parsed->time), "2010-12-01T08:26:00.000Z") << text;
  }
}

TEST(Time, refuses_what_is_not_a_time) {
  constexpr std::string_view texts[] = {"",
                                        " ",
                                        "yesterday",
                                        "2010-12-01",
                                        "2010-12-01T",
                                        "2010-12-01T08",
                                        "2010-12-01T08:",
                                        "2010-12-01T08:26:",
                                        "2010-12-01T08:26:0Z",
                                        "2010-12-01T8:26:00Z",
                                        "2010-12-01T08:26:00.Z",
                                        "2010-12-01T08:26.5Z",
                                        "2010-12-01T08:26:00ZZ",
                                        "2010-12-01T08:26:00Z ",
                                        " 2010-12-01T08:26:00Z",
                                        "2010-12-01T08:26:00  Z",
                                        "2010-12-01T08:26:00 ",
                                        "2010-12-01T08:26:00+1",
                                        "2010-12-01T08:26:00+01:",
                                        "2010-12-01T08:26:00+01:0",
                                        "2010-12-01T08:26:00+24:00",
                                        "2010-12-01T08:26:00+01:60",
                                        "2010-12-01T0826Z",
                                        "20101201T08:26:00Z",
                                        "2010-1201T08:26:00Z",
                                        "201012-01T08:26:00Z",
                                        "10-12-01T08:26:00Z",
                                        "12010-12-01T08:26:00Z",
                                        "-2010-12-01T08:26:00Z",
                                        "2010/12/01 08:26:00",
                                        "2010-12-01T08:26:00 UTC",
                                        "-1291191960",
                                        "+1291191960",
                                        "1291191960.",
                                        "1291191960e0",
                                        std::string_view("2010-12-01T08:26:00\0", 20)};
  for (const std::string_view text : texts) {
    const auto parsed = parse_time(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error(), TimeError::syntax) << text;
  }
}

TEST(Time, refuses_what_does_not_exist) {
  for (const std::string_view text :
       {"2010-00-01T08:26:00Z", "2010-13-01T08:26:00Z", "2010-12-00T08:26:00Z",
        "2010-12-32T08:26:00Z", "2010-04-31T08:26:00Z", "2011-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z", "2010-12-01T24:00:00Z", "2010-12-01T08:60:00Z",
        "2010-12-01T08:26:61Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00Z", "2010-13-01T08:26:00",
        "99999999999999999999"}) {
    const auto parsed = parse_time(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error(), TimeError::out_of_range) << text;
  }
}

TEST(Epoch, takes_its_unit_from_its_size) {
  constexpr Reading readings[] = {
      {"0", "1970-01-01T00:00:00.000Z"},
      {"0.0019", "1970-01-01T00:00:00.001Z"},
      {"1291191960", "2010-12-01T08:26:00.000Z"},
      {"1291191960.987654", "2010-12-01T08:26:00.987Z"},
      {"99999999999", "5138-11-16T09:46:39.000Z"},
      {"100000000000", "1973-03-03T09:46:40.000Z"},
      {"1291191960123", "2010-12-01T08:26:00.123Z"},
      {"1291191960123.9", "2010-12-01T08:26:00.123Z"},
      {"99999999999999", "5138-11-16T09:46:39.999Z"},
      {"100000000000000", "1973-03-03T09:46:40.000Z"},
      {"1291191960123456", "2010-12-01T08:26:00.123Z"},
      {"100000000000000000", "1973-03-03T09:46:40.000Z"},
      {"1291191960123456789", "2010-12-01T08:26:00.123Z"},
  };
  for (const auto& [text, instant] : readings) {
    const auto time = parse_epoch(text);
    ASSERT_TRUE(time.has_value()) << text;
    EXPECT_EQ(written(*time), instant) << text;
  }
}

TEST(Epoch, refuses_signs_exponents_and_other_text) {
  for (const std::string_view text :
       {"", "-1", "+1", "1e9", "1E9", ".5", "5.", "1.2.3", "1 ", " 1", "0x10", "1,5", "now"}) {
    const auto time = parse_epoch(text);
    ASSERT_FALSE(time.has_value()) << text;
    EXPECT_EQ(time.error(), TimeError::syntax) << text;
  }
  EXPECT_EQ(parse_epoch("9223372036854775808").error(), TimeError::out_of_range);
}

TEST(Time, reads_back_what_it_writes) {
  constexpr std::uint64_t span_ms = 253'402'300'800'000;  // 1970 to 9999
  Rng rng(2010);
  for (int i = 0; i < 20'000; ++i) {
    const WallTime time{milliseconds(static_cast<std::int64_t>(rng.below(span_ms)))};
    const std::string text = written(time);
    const auto parsed = parse_time(text);
    ASSERT_TRUE(parsed.has_value()) << text;
    ASSERT_EQ(parsed->time, time) << text;
  }
}

}  // namespace
}  // namespace sluice
