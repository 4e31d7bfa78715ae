// Goal: when the files of a running store are gone, all of it that can still be read is saved, and
// just the rest is counted.
#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <thread>

#include <gmock/gmock.h>

#include "codec.hpp"
#include "load.hpp"
#include "rocksdb_support.hpp"
#include "small_disk.hpp"
#include "temporary_directory.hpp"

namespace sluice::store {
namespace {

namespace fs = std::filesystem;

RocksDbOptions options_in(const std::string& folder) {
  return {.path = folder + "/db", .restore_folder = [folder]() -> Result<void> {
            fs::create_directories(folder);
            return {};
          }};
}

std::size_t tables_in(const std::string& folder) {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    count += entry.path().extension() == ".sst" ? 1 : 0;
  }
  return count;
}

std::uint64_t events_of(const std::map<Ticket, std::uint64_t>& groups) {
  std::uint64_t events = 0;
  for (const auto& [ticket, count] : groups) {
    events += count;
  }
  return events;
}

// Of many tables, only those that were used last are open.
TEST(Saving, PassesOverTheTablesThatAreNotOpen) {
  const test::TemporaryDirectory folder;
  RocksDbOptions options = options_in(folder / "store");
  options.write_buffer_bytes = 1U << 20;
  options.table_bytes = 128U << 10;
  options.open_files_max = 20;
  OnRocksDb running(options, {.path = {}, .tail_bytes_max = 1U << 20});
  ASSERT_FALSE(running.error) << running.error->message;
  std::map<Ticket, std::uint64_t> all;  // events
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (all.size() < 1'000 || tables_in(options.path) < 30) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << tables_in(options.path) << " tables";
    auto group = numbered_group(all.size() + 1, running.clock, 10'000);
    const std::uint64_t events = group->records().size();
    ASSERT_TRUE(running.append(std::move(group)));
    all[all.size() + 1] = events;
  }
  fs::remove_all(folder / "store");
  EXPECT_FALSE(running.append(numbered_group(all.size() + 1, running.clock)));

  const WorkspaceId id = id_of(*running.engine, "default", {}).value();
  std::set<Ticket> readable;
  for (const auto& [ticket, events] : all) {
    const auto value = running.engine->get(make_key(Tag::group, id, ticket));
    if (value && *value) {
      readable.insert(ticket);
    }
  }
  if (readable.size() == all.size()) {
    GTEST_SKIP() << "a compaction has just merged the tables: there is nothing to pass over";
  }
  running.settle();
  ASSERT_EQ(running.store->buffer(0).trouble(), "");
  std::set<Ticket> found;
  std::map<Ticket, std::uint64_t> missing = all;
  for (const Group::Owner& group : running.read_all()) {
    EXPECT_EQ(group->bytes(), numbered_group(group->ticket, running.clock, 10'000)->bytes());
    found.insert(group->ticket);
    missing.erase(group->ticket);
  }
  EXPECT_TRUE(std::ranges::includes(found, readable))
      << found.size() << " of " << readable.size() << " that could be read";
  EXPECT_EQ(running.lost.events, events_of(missing));
}

// A store on a full disk that can only be read.
TEST(Saving, WorksOnceThereIsRoomWhereTheStoreCouldOnlyBeRead) {
  const test::TemporaryDirectory folder;
  test::SmallDisk disk(folder / "disk");
  if (!disk.mounted()) {
    GTEST_SKIP() << "needs the right to mount a tmpfs";
  }
  RocksDbOptions options = options_in(disk / "store");
  options.reserve_path = disk / "store/reserve";
  std::uint64_t last = 0;
  {
    OnRocksDb running(options);
    ASSERT_FALSE(running.error) << running.error->message;
    while (last < 100) {
      ASSERT_TRUE(running.append(numbered_group(++last, running.clock, 10'000)));
    }
  }
  fs::remove(disk / "store/reserve");
  disk.fill();
  OnRocksDb running(options, {.path = {}, .tail_bytes_max = 1});
  ASSERT_FALSE(running.error) << running.error->message;
  EXPECT_THAT(running.store->buffer(0).trouble(), testing::HasSubstr("the disk is full"));
  fs::remove_all(disk / "store");
  disk.fill();
  running.settle();
  EXPECT_THAT(running.store->buffer(0).trouble(), testing::HasSubstr("are gone from"));
  disk.empty();
  running.settle();
  running.settle();
  EXPECT_EQ(running.store->buffer(0).trouble(), "");
  EXPECT_EQ(running.read_all().size(), last);
  EXPECT_EQ(running.lost, Backlog{});
  EXPECT_TRUE(running.append(numbered_group(++last, running.clock)));
}

}  // namespace
}  // namespace sluice::store
