// Goal: a token is renewed ahead of its end without anybody waiting, logins never overlap and never
// become a flood, and a post is told the truth at each moment.
#include "token_state.hpp"

#include <set>

#include <gtest/gtest.h>

namespace sluice::transport {
namespace {

using namespace std::chrono_literals;
using Advice = TokenState::Advice;

constexpr MonoTime start{1'000'000s};
constexpr std::chrono::seconds hour = 1h;

// A state with a token got at `start`, valid for an hour.
TokenState with_token(std::uint64_t seed = 1) {
  TokenState state{Rng(seed)};
  (void)state.login_started(start);
  state.login_succeeded(start, "first", hour);
  return state;
}

TEST(TokenState, TheFirstPostLogsInAndTheOthersWait) {
  TokenState state{Rng(1)};
  EXPECT_EQ(state.ask(start), Advice::log_in);
  EXPECT_EQ(state.login_started(start), start);
  EXPECT_TRUE(state.login_under_way());
  EXPECT_EQ(state.ask(start), Advice::wait);
  state.login_succeeded(start, "first", hour);
  EXPECT_FALSE(state.login_under_way());
  EXPECT_EQ(state.ask(start), Advice::use);
  EXPECT_EQ(state.token(), "first");
}

TEST(TokenState, RenewsBetween80And90PercentWhileTheTokenIsUsed) {
  std::set<Advice> halfway;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    TokenState state = with_token(seed);
    EXPECT_EQ(state.ask(start + hour * 8 / 10 - 1ns), Advice::use);
    halfway.insert(state.ask(start + hour * 85 / 100));
    EXPECT_EQ(state.ask(start + hour * 9 / 10), Advice::use_and_renew);
  }
  EXPECT_EQ(halfway.size(), 2U) << "the moment is spread";
}

TEST(TokenState, OneRenewalAtATime) {
  TokenState state = with_token();
  const MonoTime late = start + hour * 95 / 100;
  EXPECT_EQ(state.ask(late), Advice::use_and_renew);
  (void)state.login_started(late);
  EXPECT_EQ(state.ask(late), Advice::use);
  state.login_succeeded(late, "second", hour);
  EXPECT_EQ(state.ask(start + hour), Advice::use);
  EXPECT_EQ(state.token(), "second");
}

TEST(TokenState, AnExpiredTokenIsNotUsed) {
  TokenState state = with_token();
  EXPECT_EQ(state.ask(start + hour), Advice::log_in);
  (void)state.login_started(start + hour);
  EXPECT_EQ(state.ask(start + hour), Advice::wait);
}

TEST(TokenState, AFailedRenewalLeavesTheTokenUntilItsEnd) {
  TokenState state = with_token();
  const MonoTime late = start + hour * 95 / 100;
  (void)state.login_started(late);
  state.login_failed(late, "down");
  EXPECT_EQ(state.ask(late), Advice::use);
  EXPECT_EQ(state.ask(late + 2s), Advice::use_and_renew);
  EXPECT_EQ(state.ask(start + hour), Advice::log_in);
}

TEST(TokenState, AFailedLoginRefusesUntilTheNextMayStart) {
  TokenState state{Rng(1)};
  (void)state.login_started(start);
  const MonoTime failed_at = start + 300ms;
  state.login_failed(failed_at, "wrong key");
  EXPECT_EQ(state.ask(failed_at), Advice::refuse);
  EXPECT_EQ(state.refusal(), "wrong key");
  EXPECT_EQ(state.ask(failed_at + login_spacing - 1ns), Advice::refuse);
  EXPECT_EQ(state.ask(failed_at + 2 * login_spacing), Advice::log_in);
}

TEST(TokenState, LoginsAreSpacedHoweverOftenTheTokenIsDiscarded) {
  TokenState state{Rng(1)};
  MonoTime now = start;
  for (int i = 0; i < 5; ++i) {
    const MonoTime sent_at = state.login_started(now);
    EXPECT_EQ(sent_at, start + i * login_spacing);
    state.login_succeeded(sent_at, "token", hour);
    state.discard();
    EXPECT_EQ(state.ask(sent_at), Advice::log_in);
    now = sent_at;
  }
}

TEST(TokenState, ASuccessForgetsTheRefusal) {
  TokenState state{Rng(1)};
  (void)state.login_started(start);
  state.login_failed(start, "wrong key");
  (void)state.login_started(start + 10s);
  state.login_succeeded(start + 10s, "token", hour);
  state.discard();
  EXPECT_EQ(state.ask(start + 10s), Advice::log_in) << "it waits for its turn, it does not refuse";
}

TEST(TokenStateDeathTest, LoginsNeverOverlap) {
  TokenState state{Rng(1)};
  (void)state.login_started(start);
  EXPECT_DEATH((void)state.login_started(start), "assertion failed");
}

}  // namespace
}  // namespace sluice::transport
