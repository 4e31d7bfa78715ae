// Goal: a damaged store is built anew whatever room there is, and whenever the process ends
// meanwhile; so is one that was about to be saved, or put into its place.
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include <gmock/gmock.h>

#include <sluice/base/log.hpp>
#include <sluice/store/offline.hpp>

#include "reserve.hpp"
#include "rocksdb_support.hpp"
#include "salvage.hpp"
#include "small_disk.hpp"
#include "temporary_directory.hpp"

namespace sluice::store {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t a_mebibyte = 1U << 20;
#ifdef __has_feature
constexpr bool is_slowed_down = __has_feature(thread_sanitizer);
#else
constexpr bool is_slowed_down = false;
#endif
constexpr std::size_t bytes_of_a_group = 40'000;

// Of an even number, so that it does not get smaller.
Group::Owner some_group(Ticket ticket) {
  return numbered_group(2 * ticket, FakeClock(), bytes_of_a_group, true);
}

class Rebuilding : public testing::Test {
 protected:
  Rebuilding() { log::configure(log::Level::off, log::Format::human); }
  ~Rebuilding() override { log::configure(log::Level::info, log::Format::human); }

  // Without compactions, which would need as much room again.
  [[nodiscard]] static RocksDbOptions options_in(const std::string& folder) {
    return {.path = folder + "/db",
            .write_buffer_bytes = 4 * a_mebibyte,
            .is_tight = true,
            .reserve_path = folder + "/reserve"};
  }
  void append(OnRocksDb& running, std::uint64_t groups) {
    for (std::uint64_t i = 0; i < groups; ++i) {
      auto group = some_group(++last_);
      open_[last_] = group->records().size();
      ASSERT_TRUE(running.append(std::move(group)));
    }
  }
  void release(OnRocksDb& running, std::uint64_t groups) {
    for (Group::Owner& group : running.read_all()) {
      if (groups > 0 && group->ticket % 3 == 0) {
        open_.erase(group->ticket);
        running.release(std::move(group));
        --groups;
      }
    }
    running.settle();
  }
  // Opens it, and finds all that is open, but for so many groups at most; those are counted.
  void expect_all(const RocksDbOptions& options, std::size_t missing_max = 0) {
    OnRocksDb running(options);
    ASSERT_FALSE(running.error) << running.error->message;
    std::map<Ticket, std::uint64_t> missing = open_;
    for (const Group::Owner& group : running.read_all()) {
      EXPECT_EQ(group->bytes(), some_group(group->ticket)->bytes());
      EXPECT_EQ(missing.erase(group->ticket), 1U) << group->ticket << " was released, or is twice";
    }
    EXPECT_LE(missing.size(), missing_max);
    std::uint64_t events = 0;
    for (const auto& [ticket, count] : missing) {
      events += count;
      open_.erase(ticket);
    }
    EXPECT_EQ(running.lost.events, events);
    EXPECT_FALSE(is_in_parts(options.path));
    running.settle();
  }
  static void damage_manifest(const std::string& database) {
    for (const auto& entry : fs::directory_iterator(database)) {
      if (entry.path().filename().string().starts_with("MANIFEST")) {
        fs::resize_file(entry.path(), 10);
      }
    }
  }
  static void damage_middle(const fs::path& file) {
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp(static_cast<std::streamoff>(fs::file_size(file) / 2));
    bytes.write(std::string(100, '\0').data(), 100);
  }
  static std::set<fs::path> tables_of(const std::string& database) {
    std::set<fs::path> tables;
    for (const auto& entry : fs::directory_iterator(database)) {
      if (entry.path().extension() == ".sst") {
        tables.insert(entry.path());
      }
    }
    return tables;
  }
  static std::size_t set_aside_in(const std::string& folder) {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(folder)) {
      count += entry.path().filename().string().starts_with("corrupt-") ? 1 : 0;
    }
    return count;
  }

  std::map<Ticket, std::uint64_t> open_;  // events of the groups that were not released
  Ticket last_ = 0;
  const test::TemporaryDirectory folder_;
};

class OnASmallVolume : public Rebuilding {
 protected:
  // Makes a store that fills 80 % of it, and cannot be opened.
  void SetUp() override {
    if (!disk_.mounted()) {
      GTEST_SKIP() << "needs the right to mount a tmpfs";
    }
    if (is_slowed_down) {
      GTEST_SKIP() << "the database's own threads fall behind, and the volume is full too early";
    }
    {
      OnRocksDb running(options_);
      ASSERT_FALSE(running.error) << running.error->message;
      append(running, 100);
      release(running, 20);
      while (room_on(options_.path)->free_bytes > 64 * a_mebibyte / 5) {
        ASSERT_NO_FATAL_FAILURE(append(running, 1));
      }
    }
    damage_manifest(options_.path);
    damage_middle(*tables_of(options_.path).rbegin());
  }

  test::SmallDisk disk_{folder_ / "disk"};
  const RocksDbOptions options_ = options_in(disk_ / "store");
};

