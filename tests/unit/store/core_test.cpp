// Goal: what the store decides, driven turn by turn on a disk in memory: one commit for all that
// waits, tickets in order, nothing acknowledged that is not on disk, and an exact account of what
// was damaged.
#include <gmock/gmock.h>

#include <sluice/base/calendar.hpp>
#include <sluice/metrics/exposition.hpp>

#include "codec.hpp"
#include "store_support.hpp"
#include "window_settlement.hpp"

namespace sluice::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::uint64_t> numbers(const std::vector<Group::Owner>& groups) {
  std::vector<std::uint64_t> out;
  out.reserve(groups.size());
  for (const auto& group : groups) {
    out.push_back(number_of(*group));
  }
  return out;
}

void release_all(Stepped& stepped, std::vector<Group::Owner> groups, std::size_t workspace = 0) {
  for (Group::Owner& group : groups) {
    stepped.store->buffer(workspace).release(std::move(group));
  }
}

TEST(Core, CommitsAllThatWaitsAtOnce) {
  Stepped stepped;
  const auto writes = stepped.disk.writes;
  const auto first = stepped.append(numbered_group(1, stepped.clock));
  const auto second = stepped.append(numbered_group(2, stepped.clock));
  EXPECT_FALSE(first->kept);
  stepped.commit();
  EXPECT_TRUE(first->kept.value());
  EXPECT_TRUE(second->kept.value());
  EXPECT_EQ(stepped.disk.writes, writes + 1);
  EXPECT_TRUE(stepped.disk.unsynced.empty());
  const auto groups = stepped.read();
  EXPECT_THAT(numbers(groups), ElementsAre(1, 2));
  EXPECT_EQ(groups[0]->ticket, 1);
  EXPECT_EQ(groups[1]->ticket, 2);
}

TEST(Core, LargeArrivalsAreCommittedInParts) {
  Stepped stepped(1, {.path = {}, .commit_bytes_max = 1000});
  std::vector<std::shared_ptr<Stepped::Outcome>> outcomes;
  outcomes.reserve(5);
  for (std::uint64_t i = 0; i < 5; ++i) {
    outcomes.push_back(stepped.append(numbered_group(i, stepped.clock, 900)));
  }
  const auto writes = stepped.disk.writes;
  while (stepped.store->commit_step() <= stepped.clock.mono_now()) {
  }
  EXPECT_EQ(stepped.disk.writes, writes + 3);
  for (const auto& outcome : outcomes) {
    EXPECT_TRUE(outcome->kept.value());
  }
}

TEST(Core, WhatIsCompressedCountsInFull) {
  Stepped stepped(1, {.path = {}, .commit_bytes_max = 8000});
  for (int i = 0; i < 4; ++i) {
    stepped.append(group_of(repetitive_text(5000)));
  }
  const auto writes = stepped.disk.writes;
  while (stepped.store->commit_step() <= stepped.clock.mono_now()) {
  }
  EXPECT_EQ(stepped.disk.writes, writes + 2);
}

TEST(Core, TicketsGoOnAfterARestart) {
  Stepped stepped;
  stepped.append(numbered_group(1, stepped.clock));
  stepped.commit();
  stepped.crash();
  stepped.append(numbered_group(2, stepped.clock));
  stepped.commit();
  const auto groups = stepped.read_all();
  EXPECT_THAT(numbers(groups), ElementsAre(1, 2));
  EXPECT_EQ(groups[1]->ticket, 2);
}

TEST(Core, WhatIsReadBackIsWhatWasAppended) {
  Stepped stepped;
  std::vector<Group::Owner> originals;
  Backlog expected;
  for (std::uint64_t i = 0; i < 50; ++i) {
    originals.push_back(numbered_group(i, stepped.clock, 0, i % 3 == 0));
    expected.events += originals.back()->records().size();
    expected.bytes += originals.back()->footprint_bytes();
    stepped.append(numbered_group(i, stepped.clock, 0, i % 3 == 0));
    stepped.clock.advance(1ms);
  }
  // The same content, so the same times.
  stepped.commit();
  stepped.clock.advance(5s);
  stepped.restart();
  EXPECT_EQ(stepped.store->recovered(0), expected);
  const auto groups = stepped.read_all();
  ASSERT_EQ(groups.size(), originals.size());
  for (std::size_t i = 0; i < groups.size(); ++i) {
    EXPECT_TRUE(same_content(*groups[i], *originals[i])) << i;
    EXPECT_EQ(groups[i]->accepted_at(), originals[i]->accepted_at());
  }
}

TEST(Core, AcceptanceIsNeverInTheFuture) {
  Stepped stepped;
  stepped.clock.advance(1h);
  stepped.append(numbered_group(1, stepped.clock));
  stepped.commit();
  stepped.clock.advance(-30min);  // as a clock that was set back
  stepped.restart();
  EXPECT_EQ(stepped.read_all().front()->accepted_at(), stepped.clock.mono_now());
}

TEST(Core, ItsClockMayShowAnything) {
  Stepped stepped;
  std::uint64_t number = 0;
  std::vector<WallTime> shown{WallTime(-1ms), WallTime::min(), WallTime::max(),
                              WallTime(0ms),  wall_time_max,   WallTime(1'000'000'000'000ms)};
  for (const WallTime time : shown) {
    stepped.clock.set_wall(time);
    for (int i = 0; i < 40; ++i) {
      stepped.append(numbered_group(++number, stepped.clock, 0, true));
      stepped.commit();
    }
    stepped.restart();
    const auto groups = stepped.read_all();
    ASSERT_EQ(groups.size(), number);
    for (const auto& group : groups) {
      ASSERT_LE(group->accepted_at(), stepped.clock.mono_now());
    }
  }
}

