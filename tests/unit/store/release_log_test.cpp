// Goal: whatever order groups are released in, what is stored says exactly which ones are left,
// also when some of the writes are lost.
#include "release_log.hpp"

#include <set>

#include <gmock/gmock.h>

#include "store_support.hpp"

namespace sluice::store {
namespace {

using testing::ElementsAre;
using testing::Pair;

constexpr WorkspaceId workspace = 3;

// Each group has its ticket as its number of events, so that a wrong sum shows.
Totals totals_between(Ticket begin, Ticket end) {
  Totals totals;
  for (Ticket ticket = begin; ticket < end; ++ticket) {
    totals += {.events = ticket, .keys = 1, .payload_bytes = 10};
  }
  return totals;
}
Position position_at(Ticket ticket) {
  return {.ticket = ticket, .before = totals_between(1, ticket)};
}

// The log as the entries describe it.
ReleaseLog load_log(const test::MemoryDisk::Entries& entries) {
  Position low;
  ReleaseLog::Ranges ranges;
  for (const auto& [key, value] : entries) {
    if (key.front() == static_cast<char>(Tag::low)) {
      low = decode_position(key, value).value();
    }
    if (key.front() == static_cast<char>(Tag::released)) {
      const auto range = decode_position(key, value).value();
      ranges[ticket_of_key(key)] = {.end = range.ticket, .totals = range.before};
    }
  }
  return {workspace, low, ranges};
}

bool was_released(const ReleaseLog& log, Ticket ticket) {
  if (ticket < log.low().ticket) {
    return true;
  }
  return std::ranges::any_of(log.ranges(), [&](const auto& range) {
    return range.first <= ticket && ticket < range.second.end;
  });
}

TEST(ReleaseLog, MergesRangesAndRaisesTheLowTicket) {
  ReleaseLog log(workspace);
  log.add(3, 4, totals_between(3, 4));
  log.add(5, 6, totals_between(5, 6));
  EXPECT_EQ(log.low().ticket, 1);
  EXPECT_EQ(log.ranges().size(), 2);
  log.add(4, 5, totals_between(4, 5));
  ASSERT_EQ(log.ranges().size(), 1);
  EXPECT_EQ(log.ranges().begin()->second.end, 6);
  EXPECT_EQ(log.ranges().begin()->second.totals, totals_between(3, 6));
  log.add(1, 2, totals_between(1, 2));
  EXPECT_EQ(log.low().ticket, 2);
  log.add(2, 3, totals_between(2, 3));
  EXPECT_EQ(log.low(), position_at(6));
  EXPECT_TRUE(log.ranges().empty());
}

TEST(ReleaseLog, WritesNoMoreThanTheChanges) {
  ReleaseLog log(workspace);
  for (Ticket ticket = 1; ticket <= 1000; ++ticket) {
    log.add(ticket, ticket + 1, {});
  }
  Batch batch;
  log.write_changes(batch);
  EXPECT_EQ(batch.size(), 1001) << "the groups, and the low ticket";
  EXPECT_FALSE(log.has_changes());
}

TEST(ReleaseLog, WhatAFailedWriteRemovedIsRemovedAgain) {
  ReleaseLog log(workspace);
  log.add(1, 3, {});
  Batch batch;
  log.write_changes(batch);
  log.add(4, 5, {});
  batch.clear();
  log.write_all(batch);
  test::MemoryDisk::Entries entries;
  for (const Ticket ticket : {1U, 2U, 3U, 4U}) {
    entries[make_key(Tag::group, workspace, ticket)] = "";
  }
  test::MemoryDisk::apply(batch, entries);
  EXPECT_TRUE(entries.contains(make_key(Tag::group, workspace, 3)));
  for (const Ticket ticket : {1U, 2U, 4U}) {
    EXPECT_FALSE(entries.contains(make_key(Tag::group, workspace, ticket)));
  }
}

// Releases in random order, written now and then; some of the writes are lost. What is stored must
// agree with itself: a group is either there, or known as released with its size.
TEST(ReleaseLog, WhatIsStoredHoldsWhateverIsLost) {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const Ticket end = 2 + rng.below(60);
    test::MemoryDisk::Entries entries;
    std::vector<Ticket> order;
    for (Ticket ticket = 1; ticket < end; ++ticket) {
      order.push_back(ticket);
      entries[make_key(Tag::group, workspace, ticket)] = "";
    }
    for (std::size_t i = order.size(); i > 1; --i) {  // about in order
      std::swap(order[i - 1], order[i - 1 - rng.below(std::min<std::size_t>(i, 8))]);
    }
    order.resize(rng.below(order.size() + 1));
    ReleaseLog log(workspace);
    Batch batch;
    for (const Ticket ticket : order) {
      log.add(ticket, ticket + 1, totals_between(ticket, ticket + 1));
      if (rng.below(3) == 0) {
        batch.clear();
        log.write_changes(batch);
        if (rng.below(4) != 0) {
          test::MemoryDisk::apply(batch, entries);
          log.written();
        }
      }
    }
    const ReleaseLog loaded = load_log(entries);
    std::uint64_t events_left = 0;
    for (Ticket ticket = 1; ticket < end; ++ticket) {
      if (!was_released(loaded, ticket)) {
        EXPECT_TRUE(entries.contains(make_key(Tag::group, workspace, ticket))) << ticket;
        events_left += ticket;
      }
    }
    EXPECT_EQ(loaded.backlog(position_at(end)).events, events_left);
    // After trouble everything is written again.
    batch.clear();
    log.write_all(batch);
    test::MemoryDisk::apply(batch, entries);
    const ReleaseLog again = load_log(entries);
    EXPECT_EQ(again.low(), log.low());
    EXPECT_EQ(again.ranges().size(), log.ranges().size());
    for (Ticket ticket = 1; ticket < end; ++ticket) {
      EXPECT_TRUE(was_released(again, ticket) ||
                  entries.contains(make_key(Tag::group, workspace, ticket)));
    }
  }
}

TEST(ReleaseLog, StoredRangesThatMakeNoSenseAreLeftOut) {
  const ReleaseLog log(workspace, position_at(10),
                       {{5, {.end = 8, .totals = {}}},
                        {12, {.end = 15, .totals = {}}},
                        {13, {.end = 14, .totals = {}}},
                        {17, {.end = 17, .totals = {}}}});
  ASSERT_EQ(log.ranges().size(), 1);
  EXPECT_EQ(log.ranges().begin()->first, 12);
}

}  // namespace
}  // namespace sluice::store
