// Goal: the consumer gets every group once and in order, from memory or from disk, and memory stays
// bounded.
#include "feed.hpp"

#include <map>

#include "store_support.hpp"

namespace sluice::store {
namespace {

const FakeClock feed_clock;

// Random appends, reads and read-backs against a plain list.
TEST(Feed, GivesEachGroupOnceAndInOrder) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const Feed::Limits limits{.tail_bytes_max = 1'000 + rng.below(20'000),
                              .read_ahead_bytes = 500 + rng.below(10'000)};
    std::vector<Position> positions{{}};  // of ticket i + 1
    std::map<Ticket, std::uint64_t> sizes;
    const auto make = [&](Ticket ticket) {
      Group::Owner group = numbered_group(ticket, feed_clock);
      group->ticket = ticket;
      return group;
    };
    const auto commit_one = [&] {
      Group::Owner group = make(positions.size());
      Position next = positions.back();
      ++next.ticket;
      next.before += totals_of(*group);
      positions.push_back(next);
      return group;
    };
    for (std::uint64_t i = rng.below(20); i > 0; --i) {
      commit_one();  // by an earlier run
    }
    Feed feed(limits, positions.front(), positions.back());
    std::optional<Feed::Want> want;
    Ticket seen = 0;
    bool asleep = false;
    for (int step = 0; step < 400; ++step) {
      switch (rng.below(4)) {
        case 0: {
          std::vector<Group::Owner> groups;
          for (std::uint64_t i = rng.below(6); i > 0; --i) {
            groups.push_back(commit_one());
          }
          asleep = !feed.offer(groups) && asleep;
          break;
        }
        case 1: {
          std::vector<Group::Owner> out;
          static_cast<void>(feed.read(out, rng.below(3'000)));
          for (const auto& group : out) {
            ASSERT_EQ(group->ticket, ++seen);
            ASSERT_FALSE(asleep) << "nobody woke the consumer";
          }
          asleep = feed.try_sleep();
          break;
        }
        case 2:
          if (!want) {
            want = feed.want();
          }
          break;
        default:
          if (want) {
            std::vector<Group::Owner> groups;
            Position reached = want->from;
            std::size_t bytes = 0;
            while (reached.ticket < want->to.ticket && bytes < want->bytes_max) {
              groups.push_back(make(reached.ticket));
              bytes += groups.back()->footprint_bytes();
              reached = positions[reached.ticket];
            }
            EXPECT_EQ(reached, positions[reached.ticket - 1]);
            asleep = !feed.fill(groups, reached) && asleep;
            want.reset();
          }
      }
    }
  }
}

TEST(Feed, KeepsAtMostTheTailInMemory) {
  constexpr std::size_t tail_bytes_max = 10'000;
  Feed feed({.tail_bytes_max = tail_bytes_max, .read_ahead_bytes = 1'000}, {}, {});
  for (Ticket ticket = 1; ticket <= 200; ++ticket) {
    std::vector<Group::Owner> groups;
    groups.push_back(numbered_group(ticket, feed_clock));
    groups.back()->ticket = ticket;
    static_cast<void>(feed.offer(groups));
  }
  std::vector<Group::Owner> out;
  EXPECT_FALSE(feed.want()) << "there is enough in memory for now";
  EXPECT_TRUE(feed.read(out, ~0ULL));
  std::size_t bytes = 0;
  for (const auto& group : out) {
    bytes += group->footprint_bytes();
  }
  EXPECT_LE(bytes, tail_bytes_max / 2);
  EXPECT_GT(bytes, tail_bytes_max / 4);
  EXPECT_EQ(feed.want()->from.ticket, out.back()->ticket + 1);
}

}  // namespace
}  // namespace sluice::store