TEST(Core, ReleasedGroupsDoNotComeBack) {
  Stepped stepped;
  for (std::uint64_t i = 1; i <= 6; ++i) {
    stepped.append(numbered_group(i, stepped.clock));
  }
  stepped.commit();
  auto groups = stepped.read();
  for (const std::size_t index : {0U, 3U, 4U}) {
    stepped.store->buffer(0).release(std::move(groups[index]));
  }
  const MonoTime due = stepped.store->commit_step();
  EXPECT_LE(due - stepped.clock.mono_now(), 50ms);
  EXPECT_GT(due, stepped.clock.mono_now()) << "releases wait a while for a commit";
  stepped.clock.advance(50ms);
  stepped.commit();
  stepped.crash([] { return true; });
  groups = stepped.read_all();
  EXPECT_THAT(numbers(groups), ElementsAre(2, 3, 6));
  EXPECT_EQ(stepped.lost[0], Backlog{});
  release_all(stepped, std::move(groups));
  stepped.restart();
  EXPECT_EQ(stepped.store->recovered(0), Backlog{});
  EXPECT_TRUE(stepped.read_all().empty());
}

TEST(Core, ACommitTakesReleasesAlong) {
  Stepped stepped;
  stepped.append(numbered_group(1, stepped.clock));
  stepped.commit();
  release_all(stepped, stepped.read());
  stepped.append(numbered_group(2, stepped.clock));
  stepped.commit();
  stepped.crash();
  EXPECT_THAT(numbers(stepped.read_all()), ElementsAre(2));
}

TEST(Core, AnUnsyncedReleaseThatIsLostComesAgain) {
  Stepped stepped;
  stepped.append(numbered_group(1, stepped.clock));
  stepped.append(numbered_group(2, stepped.clock));
  stepped.commit();
  auto groups = stepped.read();
  stepped.store->buffer(0).release(std::move(groups[1]));
  stepped.commit();
  stepped.clock.advance(50ms);
  stepped.commit();
  stepped.crash();
  EXPECT_THAT(numbers(stepped.read_all()), ElementsAre(1, 2));
  EXPECT_EQ(stepped.lost[0], Backlog{});
}

// Otherwise a machine that dies has neither the groups nor their releases, and calls them lost.
TEST(Core, FilesGoOnceTheReleasesAreOnStableStorage) {
  Stepped stepped(1, {.path = {}, .reclaim_bytes = 1});
  stepped.append(numbered_group(1, stepped.clock));
  stepped.append(numbered_group(2, stepped.clock));
  stepped.commit();
  auto groups = stepped.read();
  stepped.store->buffer(0).release(std::move(groups[0]));
  stepped.commit();
  stepped.clock.advance(50ms);
  stepped.disk.sync_fails = Errc::failed;
  stepped.commit();
  static_cast<void>(stepped.store->read_step());
  EXPECT_EQ(stepped.disk.reclaims, 0);
  stepped.disk.sync_fails.reset();
  stepped.clock.advance(1s);
  stepped.commit();
  static_cast<void>(stepped.store->read_step());
  EXPECT_EQ(stepped.disk.reclaims, 1) << "after the trouble";
  stepped.store->buffer(0).release(std::move(groups[1]));
  stepped.commit();
  stepped.clock.advance(50ms);
  stepped.commit();
  static_cast<void>(stepped.store->read_step());
  EXPECT_EQ(stepped.disk.reclaims, 2);
  stepped.crash();
  EXPECT_TRUE(stepped.read_all().empty());
  EXPECT_EQ(stepped.lost[0], Backlog{});
}

TEST(Core, AFailedWriteIsNotAcknowledgedAndDoesNotComeBack) {
  for (const bool in_sync : {false, true}) {
    Stepped stepped;
    stepped.append(numbered_group(1, stepped.clock));
    stepped.commit();
    (in_sync ? stepped.disk.sync_fails : stepped.disk.write_fails) = Errc::disk_full;
    const auto refused = stepped.append(numbered_group(2, stepped.clock));
    stepped.commit();
    EXPECT_FALSE(refused->kept.value());
    EXPECT_THAT(refused->error, HasSubstr("the disk is full"));
    EXPECT_THAT(stepped.store->buffer(0).trouble(), HasSubstr("free space"));
    const auto refused_too = stepped.append(numbered_group(3, stepped.clock));
    stepped.commit();
    EXPECT_FALSE(refused_too->kept.value()) << "without trying";

    stepped.disk.sync_fails.reset();
    stepped.disk.write_fails.reset();
    stepped.clock.advance(1s);
    stepped.commit();
    EXPECT_EQ(stepped.store->buffer(0).trouble(), "");
    const auto kept = stepped.append(numbered_group(4, stepped.clock));
    stepped.commit();
    EXPECT_TRUE(kept->kept.value());
    EXPECT_THAT(numbers(stepped.read_all()), ElementsAre(1, 4));
    stepped.crash([] { return true; });
    const auto groups = stepped.read_all();
    EXPECT_THAT(numbers(groups), ElementsAre(1, 4));
    EXPECT_EQ(groups[1]->ticket, 2);
    EXPECT_EQ(stepped.lost[0], Backlog{});
  }
}

