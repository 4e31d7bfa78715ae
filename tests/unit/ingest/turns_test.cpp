// Goal: of those who wait for a thread, producers take turns, each in its own order.
#include "turns.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace sluice::ingest {
namespace {

std::vector<int> take_all(Turns<int>& turns) {
  std::vector<int> taken;
  while (const auto item = turns.take()) {
    taken.push_back(*item);
  }
  return taken;
}

TEST(Turns, ProducersTakeThemHoweverMuchEachHas) {
  Turns<int> turns;
  EXPECT_TRUE(turns.empty());
  EXPECT_EQ(turns.take(), std::nullopt);
  for (const int item : {10, 11, 12, 13}) {
    turns.add(1, item);
  }
  turns.add(2, 20);
  turns.add(0, 30);
  turns.add(2, 21);
  EXPECT_FALSE(turns.empty());
  EXPECT_EQ(take_all(turns), std::vector({10, 20, 30, 11, 21, 12, 13}));
}

TEST(Turns, WhoComesAnewWaitsForOneOfEachOther) {
  Turns<int> turns;
  for (const int item : {10, 11, 12}) {
    turns.add(1, item);
  }
  EXPECT_EQ(turns.take(), 10);
  turns.add(2, 20);
  EXPECT_EQ(take_all(turns), std::vector({11, 20, 12}));
}

}  // namespace
}  // namespace sluice::ingest
