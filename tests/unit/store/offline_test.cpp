// Goal: a store that is at rest can be looked at without being changed, tells what is damaged,
// gives its events out, and can be mended.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include <sluice/base/log.hpp>
#include <sluice/store/offline.hpp>

#include "folder.hpp"
#include "rocksdb_support.hpp"
#include "temporary_directory.hpp"

namespace sluice::store {
namespace {

namespace fs = std::filesystem;

// Tickets 1 to `groups`, of which 2 and 3 were delivered; in a table, not in the log.
std::uint64_t fill(const std::string& path, std::uint64_t groups) {
  std::uint64_t events = 0;
  const auto folder = Folder::open(path, Folder::Missing::create);
  {
    OnRocksDb running({.path = folder->database_path()});
    for (std::uint64_t number = 1; number <= groups; ++number) {
      EXPECT_TRUE(running.append(numbered_group(number, running.clock, 4'000, true)));
      running.clock.advance(1s);
    }
    for (Group::Owner& group : running.read_all()) {
      if (group->ticket == 2 || group->ticket == 3) {
        running.release(std::move(group));
      } else {
        events += group->records().size();
      }
    }
    running.settle();
  }
  const OnRocksDb again({.path = folder->database_path()});
  return events;
}

// Zeros in the middle of the largest table.
void damage_table(const std::string& path) {
  fs::path largest;
  for (const auto& entry : fs::directory_iterator(path + "/db")) {
    if (entry.path().extension() == ".sst" &&
        (largest.empty() || entry.file_size() > fs::file_size(largest))) {
      largest = entry.path();
    }
  }
  std::fstream file(largest, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(fs::file_size(largest) / 2));
  file.write(std::string(100, '\0').data(), 100);
}

TEST(Offline, TellsWhatThereIs) {
  const test::TemporaryDirectory folder;
  const std::uint64_t events = fill(folder / "store", 50);
  const auto found = stat(folder / "store");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(found->format, testing::StartsWith("sluice store format 1, written by sluice "));
  EXPECT_GT(found->disk_bytes, 0U);
  ASSERT_EQ(found->workspaces.size(), 1U);
  const WorkspaceStat& workspace = found->workspaces.front();
  EXPECT_EQ(workspace.name, "default");
  EXPECT_EQ(workspace.backlog.events, events);
  EXPECT_EQ(workspace.groups, 48U);
  EXPECT_EQ(workspace.first_ticket, 1U);
  EXPECT_EQ(workspace.next_ticket, 51U);
  EXPECT_EQ(workspace.oldest, FakeClock().wall_now());
  const auto sound = verify(folder / "store");
  ASSERT_TRUE(sound);
  EXPECT_TRUE(sound->is_sound());
  EXPECT_EQ(sound->events, events);
}

TEST(Offline, GivesEveryEventOut) {
  const test::TemporaryDirectory folder;
  const std::uint64_t events = fill(folder / "store", 20);
  std::uint64_t count = 0;
  const auto outcome = export_events(folder / "store", [&](const ExportedEvent& event) {
    ++count;
    const auto group = numbered_group(event.ticket, FakeClock(), 4'000, true);
    EXPECT_EQ(event.json, group->json(event.index));
    EXPECT_EQ(event.kind, group->records()[event.index].kind);
    EXPECT_EQ(event.workspace, "default");
  });
  ASSERT_TRUE(outcome);
  EXPECT_EQ(count, events);
}

TEST(Offline, FindsDamageAndMendsIt) {
  log::configure(log::Level::off, log::Format::human);
  const test::TemporaryDirectory folder;
  const std::string path = folder / "store";
  const std::uint64_t events = fill(path, 50);
  EXPECT_EQ(repair(path)->set_aside, "") << "nothing to mend";
  damage_table(path);
  const auto damaged = verify(path);
  ASSERT_TRUE(damaged) << damaged.error().message;
  ASSERT_EQ(damaged->bad.size(), 1U);
  EXPECT_GT(damaged->bad[0].events, 0U);
  EXPECT_LT(damaged->bad[0].groups, 12U);
  EXPECT_EQ(damaged->events + damaged->bad[0].events, events);

  const auto mended = repair(path);
  ASSERT_TRUE(mended) << mended.error().message;
  EXPECT_TRUE(fs::exists(mended->set_aside));
  // It looks for each record by itself, and not for each block of them.
  EXPECT_GE(mended->found.events, damaged->events);
  EXPECT_LE(mended->found.bad[0].groups, 2U);
  const std::uint64_t left = mended->found.events;
  const auto sound = verify(path);
  ASSERT_TRUE(sound);
  EXPECT_TRUE(sound->is_sound());
  EXPECT_EQ(sound->events, left);

  OnRocksDb running({.path = path + "/db"});
  ASSERT_FALSE(running.error);
  EXPECT_EQ(running.store->recovered(0).events, left);
  std::uint64_t read = 0;
  for (const Group::Owner& group : running.read_all()) {
    read += group->records().size();
    EXPECT_EQ(group->bytes(), numbered_group(group->ticket, FakeClock(), 4'000, true)->bytes());
  }
  EXPECT_EQ(read, left);
  EXPECT_EQ(running.lost, Backlog{});
  log::configure(log::Level::info, log::Format::human);
}

TEST(Offline, NeedsAStoreThatNobodyHasOpen) {
  const test::TemporaryDirectory folder;
  EXPECT_THAT(stat(folder / "nothing").error().message, testing::HasSubstr("there is no store"));
  const auto held = Folder::open(folder / "store", Folder::Missing::create);
  ASSERT_TRUE(held);
  EXPECT_EQ(verify(folder / "store").error().code, Errc::locked);
}

}  // namespace
}  // namespace sluice::store