TEST(Core, RecoveryIsTriedEachSecond) {
  Stepped stepped;
  stepped.disk.write_fails = Errc::failed;
  stepped.append(numbered_group(1, stepped.clock));
  const MonoTime due = stepped.store->commit_step();
  EXPECT_EQ(due, stepped.clock.mono_now() + 1s);
  stepped.disk.reopen_fails = Errc::failed;
  stepped.clock.advance(1s);
  EXPECT_EQ(stepped.store->commit_step(), stepped.clock.mono_now() + 1s);
  EXPECT_NE(stepped.store->buffer(0).trouble(), "");
  stepped.disk.reopen_fails.reset();
  stepped.disk.write_fails.reset();
  stepped.clock.advance(1s);
  stepped.commit();
  EXPECT_EQ(stepped.store->buffer(0).trouble(), "");
}

TEST(Core, WhatWasAcknowledgedInMemoryOutlivesTheDisksTrouble) {
  Stepped stepped;
  stepped.disk.write_fails = Errc::failed;
  const auto in_memory =
      stepped.append(numbered_group(1, stepped.clock), 0, buffer::AckLevel::memory);
  EXPECT_TRUE(in_memory->kept.value());
  const auto on_disk = stepped.append(numbered_group(2, stepped.clock));
  stepped.commit();
  EXPECT_FALSE(on_disk->kept.value());
  stepped.append(numbered_group(3, stepped.clock), 0, buffer::AckLevel::memory);
  stepped.commit();
  stepped.disk.write_fails.reset();
  stepped.clock.advance(1s);
  stepped.commit();
  stepped.commit();
  EXPECT_THAT(numbers(stepped.read_all()), ElementsAre(1, 3));
  stepped.crash();
  EXPECT_THAT(numbers(stepped.read_all()), ElementsAre(1, 3));
}

TEST(Core, KeysAreConfirmedOrGivenUp) {
  Stepped stepped;
  Group::Owner group = numbered_group(2, stepped.clock);
  for (std::uint64_t i = 3; group->dedup_keys().empty(); ++i) {
    group = numbered_group(i, stepped.clock);
  }
  const DedupKey key = group->dedup_keys().front();
  const std::uint64_t number = number_of(*group);
  ASSERT_EQ(stepped.reserve(key, stepped.clock.mono_now()), buffer::DedupWindow::Entry::reserved);
  stepped.disk.write_fails = Errc::failed;
  stepped.append(std::move(group));
  stepped.commit();
  stepped.disk.write_fails.reset();
  stepped.clock.advance(1s);
  stepped.commit();
  ASSERT_EQ(stepped.reserve(key, stepped.clock.mono_now()), buffer::DedupWindow::Entry::reserved)
      << "given up";
  stepped.append(numbered_group(number, stepped.clock));
  stepped.commit();
  EXPECT_EQ(stepped.reserve(key, stepped.clock.mono_now()), buffer::DedupWindow::Entry::duplicate);
}

TEST(Core, ARepetitionWaitsForWhatItRepeats) {
  Stepped stepped;
  EXPECT_TRUE(stepped.await_earlier()->kept.value()) << "there is nothing to wait for";
  stepped.append(numbered_group(1, stepped.clock), 0, buffer::AckLevel::memory);
  EXPECT_TRUE(stepped.await_earlier(buffer::AckLevel::memory)->kept.value());
  const auto repetition = stepped.await_earlier();
  EXPECT_EQ(repetition->kept, std::nullopt) << "a crash would take what it repeats";
  stepped.commit();
  EXPECT_TRUE(repetition->kept.value());
  EXPECT_TRUE(stepped.await_earlier()->kept.value());
  stepped.crash();
  EXPECT_THAT(numbers(stepped.read_all()), ElementsAre(1));
}

TEST(Core, ARepetitionFailsWhileTheDiskDoes) {
  Stepped stepped;
  stepped.disk.write_fails = Errc::failed;
  stepped.append(numbered_group(1, stepped.clock), 0, buffer::AckLevel::memory);
  const auto failed = stepped.await_earlier();
  stepped.commit();
  EXPECT_FALSE(failed->kept.value());
  EXPECT_FALSE(stepped.await_earlier()->kept) << "it is in memory only";
  stepped.disk.write_fails.reset();
  stepped.clock.advance(1s);
  stepped.commit();
  const auto repetition = stepped.await_earlier();
  EXPECT_FALSE(repetition->kept);
  stepped.commit();
  EXPECT_TRUE(repetition->kept.value());
  stepped.crash();
  EXPECT_THAT(numbers(stepped.read_all()), ElementsAre(1));
}

constexpr DedupKey paid{.identity = 1, .content = 1};
constexpr DedupKey sent{.identity = 1, .content = 2};
constexpr DedupKey other{.identity = 2, .content = 1};

// Otherwise the earlier version would come again alone after a crash, and be the last word.
TEST(Core, AChangeIsNotReleasedBeforeWhatItChanges) {
  Stepped stepped;
  stepped.append(keyed_group(1, {paid, other}, stepped.clock));
  stepped.append(keyed_group(2, {sent}, stepped.clock));
  stepped.append(keyed_group(3, {{.identity = 3, .content = 1}}, stepped.clock));
  stepped.append(keyed_group(4, {paid, {.identity = 4, .content = 1}}, stepped.clock));
  stepped.commit();
  auto groups = stepped.read();
  for (const std::size_t ended : {1U, 2U, 3U}) {  // the first has an event that is stuck
    stepped.store->buffer(0).release(std::move(groups[ended]));
  }
  stepped.commit();
  stepped.clock.advance(50ms);
  stepped.commit();
  stepped.crash([] { return true; });
  groups = stepped.read_all();
  EXPECT_THAT(numbers(groups), ElementsAre(1, 2, 4)) << "in order";
  for (const std::size_t ended : {1U, 0U, 2U}) {
    stepped.store->buffer(0).release(std::move(groups[ended]));
  }
  stepped.commit();
  stepped.clock.advance(50ms);
  stepped.commit();
  stepped.crash([] { return true; });
  EXPECT_TRUE(stepped.read_all().empty());
  EXPECT_EQ(stepped.store->recovered(0), Backlog{});
}

