// Goal: whom a request is meant for is read by the letter of the RFCs, and what is not as they have
// it is nobody.
#include <gtest/gtest.h>

#include <sluice/base/authority.hpp>

namespace sluice {
namespace {

TEST(Authority, IsAHostWithOrWithoutAPort) {
  struct Case {
    const char* text;
    const char* host;
    bool is_literal = false;
  };
  for (const auto& [text, host, is_literal] :
       {Case{"a.example", "a.example"}, Case{"a.example:80", "a.example"}, Case{"a:", "a"},
        Case{"127.0.0.1:9", "127.0.0.1"}, Case{"%61b", "%61b"},
        Case{"a!$&'()*+,;=b", "a!$&'()*+,;=b"}, Case{"[::1]", "::1", true},
        Case{"[::ffff:1.2.3.4]:90", "::ffff:1.2.3.4", true}}) {
    const auto parsed = parse_authority(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed->host, host);
    EXPECT_EQ(parsed->is_literal, is_literal) << text;
  }
}

TEST(Authority, IsNothingElse) {
  for (const char* text : {"",       ":80",      "[]",          "[::1",      "[::1].evil.example",
                           "[::1]x", "[::1]:8x", "[a.example]", "[v1.x]",    "[::1%25lo]",
                           "a:8x",   "a:80:90",  "a@b",         "user:pw@b", "a b",
                           "a/b",    "a?b",      "a#b",         "a\\b",      "a%",
                           "a%2",    "a%zz",     "::1",         "a\tb",      "\xC3\xA4",
                           "a\x7F"}) {
    EXPECT_FALSE(parse_authority(text)) << text;
  }
}

TEST(AbsoluteTarget, IsSplitIntoAuthorityAndOriginForm) {
  struct Case {
    const char* target;
    const char* authority;
    const char* origin_form;
  };
  for (const auto& [target, authority, origin_form] :
       {Case{"http://a.example/b?c", "a.example", "/b?c"}, Case{"HTTPS://a:1", "a:1", "/"},
        Case{"http://a?x=/y", "a", "/?x=/y"}, Case{"http://[::1]:80//x", "[::1]:80", "//x"}}) {
    const auto parsed = parse_absolute_target(target);
    ASSERT_TRUE(parsed) << target;
    EXPECT_EQ(parsed->authority, authority);
    EXPECT_EQ(parsed->origin_form, origin_form);
  }
  for (const char* target : {"", "/", "*", "a", "a:80", "http:/a/", "http:///a", "ftp://a/",
                             "http://u@a/", "http://[::1/", "//a/b", "http://", "http//a"}) {
    EXPECT_FALSE(parse_absolute_target(target)) << target;
  }
}

}  // namespace
}  // namespace sluice
