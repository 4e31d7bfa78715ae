// Goal: identifiers are judged as the vendor judges them.
#include "identifiers.hpp"

#include <regex>
#include <string>

#include <gtest/gtest.h>

#include <sluice/base/rng.hpp>

namespace sluice::normalise {
namespace {

TEST(Identifiers, Email) {
  for (const char* good :
       {"a@b.co", "first.last+tag@sub.example.com", "\"quoted local\"@example.org",
        "x@[192.168.1.10]", "UPPER@EXAMPLE.COM", "\xc3\xa9l@example.fr", "a'b@c-d.io"}) {
    EXPECT_TRUE(is_email(good)) << good;
  }
  for (const char* bad : {"", "@", "a@", "@b.co", "a b@c.co", "a@b", "a@b.c", "a@b..co", ".a@b.co",
                          "a.@b.co", "a..b@c.co", "a@b_c.co", "a@[1.2.3]", "a@[1.2.3.4567]",
                          "a@b.co1", "a@.co", "a,b@c.co", "a@b@c.co", "\"\"@b.co"}) {
    EXPECT_FALSE(is_email(bad)) << bad;
  }
}

// Most addresses are judged by their bits at once: that must not differ from reading them.
TEST(Identifiers, CommonEmailsAreJudgedAsARegularExpressionWould) {
  const std::regex email(R"([a-z0-9+_-]+(\.[a-z0-9+_-]+)*@[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,})");
  constexpr std::string_view characters = "ab9-_+..@@";
  Rng rng(20'261'126);
  int good = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string text(rng.below(14), ' ');
    for (char& c : text) {
      c = characters[rng.below(characters.size())];
    }
    text += rng.below(2) == 0 ? "" : "@shop.example";
    const bool expected = std::regex_match(text, email);
    ASSERT_EQ(is_email(text), expected) << text;
    good += expected ? 1 : 0;
  }
  EXPECT_GT(good, 1'000);
  for (const std::size_t length : {40U, 48U, 49U, 50U, 51U, 52U, 60U, 300U}) {
    const std::string local(length, 'a');
    EXPECT_TRUE(is_email(local + "@shop.example")) << length;
    EXPECT_FALSE(is_email(local + "@shop.example1")) << length;
    EXPECT_FALSE(is_email(local + ".@shop.example")) << length;
  }
}

TEST(Identifiers, Uuid) {
  EXPECT_TRUE(is_uuid("01890a5d-ac96-774b-bcce-b302099a8057"));
  EXPECT_TRUE(is_uuid("01890A5D-AC96-774B-BCCE-B302099A8057"));
  for (const char* bad :
       {"", "01890a5dac96774bbcceb302099a8057", "01890a5d-ac96-774b-bcce-b302099a805g",
        "01890a5d-ac96-774b-bcce-b302099a80577", "01890a5d_ac96-774b-bcce-b302099a8057"}) {
    EXPECT_FALSE(is_uuid(bad)) << bad;
  }
}

TEST(Identifiers, Int64) {
  for (const char* good : {"0", "17850", "-1", "9223372036854775807"}) {
    EXPECT_TRUE(is_int64(good)) << good;
  }
  for (const char* bad : {"", "1.0", "1e3", "9223372036854775808", "x"}) {
    EXPECT_FALSE(is_int64(bad)) << bad;
  }
}

TEST(Identifiers, ForbiddenCharacters) {
  for (const char* bad : {"a\rb", "a\nb", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xc2\xad",
                          "\xef\xb8\x80", "\xef\xb8\x8f", "\xf0\x9f\x98\x80"}) {
    EXPECT_TRUE(holds_forbidden_character(bad)) << bad;
  }
  EXPECT_TRUE(holds_forbidden_character(std::string_view("a\0b", 3)));
  for (const char* good : {"plain", "\xc3\xa9", "\xef\xb8\x90", "\xe2\x82\xac", "tab\tis fine"}) {
    EXPECT_FALSE(holds_forbidden_character(good)) << good;
  }
}

TEST(Identifiers, TrimTakesUnicodeSpaceAndNothingElse) {
  EXPECT_EQ(trim(" \t a b \r\n"), "a b");
  EXPECT_EQ(trim("\xc2\xa0x\xe3\x80\x80"), "x");
  EXPECT_EQ(trim("\xef\xbb\xbfx"), "x");
  EXPECT_EQ(trim("   "), "");
  EXPECT_EQ(trim("\xc3\xa9"), "\xc3\xa9");
}

}  // namespace
}  // namespace sluice::normalise