TEST(Core, WhatWasAcceptedLastIsKnownAfterARestart) {
  Stepped stepped;
  for (const DedupKey key : {paid, sent, paid}) {
    stepped.append(keyed_group(1, {key}, stepped.clock));
    stepped.commit();
  }
  stepped.crash();
  const MonoTime now = stepped.clock.mono_now();
  EXPECT_EQ(stepped.windows[0]->latest(paid.identity, now), paid);
  EXPECT_EQ(stepped.reserve(sent, now), buffer::DedupWindow::Entry::changed);
}

TEST(Core, TheWindowIsRestoredThoughTheEventsWereDelivered) {
  Stepped stepped;
  std::vector<DedupKey> keys;
  RememberedAnswer answer;
  for (std::uint64_t i = 0; i < 20; ++i) {
    Group::Owner group = numbered_group(i, stepped.clock, 0, true);
    keys.insert(keys.end(), group->dedup_keys().begin(), group->dedup_keys().end());
    answer = *group->answer();
    stepped.append(std::move(group));
  }
  stepped.commit();
  release_all(stepped, stepped.read());
  stepped.clock.advance(1min);
  stepped.commit();
  stepped.commit();
  stepped.restart();
  const MonoTime now = stepped.clock.mono_now();
  for (const DedupKey key : keys) {
    EXPECT_EQ(stepped.reserve(key, now), buffer::DedupWindow::Entry::duplicate);
  }
  EXPECT_EQ(stepped.answer_to(answer.request, now), answer);
  EXPECT_EQ(stepped.reserve(keys[0], now + 10min), buffer::DedupWindow::Entry::reserved)
      << "at its old age";
}

// A request all of whose events came before: there is nothing to deliver, and its answer is kept.
TEST(Core, AnAnswerWithoutEventsIsAsDurableAsAnyOther) {
  for (const bool after_events : {false, true}) {
    Stepped stepped;
    if (after_events) {
      stepped.append(keyed_group(1, {paid}, stepped.clock));
      stepped.commit();
    }
    const auto answer = [&](std::uint64_t identity) {
      return RememberedAnswer{.request = {.identity = identity, .content = identity + 1},
                              .duplicates = 3};
    };
    const auto group_of = [&](std::uint64_t identity) {
      return Group::make({.records = {},
                          .bytes = {},
                          .dedup_keys = {},
                          .answer = answer(identity),
                          .accepted_at = stepped.clock.mono_now(),
                          .accepted_wall = stepped.clock.wall_now()});
    };
    const auto first = stepped.append(group_of(10));
    EXPECT_EQ(first->kept, std::nullopt) << "a crash would take it";
    stepped.append(group_of(20));
    stepped.commit();
    EXPECT_EQ(first->kept, true);
    stepped.disk.sync_fails = Errc::failed;  // it is written, and may survive
    const auto refused = stepped.append(group_of(30));
    stepped.commit();
    EXPECT_EQ(refused->kept, false);
    stepped.disk.sync_fails.reset();
    stepped.clock.advance(1s);
    stepped.commit();
    stepped.commit();
    stepped.append(keyed_group(2, {sent}, stepped.clock));
    stepped.commit();
    stepped.crash();
    const MonoTime now = stepped.clock.mono_now();
    EXPECT_EQ(stepped.answer_to(answer(10).request, now), answer(10));
    EXPECT_EQ(stepped.answer_to(answer(20).request, now), answer(20));
    EXPECT_EQ(stepped.answer_to(answer(30).request, now), std::nullopt) << "it was refused";
    EXPECT_EQ(
        stepped.windows[0]
            ->try_reserve_request({.key = {.identity = 10, .content = 99}, .received_at = {}}, now)
            .entry,
        buffer::DedupWindow::RequestEntry::reused);
    EXPECT_THAT(numbers(stepped.read_all()),
                after_events ? testing::ElementsAreArray({1, 2}) : testing::ElementsAreArray({2}));
    EXPECT_TRUE(stepped.lost[0] == Backlog{});
  }
}

TEST(Core, AnswersWithoutEventsLeaveTheDiskWithTheWindow) {
  Stepped stepped;
  const auto entries = [&] {
    return std::ranges::count_if(stepped.disk.visible, [](const auto& entry) {
      return static_cast<Tag>(entry.first.front()) == Tag::dedup;
    });
  };
  for (std::uint64_t i = 1; i <= 40; ++i) {
    stepped.append(
        Group::make({.records = {},
                     .bytes = {},
                     .dedup_keys = {},
                     .answer = RememberedAnswer{.request = {.identity = i, .content = i}},
                     .accepted_at = stepped.clock.mono_now(),
                     .accepted_wall = stepped.clock.wall_now()}));
    stepped.commit();
    stepped.clock.advance(1min);
    if (i % 10 == 0) {
      stepped.append(keyed_group(i, {{.identity = 100 + i, .content = 1}}, stepped.clock));
      stepped.commit();
      stepped.restart();
    }
  }
  EXPECT_LE(entries(), 12);
  EXPECT_GE(entries(), 10);
}

