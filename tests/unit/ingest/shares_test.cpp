// Goal: who takes more than its share of a thread is known, but only where others come as well.
#include "shares.hpp"

#include <gtest/gtest.h>

namespace sluice::ingest {
namespace {

using namespace std::chrono_literals;

TEST(Shares, AreUsedUpByWhoTakesMuchWhileOthersCome) {
  Shares shares;
  const MonoTime now{1h};
  shares.note(1, now);
  shares.charge(1, 5ms, now, false);
  EXPECT_FALSE(shares.is_used_up(1, now)) << "nobody else is there";
  shares.note(2, now);
  EXPECT_TRUE(shares.is_used_up(1, now));
  EXPECT_FALSE(shares.is_used_up(2, now));
  EXPECT_FALSE(shares.is_used_up(7, now)) << "has never come";
}

TEST(Shares, AreAFourthOfTheTimeWithTwoMillisecondsAtOnce) {
  Shares shares;
  const MonoTime now{1h};
  shares.note(1, now);
  shares.note(2, now);
  shares.charge(1, 1ms, now, false);
  shares.charge(1, 1ms, now + 1ms, false);
  EXPECT_FALSE(shares.is_used_up(1, now + 1ms));
  shares.charge(1, 1ms, now + 2ms, false);
  EXPECT_TRUE(shares.is_used_up(1, now + 2ms));
  EXPECT_FALSE(shares.is_used_up(1, now + 3ms));
}

TEST(Shares, OfOneThatHasTakenLongAreUsedUpForLong) {
  Shares shares;
  const MonoTime now{1h};
  shares.note(1, now);
  shares.note(2, now);
  shares.charge(1, 100ms, now, false);
  EXPECT_TRUE(shares.is_used_up(1, now + 291ms));
  EXPECT_FALSE(shares.is_used_up(1, now + 292ms));
}

TEST(Shares, RememberWhetherWhatWasChargedLastWasInVain) {
  Shares shares;
  const MonoTime now{1h};
  EXPECT_FALSE(shares.was_in_vain(1));
  shares.charge(1, 1ms, now, true);
  EXPECT_TRUE(shares.was_in_vain(1));
  EXPECT_FALSE(shares.was_in_vain(0));
  shares.charge(1, 1ms, now, false);
  EXPECT_FALSE(shares.was_in_vain(1));
}

TEST(Shares, AreNobodysConcernWhenTheOthersHaveGone) {
  Shares shares;
  const MonoTime now{1h};
  shares.note(2, now);
  shares.note(1, now);
  const MonoTime later = now + Shares::memory;
  shares.charge(1, 5ms, later, false);
  EXPECT_FALSE(shares.is_used_up(1, later));
}

}  // namespace
}  // namespace sluice::ingest
