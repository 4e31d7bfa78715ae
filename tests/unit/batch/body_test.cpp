// The body of a batch is the JSON array of its events' slices, of exactly the size announced.
#include <gtest/gtest.h>

#include <sluice/batch/body.hpp>

#include "event_groups.hpp"

namespace sluice::batch {
namespace {

TEST(Body, IsTheArrayOfTheSlices) {
  const std::vector<test::EventSpec> specs = {
      {.number = 1}, {.number = 22}, {.number = 3, .size = 3}};
  const Group::Owner group = test::make_group(specs);
  const std::vector<EventRef> events = {{group.get(), 0}, {group.get(), 1}, {group.get(), 2}};
  std::string body = "what was there before, and was longer";
  assemble(events, body);
  EXPECT_EQ(body, "[1,22,3  ]");
  EXPECT_EQ(array_bytes(events), body.size());
  assemble(std::span(events).first(1), body);
  EXPECT_EQ(body, "[1]");
}

TEST(Body, KeepsItsCapacity) {
  const std::vector<test::EventSpec> specs = {{.number = 1, .size = 500}};
  const Group::Owner group = test::make_group(specs);
  const std::vector<EventRef> events = {{group.get(), 0}};
  std::string body;
  assemble(events, body);
  const char* const memory = body.data();
  assemble(events, body);
  EXPECT_EQ(body.data(), memory);
}

// A string that grows by less than half of its capacity is given more room than was asked for.
TEST(Body, GrowingALittleLeavesNothingBehindTheEnd) {
  std::string body;
  for (std::size_t size = 10; size < 5'000; size += size / 3) {
    const std::vector<test::EventSpec> specs = {{.number = 7, .size = size}};
    const Group::Owner group = test::make_group(specs);
    const std::vector<EventRef> events = {{group.get(), 0}};
    assemble(events, body);
    EXPECT_EQ(body.size(), size + 2);
    EXPECT_EQ(body.back(), ']');
  }
}

}  // namespace
}  // namespace sluice::batch