TEST(Core, KeysLeaveTheDiskWithTheWindow) {
  Stepped stepped;
  const auto stored = [&] {
    const auto& all = stepped.disk.visible;
    return std::distance(all.lower_bound(std::string(1, static_cast<char>(Tag::dedup))),
                         all.lower_bound(key_above(Tag::dedup)));
  };
  for (std::uint64_t minute = 0; minute < 60; ++minute) {
    for (std::uint64_t i = 0; i < 20; ++i) {
      stepped.append(numbered_group(minute * 20 + i, stepped.clock, 0, true));
    }
    stepped.commit();
    stepped.clock.advance(1min);
  }
  EXPECT_GE(stored(), 9 * 20);
  EXPECT_LE(stored(), 12 * 20);
}

TEST(Core, ReadsBackWhatDoesNotFitInMemory) {
  Stepped stepped(1, {.path = {}, .tail_bytes_max = 20'000, .read_ahead_bytes = 5'000});
  constexpr std::uint64_t total = 200;
  for (std::uint64_t i = 0; i < total; ++i) {
    stepped.append(numbered_group(i, stepped.clock, 900));
    stepped.commit();
  }
  std::vector<std::uint64_t> seen;
  for (int turn = 0; turn < 1000 && seen.size() < total; ++turn) {
    for (const auto& group : stepped.read(0, 3'000)) {
      seen.push_back(number_of(*group));
      EXPECT_EQ(group->ticket, seen.size());
    }
    static_cast<void>(stepped.store->read_step());
  }
  ASSERT_EQ(seen.size(), total);
  EXPECT_TRUE(std::ranges::is_sorted(seen));
  EXPECT_TRUE(stepped.store->buffer(0).try_sleep());
}

TEST(Core, WakesTheConsumerThatSleeps) {
  Stepped stepped;
  ASSERT_TRUE(stepped.store->buffer(0).try_sleep());
  stepped.append(numbered_group(1, stepped.clock));
  stepped.append(numbered_group(2, stepped.clock));
  EXPECT_EQ(stepped.wakes[0], 0);
  stepped.commit();
  EXPECT_EQ(stepped.wakes[0], 1);
  EXPECT_FALSE(stepped.store->buffer(0).try_sleep()) << "there is something to read";
  stepped.restart();
  ASSERT_TRUE(stepped.store->buffer(0).try_sleep());
  static_cast<void>(stepped.store->read_step());
  EXPECT_EQ(stepped.wakes[0], 1);
}

TEST(Core, AReadThatFailsIsTriedAgain) {
  Stepped stepped;
  stepped.append(numbered_group(1, stepped.clock));
  stepped.commit();
  stepped.restart();
  stepped.disk.read_fails = Errc::failed;
  EXPECT_EQ(stepped.store->read_step(), stepped.clock.mono_now() + 1s);
  EXPECT_TRUE(stepped.read().empty());
  stepped.disk.read_fails.reset();
  EXPECT_THAT(numbers(stepped.read_all()), ElementsAre(1));
  EXPECT_EQ(stepped.lost[0], Backlog{});
}

// A sector that cannot be read must not hold up for ever what is behind it.
TEST(Core, WhatTheDeviceRefusesToReadIsGivenUpInTheEnd) {
  Stepped stepped;
  for (std::uint64_t i = 1; i <= 9; ++i) {
    stepped.append(numbered_group(i, stepped.clock));
  }
  stepped.commit();
  const WorkspaceId id = workspace_of_key(stepped.disk.visible.begin()->first);
  stepped.disk.bad = {make_key(Tag::group, id, 4), make_key(Tag::group, id, 5)};
  stepped.restart();
  std::vector<Group::Owner> groups;
  const auto wait = [&](int seconds) {
    for (int i = 0; i < seconds; ++i) {
      static_cast<void>(stepped.store->read_step());
      stepped.store->buffer(0).read(groups, ~0ULL);
      stepped.commit();
      stepped.clock.advance(1s);
    }
  };
  wait(5);
  EXPECT_THAT(numbers(groups), ElementsAre(1, 2, 3));
  EXPECT_EQ(stepped.lost[0], Backlog{}) << "it may pass";
  stepped.disk.write_fails = Errc::failed;
  stepped.append(numbered_group(10, stepped.clock));
  stepped.commit();
  wait(10);
  EXPECT_EQ(stepped.lost[0], Backlog{}) << "it may be the device";
  stepped.disk.write_fails.reset();
  wait(4);
  EXPECT_THAT(numbers(groups), ElementsAre(1, 2, 3, 6, 7, 8, 9));
  EXPECT_EQ(stepped.lost[0].events, numbered_group(4, stepped.clock)->records().size() +
                                        numbered_group(5, stepped.clock)->records().size());
}

TEST(Core, WhatTheDeviceRefusesToReadIsKeptWhileNothingBehindItCanBeRead) {
  Stepped stepped;
  for (std::uint64_t i = 1; i <= 9; ++i) {
    stepped.append(numbered_group(i, stepped.clock));
  }
  stepped.commit();
  const WorkspaceId id = workspace_of_key(stepped.disk.visible.begin()->first);
  for (Ticket ticket = 4; ticket <= 9; ++ticket) {
    stepped.disk.bad.insert(make_key(Tag::group, id, ticket));
  }
  stepped.restart();
  for (int i = 0; i < 20; ++i) {
    static_cast<void>(stepped.store->read_step());
    stepped.commit();
    stepped.clock.advance(1s);
  }
  EXPECT_EQ(stepped.lost[0], Backlog{});
  stepped.disk.bad.clear();
  EXPECT_THAT(numbers(stepped.read_all()), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9));
}

