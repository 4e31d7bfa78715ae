// Goal: only the right keys and living tokens are granted, and an expired token is told from a
// wrong one.
#include "credentials.hpp"

#include <chrono>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace sluice::simulator {
namespace {

using namespace std::chrono_literals;

constexpr WallTime login_time{1'767'225'600'000ms};

TEST(Credentials, basic) {
  struct Case {
    std::string_view header;
    Authorization expected;
  };
  constexpr Case cases[] = {
      {"Basic Zzpr", Authorization::granted},  // g:k
      {"", Authorization::missing},
      {"Basic Zzp4", Authorization::invalid},  // g:x
      {"Basic eDpr", Authorization::invalid},  // x:k
      {"Basic Z2s=", Authorization::invalid},  // gk
      {"Basic !!!!", Authorization::invalid},
      {"Basic ", Authorization::invalid},
      {"Digest Zzpr", Authorization::invalid},
  };
  const Credentials credentials({{.guid = "g", .api_key = "k"}}, 60min, 1);
  for (const auto& [header, expected] : cases) {
    EXPECT_EQ(credentials.check(header, login_time), expected) << header;
  }
}

TEST(Credentials, without_workspaces_anything_well_formed_will_do) {
  const Credentials credentials({}, 60min, 1);
  EXPECT_EQ(credentials.check("Basic eDp5", login_time), Authorization::granted);  // x:y
  EXPECT_EQ(credentials.check("Basic eDo=", login_time), Authorization::invalid);  // x:
  EXPECT_EQ(credentials.check("Basic Ong=", login_time), Authorization::invalid);  // :x
  EXPECT_TRUE(credentials.knows_api_key("any"));
  EXPECT_FALSE(credentials.knows_api_key(""));
}

TEST(Credentials, api_key) {
  const Credentials credentials({{.guid = "g", .api_key = "k"}}, 60min, 1);
  EXPECT_TRUE(credentials.knows_api_key("k"));
  EXPECT_FALSE(credentials.knows_api_key("g"));
}

TEST(Credentials, token_lives_as_long_as_it_says) {
  Credentials credentials({}, 60min, 1);
  const std::string header = "Bearer " + credentials.issue_token(login_time);
  EXPECT_EQ(credentials.check(header, login_time), Authorization::granted);
  EXPECT_EQ(credentials.check(header, login_time + 60min - 1ms), Authorization::granted);
  EXPECT_EQ(credentials.check(header, login_time + 60min), Authorization::expired);
}

TEST(Credentials, token_of_another_key_or_changed_is_invalid) {
  Credentials credentials({}, 60min, 1);
  Credentials others({}, 60min, 2);
  EXPECT_EQ(credentials.check("Bearer " + others.issue_token(login_time), login_time),
            Authorization::invalid);
  std::string token = credentials.issue_token(login_time);
  const std::size_t claims = token.find('.') + 5;
  token[claims] = token[claims] == 'A' ? 'B' : 'A';
  EXPECT_EQ(credentials.check("Bearer " + token, login_time), Authorization::invalid);
  for (const std::string_view malformed : {"Bearer ", "Bearer x", "Bearer x.y", "Bearer x.y.z"}) {
    EXPECT_EQ(credentials.check(malformed, login_time), Authorization::invalid) << malformed;
  }
}

TEST(Credentials, every_token_is_new) {
  Credentials credentials({}, 60min, 1);
  EXPECT_NE(credentials.issue_token(login_time), credentials.issue_token(login_time));
}

}  // namespace
}  // namespace sluice::simulator
