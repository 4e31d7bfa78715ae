// Goal: how far the workspaces have come is known apart from the database: what was kept is found
// again, whatever happens to one of its two places, and what the database has lost is counted.
#include "tally.hpp"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include <sluice/base/log.hpp>

#include "store_support.hpp"
#include "temporary_directory.hpp"

namespace sluice::store {
namespace {

namespace fs = std::filesystem;

Position position(Ticket ticket) {
  return {.ticket = ticket, .before = {.events = 2 * ticket, .keys = ticket, .payload_bytes = 9}};
}

std::string encoded(const Position& next, const Position& low, const ReleaseLog::Ranges& ranges) {
  const TallyPart part{.id = 7, .next = next, .low = low, .ranges = ranges};
  std::string bytes;
  encode_tally(std::span(&part, 1), bytes);
  return bytes;
}

TEST(Tally, ComesOutAsItWentIn) {
  const ReleaseLog::Ranges ranges{{5, {.end = 6, .totals = {.events = 1}}},
                                  {8, {.end = 12, .totals = {.events = 3, .keys = 2}}}};
  const std::string bytes = encoded(position(20), position(3), ranges);
  const auto tally = decode_tally(bytes);
  ASSERT_TRUE(tally);
  const TallyEntry& entry = tally->at(7);
  EXPECT_EQ(entry.next, position(20));
  EXPECT_EQ(entry.low, position(3));
  EXPECT_EQ(entry.ranges.size(), 2U);
  EXPECT_EQ(entry.ranges.at(8).end, 12U);
  EXPECT_EQ(entry.ranges.at(8).totals.keys, 2U);
  EXPECT_TRUE(entry.is_complete);
  EXPECT_FALSE(decode_tally(bytes + "x"));
  EXPECT_FALSE(decode_tally(std::string_view(bytes).substr(0, bytes.size() - 1)));
}

TEST(Tally, OfTooManyRangesItSaysThatThereAreMore) {
  ReleaseLog::Ranges ranges;
  for (Ticket begin = 10; ranges.size() <= tally_ranges_max; begin += 2) {
    ranges[begin] = {.end = begin + 1, .totals = {.events = 1}};
  }
  const auto tally = decode_tally(encoded(position(9'000), position(3), ranges));
  ASSERT_TRUE(tally);
  EXPECT_FALSE(tally->at(7).is_complete);
  EXPECT_EQ(tally->at(7).ranges.size(), tally_ranges_max);
}

TEST(Tally, IsRightWhereTheStoreDoesNotSayWhatWasReleased) {
  const auto tally = decode_tally(encoded(position(20), position(3), {}));
  LoadedWorkspace loaded{.id = 7, .name = "some", .next = position(20)};
  loaded.releases = ReleaseLog(7, position(15), {});
  loaded.has_low = false;
  raise(loaded, *tally);
  EXPECT_EQ(loaded.releases.low(), position(3)) << "what is missing since then is lost";
}

TEST(Tally, TheOneThatHasSeenMoreIsRight) {
  log::configure(log::Level::off, log::Format::human);
  const Tally tally =
      decode_tally(encoded(position(20), position(3), {{5, {.end = 9, .totals = {.events = 4}}}}))
          .value();
  LoadedWorkspace behind{.id = 7, .name = "w", .next = position(10)};
  behind.releases = ReleaseLog(7, position(2), {{5, {.end = 6, .totals = {.events = 1}}}});
  raise(behind, tally);
  EXPECT_EQ(behind.next, position(20));
  EXPECT_EQ(behind.releases.low(), position(3));
  EXPECT_EQ(behind.releases.ranges().at(5).end, 9U);

  LoadedWorkspace ahead{.id = 7, .name = "w", .next = position(30)};
  ahead.releases = ReleaseLog(7, position(12), {});
  raise(ahead, tally);
  EXPECT_EQ(ahead.next, position(30));
  EXPECT_EQ(ahead.releases.low(), position(12));
  EXPECT_TRUE(ahead.releases.ranges().empty());

  LoadedWorkspace another{.id = 8, .name = "v", .next = position(1)};
  raise(another, tally);
  EXPECT_EQ(another.next, position(1));
  log::configure(log::Level::info, log::Format::human);
}

void overwrite(const std::string& path, std::uint64_t offset) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(offset));
  file << "damage";
}

TEST(TallyFile, GivesBackWhatWasKeptLast) {
  const test::TemporaryDirectory folder;
  const std::string path = folder / "TALLY";
  for (const char* last : {"a", "bb", "ccc"}) {
    TallyFile file = TallyFile::open(path);
    file.keep("before");
    file.keep(last);
    EXPECT_EQ(TallyFile::read(path), last) << "also for another process";
  }
  EXPECT_EQ(TallyFile::open(path).found(), "ccc");
}

TEST(TallyFile, ADamagedPlaceLeavesTheOtherOne) {
  const test::TemporaryDirectory folder;
  const std::string path = folder / "TALLY";
  {
    TallyFile file = TallyFile::open(path);
    file.keep("first");
    file.keep("second");
  }
  overwrite(path, 22);
  EXPECT_EQ(TallyFile::read(path), "first");
  {
    TallyFile file = TallyFile::open(path);
    file.keep("third");
  }
  EXPECT_EQ(TallyFile::read(path), "third");
  overwrite(path, 22);
  overwrite(path, (1U << 20) + 22);
  EXPECT_EQ(TallyFile::read(path), "");
}

TEST(TallyFile, IsMadeAgainWhereItWasDeleted) {
  const test::TemporaryDirectory folder;
  const std::string path = folder / "TALLY";
  TallyFile file = TallyFile::open(path);
  file.keep("before");
  fs::remove(path);
  file.keep("after");
  EXPECT_EQ(TallyFile::read(path), "after");
}

TEST(TallyFile, WhatStandsInItsPlaceIsSetAside) {
  log::configure(log::Level::off, log::Format::human);
  const test::TemporaryDirectory folder;
  const std::string path = folder / "TALLY";
  fs::create_directories(path + "/something");
  {
    TallyFile file = TallyFile::open(path);
    file.keep("kept");
  }
  EXPECT_EQ(TallyFile::read(path), "kept");
  EXPECT_EQ(std::ranges::distance(fs::directory_iterator(folder / ""), fs::directory_iterator()),
            2);
  log::configure(log::Level::info, log::Format::human);
}

// On a disk in memory that loses what it has at the end, with and without the count.
class WithTally {
 public:
  void open() {
    auto opened =
        open_stepped({},
                     {{.name = "w",
                       .settlement = &settlement,
                       .window = &window,
                       .wake = [] {},
                       .lost = [this](const Backlog& backlog,
                                      std::uint32_t) { lost.events += backlog.events; }}},
                     clock, std::make_unique<test::MemoryEngine>(disk),
                     {.commit = [] {}, .read = [] {}}, nullptr, nullptr,
                     {.found = kept, .keep = [this](std::string_view bytes) { kept = bytes; }});
    ASSERT_TRUE(opened) << opened.error().message;
    store = *std::move(opened);
  }
  void append(std::uint64_t number) {
    EXPECT_FALSE(store->buffer(0).append(0, numbered_group(number, clock), buffer::AckLevel::disk,
                                         [](const Result<void>&) {}));
    static_cast<void>(store->commit_step());
  }
  std::vector<Group::Owner> read_all() {
    std::vector<Group::Owner> groups;
    while (true) {
      store->buffer(0).read(groups, ~0ULL);
      if (store->read_step() == MonoTime::max() && store->buffer(0).try_sleep()) {
        return groups;
      }
    }
  }
  // Releases get onto the disk.
  void settle() {
    static_cast<void>(store->commit_step());
    clock.advance(1s);
    static_cast<void>(store->commit_step());
  }
  void die() {
    disk.write_fails = Errc::failed;
    store.reset();
    disk.write_fails.reset();
  }

  FakeClock clock;
  test::MemoryDisk disk;
  buffer::DedupWindow window{{.window = 10min, .entries_max = 1'000}};
  test::WindowSettlement settlement{window};
  std::string kept;
  Backlog lost;
  std::unique_ptr<SteppedStore> store;
};

TEST(Tally, WhatTheDatabaseHasLostAtItsEndIsCountedExactly) {
  log::configure(log::Level::off, log::Format::human);
  WithTally running;
  running.open();
  for (std::uint64_t number = 1; number <= 4; ++number) {
    running.append(number);
  }
  const auto earlier = running.disk.visible;
  for (std::uint64_t number = 5; number <= 12; ++number) {
    running.append(number);
  }
  std::uint64_t open = 0;
  for (Group::Owner& group : running.read_all()) {
    if (group->ticket == 2 || group->ticket == 6 || group->ticket == 9) {
      running.store->buffer(0).release(std::move(group));
    } else if (group->ticket > 4) {
      open += group->records().size();
    }
  }
  running.settle();
  running.die();
  running.disk.stable = running.disk.visible = earlier;
  running.disk.unsynced.clear();
  running.disk.broken = false;

  running.open();
  std::vector<Ticket> tickets;
  std::uint64_t events = 0;
  auto groups = running.read_all();
  for (const Group::Owner& group : groups) {
    tickets.push_back(group->ticket);
    events += group->records().size();
  }
  EXPECT_THAT(tickets, testing::ElementsAre(1, 3, 4))
      << "and what was released does not come again";
  EXPECT_EQ(running.lost.events, open);
  EXPECT_EQ(running.store->recovered(0).events, events + open);
  for (Group::Owner& group : groups) {
    running.store->buffer(0).release(std::move(group));
  }
  running.settle();
  running.lost = {};
  running.die();
  running.disk.crash();

  running.open();
  EXPECT_TRUE(running.read_all().empty());
  EXPECT_EQ(running.lost.events, 0U) << "it is counted once";
  running.append(13);
  EXPECT_EQ(running.read_all().front()->ticket, 13U) << "no ticket is given twice";
  log::configure(log::Level::info, log::Format::human);
}

TEST(Tally, IsKeptOfWorkspacesThatAreNotConfigured) {
  const Position next = position(20);
  const Position low = position(3);
  WithTally running;
  running.kept = encoded(next, low, {});
  running.open();
  running.append(1);
  const auto tally = decode_tally(running.kept);
  ASSERT_TRUE(tally);
  EXPECT_EQ(tally->size(), 2U);
  EXPECT_EQ(tally->at(7).next, next);
}

}  // namespace
}  // namespace sluice::store