TEST(Core, StartsThoughTheDeviceRefusesToReadWhatItKnows) {
  for (const Tag tag : {Tag::appended, Tag::low, Tag::dedup}) {
    Stepped stepped;
    for (std::uint64_t i = 1; i <= 9; ++i) {
      stepped.append(numbered_group(i, stepped.clock, 0, true));
    }
    stepped.commit();
    const WorkspaceId id = workspace_of_key(stepped.disk.visible.begin()->first);
    stepped.disk.bad = {tag == Tag::dedup ? make_key(tag, id, 3) : make_key(tag, id)};
    stepped.restart();
    ASSERT_NE(stepped.store, nullptr);
    EXPECT_EQ(stepped.read_all().size(), 9);
    EXPECT_EQ(stepped.lost[0], Backlog{});
  }
}

TEST(Core, DamagedRecordsAreSkippedAndCounted) {
  Stepped stepped;
  std::map<std::uint64_t, Backlog> sizes;
  for (std::uint64_t i = 1; i <= 40; ++i) {
    const Group::Owner group = numbered_group(i, stepped.clock);
    sizes[i] = {.events = group->records().size(), .bytes = group->footprint_bytes()};
    stepped.append(numbered_group(i, stepped.clock));
  }
  stepped.commit();
  auto groups = stepped.read();
  for (const std::size_t index : {11U, 13U, 20U}) {  // tickets 12, 14 and 21 were delivered
    stepped.store->buffer(0).release(std::move(groups[index]));
  }
  groups.clear();
  stepped.restart();
  Backlog lost;
  const auto lose = [&](std::uint64_t number) {
    lost.events += sizes[number].events;
    lost.bytes += sizes[number].bytes;
  };
  const WorkspaceId id = workspace_of_key(stepped.disk.visible.begin()->first);
  // One that is not what it was, a range that cannot be read, with delivered ones in it, and the
  // last one.
  stepped.disk.visible[make_key(Tag::group, id, 5)][30] ^= 1;
  lose(5);
  for (const std::uint64_t ticket : {11U, 13U, 15U, 16U, 40U}) {
    stepped.disk.unreadable.insert(make_key(Tag::group, id, ticket));
    lose(ticket);
  }
  std::vector<std::uint64_t> expected;
  for (std::uint64_t i = 1; i <= 40; ++i) {
    const std::set<std::uint64_t> gone{5, 11, 12, 13, 14, 15, 16, 21, 40};
    if (!gone.contains(i)) {
      expected.push_back(i);
    }
  }
  groups = stepped.read_all();
  EXPECT_EQ(numbers(groups), expected);
  EXPECT_EQ(stepped.lost[0], lost);
  EXPECT_THAT(stepped.quarantined, ElementsAre(5));
  release_all(stepped, std::move(groups));
  stepped.disk.unreadable.clear();
  stepped.restart();
  EXPECT_EQ(stepped.store->recovered(0), Backlog{}) << "what is lost is done with";
}

