// Goal: a token is accepted for an hour by those who have its key, and nothing else is.
#include "tokens.hpp"

#include <gtest/gtest.h>

namespace sluice::ingest {
namespace {

using namespace std::chrono_literals;

constexpr WallTime now{1'714'564'800'000ms};
constexpr std::string_view shared_key = "0123456789abcdef0123456789abcdef";

TEST(Tokens, AreAcceptedForAnHour) {
  const Tokens tokens{""};
  const std::string token = tokens.issue("key-id", now);
  EXPECT_EQ(tokens.verify(token, now)->key_id, "key-id");
  EXPECT_EQ(tokens.verify(token, now)->expires_at, now + 1h);
  EXPECT_TRUE(tokens.verify(token, now + 1h - 1ms));
  EXPECT_EQ(tokens.verify(token, now + 1h).error(), TokenFault::expired);
}

TEST(Tokens, AreAcceptedByThoseWhoHaveTheSameKeyAlone) {
  const std::string token = Tokens{shared_key}.issue("k", now);
  EXPECT_TRUE(Tokens{shared_key}.verify(token, now));
  EXPECT_EQ(Tokens{""}.verify(token, now).error(), TokenFault::not_ours);
  EXPECT_NE(Tokens{""}.issue("k", now), Tokens{""}.issue("k", now)) << "a key of its own";
}

TEST(Tokens, ChangedInAnyByteAreNotOurs) {
  const Tokens tokens{shared_key};
  const std::string token = tokens.issue("k", now);
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(tokens.verify(changed, now)) << i;
    EXPECT_FALSE(tokens.verify(token.substr(0, i), now)) << i;
  }
}

TEST(Tokens, OfAnotherAlgorithmAreNotOurs) {
  const Tokens tokens{shared_key};
  for (const char* other :
       {"", ".", "..", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJrIiwiZXhwIjo5OTk5OTk5OTk5fQ.", "a.b.c",
        "key"}) {
    EXPECT_EQ(tokens.verify(other, now).error(), TokenFault::not_ours) << other;
  }
}

TEST(Tokens, SayNothingAboutTheKeyThatTheyStandFor) {
  std::array<unsigned char, 32> hash{};
  const std::string id = Tokens{shared_key}.key_id(hash);
  EXPECT_EQ(id.size(), 16);
  EXPECT_EQ(id, Tokens{shared_key}.key_id(hash));
  EXPECT_NE(id, Tokens{""}.key_id(hash));
  hash[0] = 1;
  EXPECT_NE(id, Tokens{shared_key}.key_id(hash));
}

}  // namespace
}  // namespace sluice::ingest
