// Goal: room is kept for when there is no other, and a store that has filled its disk gets rid of
// what has ended.
#include "reserve.hpp"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include "rocksdb_support.hpp"
#include "small_disk.hpp"
#include "temporary_directory.hpp"

namespace sluice::store {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t mebibyte = 1U << 20;

class OnASmallDisk : public testing::Test {
 protected:
  void SetUp() override {
    if (!disk_.mounted()) {
      GTEST_SKIP() << "needs the right to mount a tmpfs";
    }
  }
  [[nodiscard]] std::uint64_t free_bytes() const {
    return room_on(folder_ / "disk").value().free_bytes;
  }

  const test::TemporaryDirectory folder_;
  test::SmallDisk disk_{folder_ / "disk"};
};

class ReserveTest : public OnASmallDisk {};

TEST_F(ReserveTest, TakesRoomAndGivesItBack) {
  const std::uint64_t before = free_bytes();
  Reserve reserve(disk_ / "reserve");
  EXPECT_EQ(reserve.size_bytes(), 4 * mebibyte) << "a sixteenth";
  EXPECT_EQ(reserve.held_bytes(), 0U);
  EXPECT_TRUE(reserve.try_take());
  EXPECT_EQ(reserve.held_bytes(), 4 * mebibyte);
  EXPECT_EQ(free_bytes(), before - 4 * mebibyte);
  EXPECT_TRUE(reserve.try_take()) << "it is there";
  EXPECT_EQ(free_bytes(), before - 4 * mebibyte);
  reserve.give_back();
  EXPECT_EQ(reserve.held_bytes(), 0U);
  EXPECT_EQ(free_bytes(), before);
}

TEST_F(ReserveTest, IsFoundAgain) {
  EXPECT_TRUE(Reserve(disk_ / "reserve").try_take());
  EXPECT_TRUE(Reserve(disk_ / "reserve").is_held());
  std::ofstream(disk_ / "reserve", std::ios::app) << "one more";
  EXPECT_FALSE(Reserve(disk_ / "reserve").is_held()) << "of another size";
  EXPECT_FALSE(fs::exists(disk_ / "reserve"));
}

TEST_F(ReserveTest, TakesNoLastRoom) {
  disk_.fill();
  fs::resize_file(disk_ / "junk", fs::file_size(disk_ / "junk") - 7 * mebibyte);
  Reserve reserve(disk_ / "reserve");
  EXPECT_FALSE(reserve.try_take()) << "less than twice as much is free";
  EXPECT_FALSE(fs::exists(disk_ / "reserve"));
  disk_.empty();
  EXPECT_TRUE(reserve.try_take());
}

TEST_F(ReserveTest, WithoutAPathThereIsNone) {
  Reserve reserve("");
  EXPECT_EQ(reserve.size_bytes(), 0U);
  EXPECT_TRUE(reserve.try_take());
}

TEST_F(ReserveTest, RoomIsThatOfTheNearestFolder) {
  EXPECT_EQ(room_on(disk_ / "not/there").value().size_bytes, 64 * mebibyte);
  EXPECT_EQ(room_for_store(disk_ / "not/there"), free_bytes());
  const std::uint64_t before = free_bytes();
  fs::create_directories(disk_ / "store/db");
  std::ofstream(disk_ / "store/db/1.sst") << std::string(mebibyte, 'x');
  std::ofstream(disk_ / "store/reserve") << std::string(mebibyte, 'x');
  EXPECT_LT(free_bytes(), before - mebibyte);
  EXPECT_EQ(room_for_store(disk_ / "store"), before) << "what it has counts";
}

class FullDiskTest : public OnASmallDisk {
 protected:
  void fill(OnRocksDb& running, std::size_t group_bytes) {
    while (running.append(numbered_group(++last_, running.clock, group_bytes))) {
      kept_.insert(last_);
      ASSERT_LT(last_, 200'000U) << "never full";
    }
    EXPECT_THAT(running.store->buffer(0).trouble(), testing::HasSubstr("the disk is full"));
  }
  void expect_that_delivering_makes_room(OnRocksDb& running) {
    std::set<std::uint64_t> found;
    for (Group::Owner& group : running.read_all()) {
      found.insert(number_of(*group));
      running.release(std::move(group));
    }
    EXPECT_EQ(found, kept_);
    for (int second = 0; second < 3; ++second) {
      running.settle();
    }
    EXPECT_EQ(running.store->buffer(0).trouble(), "");
    EXPECT_TRUE(running.append(numbered_group(++last_, running.clock)));
    kept_ = {last_};
    EXPECT_EQ(running.engine->stats().reserve_bytes, 4 * mebibyte);
    EXPECT_EQ(running.lost, Backlog{});
  }
  RocksDbOptions options() { return {.path = disk_ / "db", .reserve_path = disk_ / "reserve"}; }

  std::uint64_t last_ = 0;
  std::set<std::uint64_t> kept_;
};

TEST_F(FullDiskTest, WhatIsDeliveredMakesRoomAgain) {
  OnRocksDb running(options());
  ASSERT_FALSE(running.error) << running.error->message;
  for (const std::size_t group_bytes : {5'000U, 500'000U}) {
    ASSERT_NO_FATAL_FAILURE(fill(running, group_bytes));
    EXPECT_GT(running.engine->stats().disk_bytes, 20 * mebibyte) << "most of it is of use";
    expect_that_delivering_makes_room(running);
    EXPECT_LT(running.engine->stats().disk_bytes, 16 * mebibyte);
  }
}

// Where no table can be made once the test says so.
class NoTables final : public rocksdb::FileSystemWrapper {
 public:
  explicit NoTables(rocksdb::IOStatus refusal)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), refusal_(std::move(refusal)) {}
  [[nodiscard]] const char* Name() const override { return "NoTables"; }
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* context) override {
    return refuse && path.ends_with(".sst")
               ? refusal_
               : FileSystemWrapper::NewWritableFile(path, options, file, context);
  }

