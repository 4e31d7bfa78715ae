// Goal: the syntax checks take what the API takes and refuse what it refuses, at each boundary.
#include "syntax.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace sluice::simulator {
namespace {

using namespace std::string_view_literals;

struct SyntaxCase {
  std::string_view text;
  bool good;
};

TEST(Syntax, email) {
  constexpr SyntaxCase cases[] = {
      {"a@b.pl", true},
      {"first.last+tag@sub.example.com", true},
      {"\"quoted local\"@example.com", true},
      {"user@[192.168.0.1]", true},
      {"zażółć@example.com", true},
      {"", false},
      {"plain", false},
      {"@example.com", false},
      {"a@", false},
      {"a@b", false},
      {"a@b.c", false},
      {"a@b.c1", false},
      {"a@.com", false},
      {"a@b..com", false},
      {".a@b.com", false},
      {"a..b@c.com", false},
      {"a b@c.com", false},
      {"a@b@c.com", false},
      {"a@b_c.com", false},
      {"\"\"@c.com", false},
      {"user@[192.168.0]", false},
      {"user@[192.168.0.1111]", false},
      {"user@[192.168.0.x]", false},
      {"user@192.168.0.1", false},
  };
  for (const auto& [text, good] : cases) {
    EXPECT_EQ(is_email(text), good) << text;
  }
}

TEST(Syntax, uuid) {
  constexpr SyntaxCase cases[] = {
      {"07243772-008a-42e1-ba37-c3807cebde8f", true},
      {"07243772-008A-42E1-BA37-C3807CEBDE8F", true},
      {"", false},
      {"07243772008a42e1ba37c3807cebde8f", false},
      {"07243772-008a-42e1-ba37-c3807cebde8", false},
      {"07243772-008a-42e1-ba37-c3807cebde8f0", false},
      {"07243772-008a-42e1-ba37-c3807cebde8g", false},
      {"0724377-2008a-42e1-ba37-c3807cebde8f", false},
  };
  for (const auto& [text, good] : cases) {
    EXPECT_EQ(is_uuid(text), good) << text;
  }
}

TEST(Syntax, action) {
  constexpr SyntaxCase cases[] = {
      {"order.line", true}, {"A-b_9", true}, {"", false},
      {"a b", false},       {"a/b", false},  {"ż", false},
  };
  for (const auto& [text, good] : cases) {
    EXPECT_EQ(is_action(text), good) << text;
  }
}

TEST(Syntax, forbidden_characters) {
  for (const std::string_view forbidden :
       {"\r"sv, "\n"sv, "\0"sv, "\u2028"sv, "\u2029"sv, "\u00AD"sv, "\uFE00"sv, "\uFE0F"sv,
        "\U0001F600"sv, "\U00010000"sv}) {
    EXPECT_TRUE(has_forbidden_character("a" + std::string(forbidden) + "b"));
    EXPECT_TRUE(has_forbidden_character(forbidden));
  }
  for (const std::string_view allowed : {"\t"sv, " "sv, "é"sv, "\u00AC"sv, "\u00AE"sv, "\u2027"sv,
                                         "\u202A"sv, "\uFDFF"sv, "\uFE10"sv, "\uFFFD"sv}) {
    EXPECT_FALSE(has_forbidden_character("a" + std::string(allowed) + "b")) << allowed;
  }
}

TEST(Syntax, surrounding_space) {
  for (const std::string_view space : {" "sv, "\t"sv, "\u00A0"sv, "\u2003"sv, "\u3000"sv}) {
    EXPECT_TRUE(has_surrounding_space("a" + std::string(space)));
    EXPECT_TRUE(has_surrounding_space(std::string(space) + "a"));
    EXPECT_FALSE(has_surrounding_space("a" + std::string(space) + "b"));
  }
  EXPECT_FALSE(has_surrounding_space(""));
  EXPECT_FALSE(has_surrounding_space("żółć"));
}

TEST(Syntax, time_is_read_as_utc_milliseconds) {
  struct TimeCase {
    std::string_view text;
    std::int64_t ms;
  };
  constexpr TimeCase cases[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"1970-01-01T00:00Z", 0},
      {"1970-01-01T00:00:00.5Z", 500},
      {"1970-01-01T00:00:00.1239999Z", 123},
      {"1970-01-01T02:00:00+02:00", 0},
      {"1970-01-01T02:00:00+0200", 0},
      {"1970-01-01T02:00:00+02", 0},
      {"1969-12-31T18:30:00-05:30", 0},
      {"2024-02-29T23:59:59.999Z", 1'709'251'199'999},
  };
  for (const auto& [text, ms] : cases) {
    EXPECT_EQ(parse_time(text), WallTime(std::chrono::milliseconds(ms))) << text;
  }
}

TEST(Syntax, time_that_is_refused) {
  for (const std::string_view text :
       {""sv, "now"sv, "2024-01-01"sv, "2024-01-01T00:00:00"sv, "2024-01-01 00:00:00Z"sv,
        "2024-01-01T00:00:00z"sv, "2024-01-01T24:00:00Z"sv, "2024-01-01T00:60:00Z"sv,
        "2024-01-01T00:00:60Z"sv, "2024-13-01T00:00:00Z"sv, "2023-02-29T00:00:00Z"sv,
        "2024-01-01T00:00:00.Z"sv, "2024-01-01T00:00:00.1234567890Z"sv, "24-01-01T00:00:00Z"sv,
        "2024-01-01T00:00:00+2:00"sv, "2024-01-01T00:00:00+19:00"sv, "2024-01-01T00:00:00+02:60"sv,
        "2024-01-01T00:00:00Z "sv, "1704067200000"sv}) {
    EXPECT_FALSE(parse_time(text)) << text;
  }
}

}  // namespace
}  // namespace sluice::simulator
