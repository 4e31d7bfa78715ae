// The breaker opens after failures in a row, lets exactly one probe out, and trusts nothing else.
#include <gtest/gtest.h>

#include <sluice/deliver/circuit_breaker.hpp>

namespace sluice::deliver {
namespace {

using namespace std::chrono_literals;

class CircuitBreakerTest : public testing::Test {
 protected:
  void fail(AttemptId attempt) { breaker.on_failed(attempt, now, rng); }
  void open_it() {
    for (AttemptId attempt = 1; attempt <= 3; ++attempt) {
      breaker.on_sent(attempt);
      fail(attempt);
    }
  }

  MonoTime now{};
  Rng rng{1};
  CircuitBreaker breaker{{.failures_max = 3, .open_for = {.initial = 1s, .max = 4s}}};
};

TEST_F(CircuitBreakerTest, OpensAfterFailuresInARowOnly) {
  fail(1);
  fail(2);
  EXPECT_FALSE(breaker.on_answered(3));
  fail(4);
  fail(5);
  EXPECT_EQ(breaker.state(), CircuitState::closed);
  EXPECT_TRUE(breaker.admits(now));
  fail(6);
  EXPECT_EQ(breaker.state(), CircuitState::open);
  EXPECT_FALSE(breaker.admits(now));
}

TEST_F(CircuitBreakerTest, LetsOneProbeOutAndClosesWhenItIsAnswered) {
  open_it();
  EXPECT_GE(breaker.admits_at(), now + 500ms);
  EXPECT_LE(breaker.admits_at(), now + 1s);
  now = breaker.admits_at();
  EXPECT_TRUE(breaker.admits(now));
  breaker.on_sent(10);
  EXPECT_EQ(breaker.state(), CircuitState::half_open);
  EXPECT_FALSE(breaker.admits(now + 1h));
  EXPECT_TRUE(breaker.on_answered(10));
  EXPECT_EQ(breaker.state(), CircuitState::closed);
  EXPECT_TRUE(breaker.admits(now));
}

TEST_F(CircuitBreakerTest, StaysOpenLongerEachTimeAProbeFails) {
  open_it();
  for (const auto ceiling : {2s, 4s, 4s}) {
    now = breaker.admits_at();
    breaker.on_sent(10);
    fail(10);
    EXPECT_EQ(breaker.state(), CircuitState::open);
    EXPECT_GE(breaker.admits_at(), now + ceiling / 2);
    EXPECT_LE(breaker.admits_at(), now + ceiling);
  }
}

TEST_F(CircuitBreakerTest, DoesNotListenToAttemptsFromBefore) {
  open_it();
  EXPECT_FALSE(breaker.on_answered(0));
  EXPECT_EQ(breaker.state(), CircuitState::open);
  now = breaker.admits_at();
  breaker.on_sent(10);
  fail(2);
  EXPECT_FALSE(breaker.on_answered(2));
  EXPECT_EQ(breaker.state(), CircuitState::half_open);
}

TEST_F(CircuitBreakerTest, ForgetsAfterClosing) {
  open_it();
  now = breaker.admits_at();
  breaker.on_sent(10);
  EXPECT_TRUE(breaker.on_answered(10));
  fail(11);
  fail(12);
  EXPECT_EQ(breaker.state(), CircuitState::closed);
  fail(13);
  EXPECT_LE(breaker.admits_at(), now + 1s);
}

}  // namespace
}  // namespace sluice::deliver
