// Goal: wherever a machine dies, and whenever a disk is full, what was acknowledged is there
// afterwards.
#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <unistd.h>

#include <sluice/base/log.hpp>

#include "rocksdb_support.hpp"
#include "small_disk.hpp"
#include "temporary_directory.hpp"

namespace sluice::store {
namespace {

namespace fs = std::filesystem;

// Counts the operations that change something; from one on, the machine is dead. What was not
// synced by then is dropped when the machine comes up again.
class DyingFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  explicit DyingFileSystem(std::uint64_t operations_max)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), operations_max_(operations_max) {}
  [[nodiscard]] const char* Name() const override { return "DyingFileSystem"; }

  // Whether the machine lives on.
  bool step() {
    const std::lock_guard lock(mutex_);
    return ++operations_ <= operations_max_;
  }
  [[nodiscard]] bool is_dead() {
    const std::lock_guard lock(mutex_);
    return operations_ > operations_max_;
  }
  static rocksdb::IOStatus death() { return rocksdb::IOStatus::IOError("the machine is dead"); }
  void synced(const std::string& path) {
    const std::lock_guard lock(mutex_);
    std::error_code gone;
    synced_bytes_[path] = fs::file_size(path, gone);
  }
  void drop_unsynced() {
    for (const auto& [path, bytes] : synced_bytes_) {
      std::error_code gone;
      if (fs::file_size(path, gone) > bytes && !gone) {
        fs::resize_file(path, bytes);
      }
    }
  }

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* context) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* context) override {
    if (!step()) {
      return death();
    }
    {
      const std::lock_guard lock(mutex_);
      if (const auto node = synced_bytes_.extract(from)) {
        synced_bytes_[to] = node.mapped();
      }
    }
    return FileSystemWrapper::RenameFile(from, to, options, context);
  }
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* context) override {
    return step() ? FileSystemWrapper::DeleteFile(path, options, context) : death();
  }

 private:
  const std::uint64_t operations_max_;
  std::mutex mutex_;
  std::uint64_t operations_ = 0;
  std::map<std::string, std::uint64_t> synced_bytes_;
};

class DyingFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  DyingFile(std::unique_ptr<rocksdb::FSWritableFile> file, std::string path,
            DyingFileSystem& system)
      : FSWritableFileOwnerWrapper(std::move(file)), path_(std::move(path)), system_(system) {
    system_.synced(path_);
  }

  using FSWritableFileOwnerWrapper::Append;
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* context) override {
    return system_.step() ? FSWritableFileOwnerWrapper::Append(data, options, context)
                          : DyingFileSystem::death();
  }
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           const rocksdb::DataVerificationInfo&,
                           rocksdb::IODebugContext* context) override {
    return Append(data, options, context);
  }
  rocksdb::IOStatus Truncate(std::uint64_t size, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* context) override {
    return system_.is_dead() ? DyingFileSystem::death()
                             : FSWritableFileOwnerWrapper::Truncate(size, options, context);
  }
  rocksdb::IOStatus Sync(const rocksdb::IOOptions& options,
                         rocksdb::IODebugContext* context) override {
    if (!system_.step()) {
      return DyingFileSystem::death();
    }
    const auto status = FSWritableFileOwnerWrapper::Sync(options, context);
    system_.synced(path_);
    return status;
  }
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options,
                          rocksdb::IODebugContext* context) override {
    return Sync(options, context);
  }

 private:
  const std::string path_;
  DyingFileSystem& system_;
};

rocksdb::IOStatus DyingFileSystem::NewWritableFile(const std::string& path,
                                                   const rocksdb::FileOptions& options,
                                                   std::unique_ptr<rocksdb::FSWritableFile>* file,
                                                   rocksdb::IODebugContext* context) {
  if (!step()) {
    return death();
  }
  auto status = FileSystemWrapper::NewWritableFile(path, options, file, context);
  if (status.ok()) {
    *file = std::make_unique<DyingFile>(std::move(*file), path, *this);
  }
  return status;
}

struct Script {
  std::set<std::uint64_t> acknowledged;
  std::set<std::uint64_t> released;
  bool survived = false;
};