  std::atomic<bool> refuse{false};

 private:
  const rocksdb::IOStatus refusal_;
};

class WithoutTables : public testing::TestWithParam<rocksdb::IOStatus> {};

// RocksDB would hold up the commit thread for ever, and with it the end of the process: so the test
// would not end.
TEST_P(WithoutTables, CommitsAreRefusedAtOnceAndGoOnAfterwards) {
  const test::TemporaryDirectory folder;
  const auto tables = std::make_shared<NoTables>(GetParam());
  const auto env = rocksdb::NewCompositeEnv(tables);
  OnRocksDb running({.path = folder / "db", .env = env.get(), .write_buffer_bytes = 4 * mebibyte});
  ASSERT_FALSE(running.error) << running.error->message;
  std::uint64_t last = 0;
  while (last < 10) {
    ASSERT_TRUE(running.append(numbered_group(++last, running.clock)));
  }
  tables->refuse = true;
  while (running.append(numbered_group(last + 1, running.clock, 500'000))) {
    ASSERT_LT(++last, 200U) << "it must be refused once memory is full";
  }
  EXPECT_NE(running.store->buffer(0).trouble(), "");
  tables->refuse = false;
  for (int second = 0; second < 3; ++second) {
    running.settle();
  }
  EXPECT_EQ(running.store->buffer(0).trouble(), "");
  EXPECT_TRUE(running.append(numbered_group(++last, running.clock)));
  EXPECT_EQ(running.read_all().size(), last);
  EXPECT_EQ(running.lost, Backlog{});
}

INSTANTIATE_TEST_SUITE_P(Of, WithoutTables,
                         testing::Values(rocksdb::IOStatus::NoSpace(),
                                         rocksdb::IOStatus::IOError("Input/output error")),
                         [](const auto& refusal) {
                           return refusal.param.IsNoSpace() ? "NoSpace" : "IOError";
                         });

TEST_F(FullDiskTest, AStartOnItTakesNothingInAndDelivers) {
  {
    OnRocksDb running(options());
    ASSERT_FALSE(running.error) << running.error->message;
    ASSERT_NO_FATAL_FAILURE(fill(running, 10'000));
  }
  disk_.fill();
  {
    OnRocksDb running(options());
    ASSERT_FALSE(running.error) << running.error->message;
    EXPECT_FALSE(running.append(numbered_group(last_ + 1, running.clock)));
    EXPECT_EQ(running.engine->stats().reserve_bytes, 0U) << "is in use";
  }
  disk_.empty();
  OnRocksDb running(options());
  ASSERT_FALSE(running.error) << running.error->message;
  expect_that_delivering_makes_room(running);
}

}  // namespace
}  // namespace sluice::store