TEST_F(OnASmallVolume, ItIsMovedAPieceAtATime) {
  expect_all(options_, 1);
  EXPECT_EQ(set_aside_in(disk_ / "store"), 0U) << "there is no room for two";
  expect_all(options_);
}

TEST_F(OnASmallVolume, WithNoRoomButTheReserve) {
  disk_.fill();
  expect_all(options_, 1);
  disk_.empty();
  expect_all(options_);
}

// The end of the process, wherever it comes.
struct Killed {};

TEST_F(OnASmallVolume, WhereverTheProcessEndsMeanwhileNothingElseIsLost) {
  fs::remove(options_.reserve_path);
  std::uint64_t ends = 0;
  for (std::uint64_t at = 1; at < 10; ++at) {
    SCOPED_TRACE(at);
    const Tally tally = decode_tally(TallyFile::read(disk_ / "store/TALLY")).value();
    try {
      const auto rebuilt =
          rebuild(options_.path, tally, 4 * a_mebibyte, [&](std::uint64_t done, std::uint64_t all) {
            if (done > all / 2 + all / 20 * at) {
              throw Killed{};
            }
          });
      ASSERT_TRUE(rebuilt) << rebuilt.error().message;
      break;
    } catch (const Killed&) {
      ++ends;
    }
    EXPECT_TRUE(is_in_parts(options_.path));
  }
  EXPECT_GT(ends, 2U);
  expect_all(options_, 1);
  expect_all(options_);
}

TEST_F(OnASmallVolume, TheToolsLookAtACopySomewhereElse) {
  const auto found = verify(disk_ / "store");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_NE(found->cannot_open, "");
  EXPECT_GE(found->groups + 1, open_.size());
  const auto mended = repair(disk_ / "store");
  ASSERT_TRUE(mended) << mended.error().message;
  EXPECT_TRUE(mended->is_rebuilt);
  EXPECT_EQ(mended->set_aside, "");
  const auto sound = verify(disk_ / "store");
  ASSERT_TRUE(sound) << sound.error().message;
  EXPECT_TRUE(sound->is_sound());
  EXPECT_EQ(sound->groups, found->groups);
}

// What a process leaves that ends while it saves a store whose files are gone, or puts one in
// place.
class CutShort : public Rebuilding {
 protected:
  void SetUp() override {
    {
      OnRocksDb running(options_);
      ASSERT_FALSE(running.error) << running.error->message;
      append(running, 60);
      release(running, 10);
    }
    fs::copy(database_, earlier_, fs::copy_options::recursive);
    OnRocksDb running(options_);
    append(running, 60);
  }

  const RocksDbOptions options_ = options_in(folder_ / "store");
  const std::string database_ = options_.path;
  const std::string part_ = part_of(database_);
  const std::string earlier_ = folder_ / "earlier";  // the store as it was before the last groups
};

TEST_F(CutShort, SavedAndNotYetInItsPlace) {
  fs::rename(database_, part_);
  expect_all(options_);
}

TEST_F(CutShort, SavedAndTheFolderWasMadeAgain) {
  fs::rename(database_, part_);
  fs::create_directory(database_);
  expect_all(options_);
}

TEST_F(CutShort, SavedInPart) {
  fs::remove_all(database_);
  fs::rename(earlier_, part_);
  expect_all(options_, 60);
}

TEST_F(CutShort, SavedInPartAndPutBack) {
  fs::rename(earlier_, part_);
  expect_all(options_);
}

TEST_F(CutShort, SavedInPartAndOnlySomeFilesWereGone) {
  fs::rename(earlier_, part_);
  fs::remove(database_ + "/CURRENT");
  fs::remove(*tables_of(database_).begin());
  expect_all(options_);
}

TEST_F(CutShort, SavedInPartBeforeThereWasAnything) {
  fs::create_directory(part_);
  expect_all(options_);
}

TEST_F(CutShort, CompleteAndNotYetInItsPlace) {
  fs::rename(database_, database_ + ".rebuilt");
  expect_all(options_);
}

TEST_F(CutShort, CompleteAndTheOldOneIsStillThere) {
  fs::rename(database_, database_ + ".rebuilt");
  fs::rename(earlier_, database_);
  damage_manifest(database_);
  expect_all(options_);
  EXPECT_EQ(set_aside_in(folder_ / "store"), 1U);
}

TEST_F(CutShort, ADraftIsOfNoUse) {
  fs::rename(earlier_, database_ + ".draft");
  expect_all(options_);
  EXPECT_FALSE(fs::exists(database_ + ".draft"));
}

TEST_F(CutShort, TheToolsReadBothParts) {
  fs::rename(earlier_, part_);
  fs::remove(database_ + "/CURRENT");
  fs::remove(*tables_of(database_).begin());
  const auto found = verify(folder_ / "store");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->groups, open_.size());
}

}  // namespace
}  // namespace sluice::store