// Some commits, releases and restarts.
Script run_until_death(const std::string& path, rocksdb::Env* env) {
  Script script;
  std::uint64_t number = 0;
  for (int part = 0; part < 3; ++part) {
    OnRocksDb running({.path = path, .read_only = false, .env = env});
    if (running.error) {
      return script;
    }
    for (int i = 0; i < 6; ++i) {
      ++number;
      if (running.append(numbered_group(number, running.clock, 3'000, true))) {
        script.acknowledged.insert(number);
      }
      if (i % 2 == 1) {
        std::vector<Group::Owner> groups;
        running.store->buffer(0).read(groups, ~0ULL);
        static_cast<void>(running.store->read_step());
        if (!groups.empty()) {
          script.released.insert(number_of(*groups.front()));
          running.release(std::move(groups.front()));
        }
      }
    }
    running.settle();
    script.survived = running.store->buffer(0).trouble().empty();
  }
  return script;
}

TEST(CrashPoints, WhereverTheMachineDiesNothingAcknowledgedIsLost) {
  log::configure(log::Level::off, log::Format::human);
  std::uint64_t points = 0;
  for (bool survived = false; !survived; ++points) {
    ASSERT_LT(points, 2'000U);
    SCOPED_TRACE("dead from operation " + std::to_string(points));
    const test::TemporaryDirectory folder;
    const auto system = std::make_shared<DyingFileSystem>(points);
    const auto env = rocksdb::NewCompositeEnv(system);
    const Script script = run_until_death(folder / "db", env.get());
    survived = script.survived && !system->is_dead();
    system->drop_unsynced();

    OnRocksDb again({.path = folder / "db"});
    ASSERT_FALSE(again.error) << again.error->message;
    std::set<std::uint64_t> found;
    std::uint64_t events = 0;
    for (const Group::Owner& group : again.read_all()) {
      EXPECT_TRUE(
          same_content(*group, *numbered_group(number_of(*group), FakeClock(), 3'000, true)) ||
          group->accepted_wall() != FakeClock().wall_now());
      found.insert(number_of(*group));
      events += group->records().size();
    }
    for (const std::uint64_t number : script.acknowledged) {
      EXPECT_TRUE(found.contains(number) || script.released.contains(number)) << number;
    }
    EXPECT_EQ(again.store->recovered(0).events, events);
    EXPECT_EQ(again.lost, Backlog{});
    EXPECT_EQ(again.engine->stats().set_aside, 0U);
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_GT(points, 50U);
  log::configure(log::Level::info, log::Format::human);
}

TEST(FullDisk, RefusesKeepsWhatItHasAndGoesOnWhenThereIsRoom) {
  const test::TemporaryDirectory folder;
  const test::SmallDisk disk(folder / "disk");
  if (!disk.mounted()) {
    GTEST_SKIP() << "needs the right to mount a tmpfs";
  }
  const std::string filler = folder / "disk/filler";
  std::ofstream(filler) << std::string(8U << 20, 'x');
  std::set<std::uint64_t> kept;
  {
    OnRocksDb running({.path = folder / "disk/db"});
    ASSERT_FALSE(running.error) << running.error->message;
    std::uint64_t number = 0;
    while (running.append(numbered_group(++number, running.clock, 100'000, true))) {
      kept.insert(number);
      ASSERT_LT(number, 5'000U) << "never full";
    }
    EXPECT_THAT(running.store->buffer(0).trouble(), testing::HasSubstr("the disk is full"));
    EXPECT_FALSE(running.append(numbered_group(++number, running.clock)));
    fs::remove(filler);
    for (int second = 0; second < 3; ++second) {
      running.clock.advance(1s);
      static_cast<void>(running.store->commit_step());
    }
    EXPECT_EQ(running.store->buffer(0).trouble(), "");
    EXPECT_TRUE(running.append(numbered_group(++number, running.clock)));
    kept.insert(number);
    std::set<std::uint64_t> found;
    for (const Group::Owner& group : running.read_all()) {
      found.insert(number_of(*group));
    }
    EXPECT_EQ(found, kept);
    EXPECT_EQ(running.lost, Backlog{});
  }
  OnRocksDb again({.path = folder / "disk/db"});
  ASSERT_FALSE(again.error) << again.error->message;
  std::set<std::uint64_t> found;
  for (const Group::Owner& group : again.read_all()) {
    found.insert(number_of(*group));
  }
  EXPECT_EQ(found, kept);
}

// From one offset on, a few sectors of each table cannot be read.
class BadSectors final : public rocksdb::FileSystemWrapper {
 public:
  static constexpr std::uint64_t begin = 300'000;
  static constexpr std::uint64_t end = 304'096;

  BadSectors() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  [[nodiscard]] const char* Name() const override { return "BadSectors"; }
  rocksdb::IOStatus NewRandomAccessFile(const std::string& path,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* context) override {
    auto status = FileSystemWrapper::NewRandomAccessFile(path, options, file, context);
    if (status.ok() && path.ends_with(".sst")) {
      *file = std::make_unique<Table>(std::move(*file));
    }
    return status;
  }

 private:
  class Table final : public rocksdb::FSRandomAccessFileOwnerWrapper {
   public:
    using FSRandomAccessFileOwnerWrapper::FSRandomAccessFileOwnerWrapper;
    rocksdb::IOStatus Read(std::uint64_t offset, std::size_t size,
                           const rocksdb::IOOptions& options, rocksdb::Slice* result, char* scratch,
                           rocksdb::IODebugContext* context) const override {
      if (offset < end && offset + size > begin) {
        return rocksdb::IOStatus::IOError("While pread", "Input/output error");
      }
      return FSRandomAccessFileOwnerWrapper::Read(offset, size, options, result, scratch, context);
    }
    rocksdb::IOStatus Prefetch(std::uint64_t, std::size_t, const rocksdb::IOOptions&,
                               rocksdb::IODebugContext*) override {
      return rocksdb::IOStatus::NotSupported();
    }
  };
};

TEST(BadSectors, CostWhatIsInThemAndNothingElse) {
  const test::TemporaryDirectory folder;
  std::map<std::uint64_t, std::uint64_t> events;  // by number
  {
    OnRocksDb running({.path = folder / "db"});
    for (std::uint64_t number = 1; number <= 40; ++number) {
      Group::Owner group = numbered_group(number, running.clock, 50'000);
      events[number] = group->records().size();
      ASSERT_TRUE(running.append(std::move(group)));
    }
  }
  {
    OnRocksDb into_a_table({.path = folder / "db"});
  }
  const auto env = rocksdb::NewCompositeEnv(std::make_shared<BadSectors>());
  OnRocksDb running({.path = folder / "db", .env = env.get()});
  ASSERT_FALSE(running.error) << running.error->message;
  std::vector<Group::Owner> groups;
  for (int second = 0; second < 10; ++second) {
    while (running.store->read_step() <= running.clock.mono_now()) {
      running.store->buffer(0).read(groups, ~0ULL);
    }
    running.store->buffer(0).read(groups, ~0ULL);
    running.settle();
  }
  for (const Group::Owner& group : groups) {
    events.erase(number_of(*group));
  }
  std::uint64_t missing = 0;
  for (const auto& [number, count] : events) {
    missing += count;
  }
  EXPECT_THAT(events.size(), testing::AllOf(testing::Ge(1), testing::Le(2)));
  EXPECT_EQ(running.lost.events, missing);
  EXPECT_EQ(running.store->buffer(0).trouble(), "");
}

// Otherwise a start on a full disk costs memory, several times a large log, until the next one.
TEST(FullDisk, AfterwardsMemoryIsBoundedAsBefore) {
  const test::TemporaryDirectory folder;
  test::SmallDisk disk(folder / "disk");
  if (!disk.mounted()) {
    GTEST_SKIP() << "needs the right to mount a tmpfs";
  }
  std::uint64_t number = 0;
  const auto append = [&](OnRocksDb& running, int groups) {
    for (int i = 0; i < groups; ++i) {
      EXPECT_TRUE(running.append(numbered_group(++number, running.clock, 100'000)));
    }
  };
  const auto has_tables = [&] {
    return std::ranges::any_of(fs::directory_iterator(disk / "db"), [](const auto& entry) {
      return entry.path().extension() == ".sst";
    });
  };
  {
    OnRocksDb running({.path = disk / "db"});
    ASSERT_FALSE(running.error) << running.error->message;
    append(running, 100);
  }
  disk.fill();
  fs::resize_file(disk / "junk", fs::file_size(disk / "junk") - (1U << 20));
  OnRocksDb running({.path = disk / "db", .write_buffer_bytes = 4U << 20});
  ASSERT_FALSE(running.error) << running.error->message;
  append(running, 1);
  EXPECT_FALSE(has_tables()) << "there is no room for any";
  disk.empty();
  append(running, 20);
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (!has_tables() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(has_tables());
}

TEST(Space, ComesBackOnceABacklogHasDrained) {
  const test::TemporaryDirectory folder;
  OnRocksDb running({.path = folder / "db"},
                    {.path = {}, .tail_bytes_max = 1U << 20, .read_ahead_bytes = 1U << 20});
  ASSERT_FALSE(running.error) << running.error->message;
  constexpr std::uint64_t groups = 1'500;
  for (std::uint64_t number = 1; number <= groups; ++number) {
    ASSERT_TRUE(running.append(numbered_group(number, running.clock, 100'000)));
  }
  EXPECT_GT(running.engine->stats().disk_bytes, groups * 100'000 / 4);
  std::uint64_t seen = 0;
  while (seen < groups) {
    std::vector<Group::Owner> read;
    running.store->buffer(0).read(read, ~0ULL);
    for (Group::Owner& group : read) {
      ASSERT_EQ(number_of(*group), ++seen);
      running.release(std::move(group));
    }
    static_cast<void>(running.store->read_step());
    running.settle();
  }
  static_cast<void>(running.store->read_step());
  // What stays is the log that is being written, and what RocksDB has not deleted yet.
  EXPECT_LT(running.engine->stats().disk_bytes, 60U << 20);
}

}  // namespace
}  // namespace sluice::store
