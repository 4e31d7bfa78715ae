// Which kinds are put aside, one by one.
#include <gtest/gtest.h>

#include <sluice/deliver/barring.hpp>

#include "made_up_kind.hpp"

namespace sluice::deliver {
namespace {

using namespace std::chrono_literals;
using enum EventKind;

constexpr MonoTime barred_from{1h};
constexpr BackoffPolicy intervals{.initial = 1s, .max = 60s};
constexpr EventKind third = test::made_up_kind;

TEST(Barring, KnowsWhichOtherEndpointWorks) {
  Barring barring(intervals);
  EXPECT_FALSE(barring.another_works(transaction)) << "nothing is known";
  EXPECT_FALSE(barring.on_works(third));
  EXPECT_TRUE(barring.another_works(event));
  EXPECT_TRUE(barring.another_works(transaction));
  EXPECT_FALSE(barring.another_works(third)) << "it is no other than itself";
  barring.on_refused(third);
  EXPECT_FALSE(barring.another_works(event));
  EXPECT_FALSE(barring.on_works(event));
  barring.forget_what_works();
  EXPECT_FALSE(barring.another_works(transaction));
}

TEST(Barring, EachKindHasItsBarItsReasonAndItsIntervals) {
  Rng rng(1);
  Barring barring(intervals);
  EXPECT_TRUE(barring.bar(third, ParkReason::misrouted, barred_from, rng));
  EXPECT_TRUE(barring.bar(transaction, ParkReason::unauthorised, barred_from + 10s, rng));
  EXPECT_TRUE(barring.is_barred(third));
  EXPECT_TRUE(barring.is_barred(transaction));
  EXPECT_FALSE(barring.is_barred(event));
  EXPECT_EQ(barring.first_barred(), transaction);
  EXPECT_EQ(barring.reason(third), ParkReason::misrouted);
  EXPECT_EQ(barring.reason(transaction), ParkReason::unauthorised);

  EXPECT_LE(*barring.try_at(), barred_from + 1s) << "the earlier one";
  EXPECT_TRUE(barring.try_again(barred_from + 1s));
  EXPECT_FALSE(barring.is_barred(third)) << "it is on trial";
  EXPECT_TRUE(barring.is_barred(transaction));
  EXPECT_FALSE(barring.bar(third, ParkReason::misrouted, barred_from + 1s, rng)) << "still";
  EXPECT_GE(*barring.try_at(), barred_from + 2s)
      << "twice as long as before, of which half at least";

  EXPECT_TRUE(barring.on_works(third)) << "what was sent before the bar may yet go through";
  EXPECT_TRUE(barring.bars_any());
  EXPECT_TRUE(barring.end_all());
  EXPECT_FALSE(barring.bars_any());
  EXPECT_FALSE(barring.end_all());
  EXPECT_EQ(barring.try_at(), std::nullopt);
}

}  // namespace
}  // namespace sluice::deliver