// Otherwise a producer would be refused for ever after an outage that filled its share.
TEST(Core, WhatIsReadBackOrLostIsStillItsProducers) {
  Stepped stepped(1, {.path = {}, .tail_bytes_max = 4'000, .read_ahead_bytes = 3'000});
  std::map<std::uint32_t, std::uint64_t> held;
  std::vector<std::uint32_t> producers{0};  // by ticket
  const auto append = [&](std::uint32_t producer, std::uint32_t counts_for) {
    Group::Owner group = numbered_group(producers.size(), stepped.clock, 0, false, "", producer);
    held[counts_for] += group->footprint_bytes();
    producers.push_back(counts_for);
    stepped.append(std::move(group));
    stepped.commit();
  };
  for (std::uint32_t i = 0; i < 20; ++i) {
    append(1 + i % 2, 0);  // an index means nothing to the next run
  }
  stepped.restart();
  for (std::uint32_t i = 0; i < 120; ++i) {
    append(i < 60 ? i % 4 : 1 + i / 20, i < 60 ? i % 4 : 1 + i / 20);
  }
  const WorkspaceId id = workspace_of_key(stepped.disk.visible.begin()->first);
  for (const Ticket ticket : {19U, 20U, 21U, 22U, 23U, 40U, 50U, 51U, 52U, 99U, 100U, 101U}) {
    stepped.disk.unreadable.insert(make_key(Tag::group, id, ticket));
  }
  std::uint64_t groups = 0;
  for (int turn = 0; turn < 1000; ++turn) {
    for (Group::Owner& group : stepped.read(0, 1'000)) {
      EXPECT_EQ(group->producer(), producers[group->ticket]) << group->ticket;
      held[group->producer()] -= group->footprint_bytes();
      ++groups;
    }
    static_cast<void>(stepped.store->read_step());
  }
  EXPECT_EQ(groups, 140 - 12);
  for (const auto& [producer, bytes] : held) {
    EXPECT_EQ(bytes, stepped.lost_by_producer[producer]) << producer;
  }
  EXPECT_GE(stepped.lost_by_producer.size(), 5) << "something of many is lost";
}

TEST(Core, StartsWithoutReadingTheBacklog) {
  const auto reads_at_start = [](std::uint64_t groups) {
    Stepped stepped;
    stepped.window = 0ns;
    stepped.restart();
    for (std::uint64_t i = 0; i < groups; ++i) {
      stepped.append(numbered_group(i, stepped.clock));
    }
    stepped.commit();
    const auto before = stepped.disk.reads;
    stepped.restart();
    return stepped.disk.reads - before;
  };
  EXPECT_EQ(reads_at_start(10), reads_at_start(1000));
}

// Otherwise an earlier version could open a store in which it takes records for damaged.
TEST(Core, WritesNothingOfALaterFormatBeforeTheFormatSaysSo) {
  test::MemoryDisk disk;
  FakeClock clock;
  buffer::DedupWindow window({.window = 0ns, .entries_max = 0});
  test::WindowSettlement settlement(window);
  std::vector<std::uint32_t> raised;
  bool fails = true;
  const auto store = open_stepped({},
                                  {{.name = "a",
                                    .settlement = &settlement,
                                    .window = &window,
                                    .wake = [] {},
                                    .lost = nullptr}},
                                  clock, std::make_unique<test::MemoryEngine>(disk),
                                  {.commit = [] {}, .read = [] {}}, nullptr,
                                  [&](std::uint32_t format) -> Result<void> {
                                    raised.push_back(format);
                                    return fails ? Result<void>(failure(Errc::disk_full, "no room"))
                                                 : Result<void>();
                                  })
                         .value();
  const auto append = [&](Group::Owner group) {
    std::optional<bool> kept;
    static_cast<void>(
        store->buffer(0).append(0, std::move(group), buffer::AckLevel::disk,
                                [&](const Result<void>& result) { kept = result.has_value(); }));
    static_cast<void>(store->commit_step());
    return kept.value();
  };
  const auto traced = [&] { return numbered_group(1, clock, 0, false, some_trace); };
  EXPECT_TRUE(append(numbered_group(1, clock)));
  EXPECT_THAT(raised, IsEmpty());
  EXPECT_FALSE(append(traced()));
  EXPECT_THAT(raised, ElementsAre(2));
  fails = false;
  clock.advance(2s);
  static_cast<void>(store->commit_step());
  EXPECT_TRUE(append(traced()));
  EXPECT_TRUE(append(traced()));
  EXPECT_THAT(raised, ElementsAre(2, 2)) << "once";
  EXPECT_TRUE(append(group_of(repetitive_text(5000))));
  EXPECT_TRUE(append(traced()));
  EXPECT_THAT(raised, ElementsAre(2, 2, 3)) << "and not back again";
}

TEST(Core, AWorkspaceThatIsNotConfiguredKeepsItsEvents) {
  test::MemoryDisk disk;
  FakeClock clock;
  buffer::DedupWindow window({.window = 0ns, .entries_max = 0});
  test::WindowSettlement settlement(window);
  const auto open_with = [&](std::vector<std::string> names) {
    std::vector<Workspace> list;
    list.reserve(names.size());
    for (std::string& name : names) {
      list.push_back({.name = std::move(name),
                      .settlement = &settlement,
                      .window = &window,
                      .wake = [] {},
                      .lost = nullptr});
    }
    return open_stepped({}, std::move(list), clock, std::make_unique<test::MemoryEngine>(disk),
                        {.commit = [] {}, .read = [] {}}, nullptr)
        .value();
  };
  {
    const auto store = open_with({"a", "b"});
    static_cast<void>(
        store->buffer(1).append(0, numbered_group(1, clock), buffer::AckLevel::disk, [](auto) {}));
    static_cast<void>(store->commit_step());
  }
  {
    const auto store = open_with({"c", "a"});
    EXPECT_EQ(store->recovered(0), Backlog{});
    metrics::Exposition exposition;
    store->expose(exposition);
    EXPECT_THAT(exposition.to_text(), HasSubstr("sluice_buffer_orphaned_events{workspace=\"b\"} "));
  }
  const auto store = open_with({"b", "a", "c"});
  EXPECT_GT(store->recovered(0).events, 0);
}

// What has ended could not be removed otherwise, and there would never be room again.
TEST(Core, WithoutRoomNothingIsTakenInAndWhatHasEndedIsRemoved) {
  Stepped stepped;
  for (std::uint64_t number = 1; number <= 3; ++number) {
    stepped.append(numbered_group(number, stepped.clock));
  }
  stepped.commit();
  const auto stored = [&] {
    return std::ranges::count_if(stepped.disk.stable, [](const auto& entry) {
      return entry.first.front() == static_cast<char>(Tag::group);
    });
  };
  ASSERT_EQ(stored(), 3);
  stepped.disk.room = false;
  const auto refused = stepped.append(numbered_group(4, stepped.clock));
  const auto in_memory =
      stepped.append(numbered_group(5, stepped.clock), 0, buffer::AckLevel::memory);
  stepped.commit();
  EXPECT_FALSE(refused->kept.value());
  EXPECT_TRUE(in_memory->kept.value());
  EXPECT_THAT(stepped.store->buffer(0).trouble(), HasSubstr("the disk is full"));
  release_all(stepped, stepped.read_all());
  stepped.clock.advance(1s);
  stepped.commit();
  EXPECT_EQ(stored(), 0) << "and nothing else is stored";
  ASSERT_GE(stepped.disk.room_wanted.size(), 2U);
  EXPECT_LT(stepped.disk.room_wanted.back(), stepped.disk.room_wanted.front());
  EXPECT_THAT(stepped.store->buffer(0).trouble(), HasSubstr("the disk is full"));
  stepped.disk.room = true;
  stepped.clock.advance(1s);
  stepped.commit();
  EXPECT_EQ(stepped.store->buffer(0).trouble(), "");
  const auto kept = stepped.append(numbered_group(6, stepped.clock));
  stepped.commit();
  EXPECT_TRUE(kept->kept.value());
  EXPECT_THAT(numbers(stepped.read_all()), ElementsAre(5, 6));
}

// What keeps room for delivery would be what loses events otherwise.
TEST(Core, WithoutRoomAStopStillStoresWhatIsOnlyInMemory) {
  Stepped stepped;
  stepped.disk.room = false;
  stepped.append(numbered_group(1, stepped.clock), 0, buffer::AckLevel::memory);
  stepped.commit();
  EXPECT_EQ(stepped.store->close(), 0U);
  stepped.disk.room = true;
  stepped.restart();
  EXPECT_THAT(numbers(stepped.read_all()), ElementsAre(1));
}

TEST(Core, WhileItsFilesAreGoneItSaysHowManyEventsAreInMemoryOnly) {
  Stepped stepped;
  const auto unstored = [&] {
    metrics::Exposition exposition;
    stepped.store->expose(exposition);
    const std::string text = exposition.to_text();
    return text.substr(text.find("\nsluice_buffer_unstored_events") + 1, 32);
  };
  std::uint64_t events = 0;
  for (std::uint64_t number = 1; number <= 3; ++number) {
    Group::Owner group = numbered_group(number, stepped.clock);
    events += group->records().size();
    stepped.append(std::move(group));
  }
  stepped.commit();
  stepped.disk.write_fails = Errc::gone;
  stepped.disk.reopen_fails = Errc::gone;
  const auto refused = stepped.append(numbered_group(4, stepped.clock));
  stepped.commit();
  EXPECT_FALSE(refused->kept.value());
  EXPECT_THAT(stepped.store->buffer(0).trouble(), HasSubstr("are gone from"));
  EXPECT_THAT(unstored(), HasSubstr(" " + std::to_string(events) + "\n"));
  std::vector<Group::Owner> groups = stepped.read();
  events -= groups.front()->records().size();
  stepped.store->buffer(0).release(std::move(groups.front()));
  stepped.clock.advance(1s);
  stepped.commit();
  EXPECT_THAT(unstored(), HasSubstr(" " + std::to_string(events) + "\n"));
  EXPECT_EQ(stepped.store->close(), events) << "they go with the process";
}

TEST(Core, WithAnIntervalTheSyncComesAfterwards) {
  Stepped stepped(1, {.path = {}, .sync = SyncPolicy::interval, .sync_interval = 100ms});
  const auto outcome = stepped.append(numbered_group(1, stepped.clock));
  const auto syncs = stepped.disk.syncs;
  const MonoTime due = stepped.store->commit_step();
  EXPECT_TRUE(outcome->kept.value());
  EXPECT_EQ(stepped.disk.syncs, syncs);
  EXPECT_EQ(due, stepped.clock.mono_now() + 100ms);
  stepped.clock.advance(100ms);
  stepped.commit();
  EXPECT_EQ(stepped.disk.syncs, syncs + 1);
}

TEST(Core, CommitsWhatWaitsWhenItCloses) {
  Stepped stepped;
  const auto outcome = stepped.append(numbered_group(1, stepped.clock));
  stepped.store->close();
  EXPECT_TRUE(outcome->kept.value());
  const auto late = stepped.append(numbered_group(2, stepped.clock));
  EXPECT_FALSE(late->kept.value());
  stepped.crash();
  EXPECT_THAT(numbers(stepped.read_all()), ElementsAre(1));
}

TEST(Core, TellsWhatItGivesUpWhenItCloses) {
  Stepped stepped;
  stepped.append(numbered_group(1, stepped.clock));
  stepped.commit();
  stepped.disk.write_fails = Errc::failed;
  const Group::Owner group = numbered_group(2, stepped.clock);
  stepped.append(numbered_group(2, stepped.clock), 0, buffer::AckLevel::memory);
  stepped.append(numbered_group(3, stepped.clock));
  EXPECT_EQ(stepped.store->close(), group->records().size());
  Stepped sound;
  sound.append(numbered_group(2, sound.clock), 0, buffer::AckLevel::memory);
  EXPECT_EQ(sound.store->close(), 0);
}

TEST(Core, FailsWhatWaitsWhenItClosesInTrouble) {
  Stepped stepped;
  stepped.disk.write_fails = Errc::failed;
  const auto outcome = stepped.append(numbered_group(1, stepped.clock));
  stepped.store->close();
  EXPECT_FALSE(outcome->kept.value());
}

TEST(Core, TellsWhatItDoesInMetrics) {
  Stepped stepped;
  stepped.append(numbered_group(1, stepped.clock));
  stepped.append(numbered_group(2, stepped.clock));
  stepped.commit();
  metrics::Exposition exposition;
  stepped.store->expose(exposition);
  const std::string text = exposition.to_text();
  for (const char* line : {"sluice_buffer_commits_total 1\n", "sluice_buffer_commit_groups_sum 2\n",
                           "sluice_buffer_trouble 0\n", "sluice_buffer_write_failures_total 0\n",
                           "sluice_buffer_events_lost_total{workspace=\"w0\"} 0\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

}  // namespace
}  // namespace sluice::store
