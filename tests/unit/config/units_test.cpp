// Goal: quantities with units and single texts are read to the letter, and a quantity that is
// written is read as the same again.

#include <chrono>
#include <cstdint>
#include <limits>

#include <gtest/gtest.h>

#include <sluice/base/json_text.hpp>

#include "quantity.hpp"
#include "text_checks.hpp"

namespace sluice::config {
namespace {

using namespace std::chrono_literals;

TEST(Quantity, Sizes) {
  EXPECT_EQ(size.parse("0"), 0U);
  EXPECT_EQ(size.parse("1000000"), 1'000'000U);
  EXPECT_EQ(size.parse("7B"), 7U);
  EXPECT_EQ(size.parse("64kB"), 64'000U);
  EXPECT_EQ(size.parse("16KiB"), 16'384U);
  EXPECT_EQ(size.parse("1MB"), 1'000'000U);
  EXPECT_EQ(size.parse("8MiB"), 8U << 20);
  EXPECT_EQ(size.parse("3GB"), 3'000'000'000U);
  EXPECT_EQ(size.parse("1GiB"), 1U << 30);
  EXPECT_EQ(size.parse("2TiB"), std::size_t{2} << 40);
  EXPECT_EQ(size.parse("99999999999TiB"), std::numeric_limits<std::size_t>::max());
  EXPECT_EQ(size.parse("99999999999999999999"), std::numeric_limits<std::size_t>::max());
  for (const char* wrong :
       {"", "KiB", "1 KiB", "1kib", "1K", "-1", "+1", "1.5MiB", "1MiB ", "0x10"}) {
    EXPECT_EQ(size.parse(wrong), std::nullopt) << wrong;
  }
}

TEST(Quantity, Durations) {
  EXPECT_EQ(duration.parse("0"), 0ms);
  EXPECT_EQ(duration.parse("0s"), 0ms);
  EXPECT_EQ(duration.parse("200ms"), 200ms);
  EXPECT_EQ(duration.parse("10s"), 10s);
  EXPECT_EQ(duration.parse("10m"), 10min);
  EXPECT_EQ(duration.parse("1h"), 1h);
  EXPECT_EQ(duration.parse("99999999999999999h"), std::chrono::milliseconds::max());
  for (const char* wrong : {"", "10", "s", "1 s", "1d", "1.5s", "-1s", "1S"}) {
    EXPECT_EQ(duration.parse(wrong), std::nullopt) << wrong;
  }
}

TEST(Quantity, Rates) {
  EXPECT_EQ(rate.parse("0"), 0);
  EXPECT_EQ(rate.parse("5000/s"), 5'000);
  EXPECT_EQ(rate.parse("0.5/s"), 0.5);
  EXPECT_EQ(rate.parse("90/m"), 1.5);
  for (const char* wrong : {"", "5", "/s", "5/h", "5 /s", "nan/s", "inf/m", "5/s "}) {
    EXPECT_EQ(rate.parse(wrong), std::nullopt) << wrong;
  }
}

TEST(Quantity, WhatIsWrittenIsReadAsTheSame) {
  for (const std::size_t bytes :
       {0UL, 1UL, 999UL, 1'000UL, 1'024UL, 262'144UL, 1'000'000UL, 1UL << 50}) {
    EXPECT_EQ(size.parse(size.format(bytes)), bytes);
    EXPECT_EQ(count.parse(count.format(bytes)), bytes);
  }
  for (const std::chrono::milliseconds time :
       {0ms, 1ms, 1'000ms, 61'000ms, 600'000ms, 5'400'001ms}) {
    EXPECT_EQ(duration.parse(duration.format(time)), time);
  }
  for (const double per_second : {0.0, 0.5, 100.0 / 60, 5'000.0, 1e-7, 1e7}) {
    EXPECT_EQ(rate.parse(rate.format(per_second)), per_second);
    EXPECT_EQ(share.parse(share.format(per_second)), per_second);
  }
  EXPECT_EQ(size.format(8U << 20), "8MiB");
  EXPECT_EQ(size.format(1'000'000), "1MB");
  EXPECT_EQ(duration.format(600s), "10m");
  EXPECT_EQ(duration.format(90s), "90s");
}

TEST(TextChecks, JsonNumbers) {
  for (const char* fine : {"0", "-0", "7", "10", "1.50", "-1.5e10", "2E-3", "1e+9"}) {
    EXPECT_TRUE(is_json_number(fine)) << fine;
  }
  for (const char* wrong :
       {"", "-", "+1", "007", "1.", ".5", "1e", "1e+", "0x1", "1_000", "1 ", "NaN"}) {
    EXPECT_FALSE(is_json_number(wrong)) << wrong;
  }
}

TEST(TextChecks, JsonPointers) {
  for (const char* fine : {"", "/", "/a", "/a/0/b c", "/a~0b~1c", "//"}) {
    EXPECT_TRUE(is_json_pointer(fine)) << fine;
  }
  for (const char* wrong : {"a", "a/b", "/a~", "/a~2", "#/a", "/~~0"}) {
    EXPECT_FALSE(is_json_pointer(wrong)) << wrong;
  }
}

TEST(TextChecks, Templates) {
  for (const char* fine : {"", "text", "{/a}", "{/a}-{/b}", "{{literal}}", "{{{/a}}}", "{}"}) {
    EXPECT_EQ(template_fault(fine), std::nullopt) << fine;
  }
  EXPECT_EQ(template_fault("{/a"), "has a { that is not closed");
  EXPECT_EQ(template_fault("{/a{/b}"), "has a { that is not closed");
  EXPECT_EQ(template_fault("a}"), "has a } that closes nothing");
  EXPECT_EQ(template_fault("{/a}}"), "has a } that closes nothing");
  EXPECT_EQ(template_fault("{a}"), "has {a}, which is not a JSON Pointer");
}

TEST(TextChecks, Names) {
  EXPECT_TRUE(is_name("orders-2.0_b"));
  EXPECT_TRUE(is_name(std::string(64, 'a')));
  EXPECT_FALSE(is_name(std::string(65, 'a')));
  EXPECT_FALSE(is_name(""));
  EXPECT_FALSE(is_name("a/b"));
  EXPECT_TRUE(is_action(std::string(32, 'a')));
  EXPECT_FALSE(is_action(std::string(33, 'a')));
  EXPECT_TRUE(is_uuid("01234567-89ab-CDEF-0123-456789abcdef"));
  EXPECT_FALSE(is_uuid("01234567-89ab-CDEF-0123-456789abcdeg"));
  EXPECT_FALSE(is_uuid("0123456789abcdef0123456789abcdef"));
  EXPECT_FALSE(is_uuid("01234567-89ab-cdef-0123-456789abcdef0"));
}

}  // namespace
}  // namespace sluice::config
