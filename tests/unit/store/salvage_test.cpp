// Goal: what is built anew of a store's files is what was last written to each key, in bounded
// memory; and nothing is given up for a condition that passes.
#include "salvage.hpp"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>

#include <gmock/gmock.h>
#include <linux/capability.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <sluice/base/log.hpp>
#include <sluice/store/trial.hpp>

#include "door.hpp"
#include "raw_file.hpp"
#include "rocksdb_support.hpp"
#include "temporary_directory.hpp"
#include "trial_report.hpp"

namespace sluice::store {
namespace {

namespace fs = std::filesystem;

// What a device refuses: reading these bytes of this file.
struct Unreadable {
  ino_t file = 0;
  off_t from = 0;
  off_t to = 0;
};
Unreadable unreadable;

}  // namespace

// In place of the C library's, also for RocksDB.
extern "C" ssize_t read_from_bad_device(int file, void* buffer, std::size_t size,
                                        off_t at) asm("pread64");
extern "C" ssize_t read_from_bad_device_too(int file, void* buffer, std::size_t size,
                                            off_t at) asm("pread");
extern "C" ssize_t read_from_bad_device(int file, void* buffer, std::size_t size, off_t at) {
  struct stat status{};
  if (unreadable.file != 0 && ::fstat(file, &status) == 0 && status.st_ino == unreadable.file &&
      at < unreadable.to && at + static_cast<off_t>(size) > unreadable.from) {
    errno = EIO;
    return -1;
  }
  return ::syscall(SYS_pread64, file, buffer, size, at);
}
extern "C" ssize_t read_from_bad_device_too(int file, void* buffer, std::size_t size, off_t at) {
  return read_from_bad_device(file, buffer, size, at);
}

namespace {

constexpr WorkspaceId some_id = 7;
constexpr const char* this_test = "/proc/self/exe";
using Found = std::map<Ticket, std::uint64_t>;  // groups, and the number in them

// Writes to a database what a gateway would, but as it is told to.
class Database {
 public:
  explicit Database(std::string path) : path_(std::move(path)) { open(); }

  // Opening makes a table of what was in the log.
  void open() {
    auto opened = open_rocksdb({.path = path_});
    ASSERT_TRUE(opened) << opened.error().message;
    engine_ = *std::move(opened);
  }
  void close() { engine_.reset(); }
  void put_group(Ticket ticket, std::uint64_t number, std::size_t size = 0) {
    const std::string key = make_key(Tag::group, some_id, ticket);
    const FakeClock clock;
    encode_group(key, *numbered_group(number, clock, size), {}, value_);
    batch_.put(key, value_);
  }
  void put_appended(Ticket next) {
    const std::string key = make_key(Tag::appended, some_id);
    batch_.put(key, encode_appended(key, {.next = {.ticket = next, .before = {}}, .name = "some"}));
  }
  void put_low(Ticket low) {
    const std::string key = make_key(Tag::low, some_id);
    batch_.put(key, encode_position(key, {.ticket = low, .before = {}}));
  }
  void remove_groups_from(Ticket ticket) {
    batch_.remove_range(make_key(Tag::group, some_id, ticket),
                        make_key(Tag::group, some_id, ticket_max));
  }
  void write() {
    EXPECT_TRUE(engine_->write(batch_, true));
    batch_.clear();
  }
  [[nodiscard]] fs::path newest(std::string_view extension) const {
    fs::path found;
    for (const auto& entry : fs::directory_iterator(path_)) {
      if (entry.path().extension() == extension && entry.file_size() > 0) {
        found = std::max(found, entry.path());
      }
    }
    return found;
  }

 private:
  std::string path_;
  std::unique_ptr<Engine> engine_;
  Batch batch_;
  std::string value_;
};

struct Salvaged {
  Found groups;
  Ticket next = 0;
  Salvage salvage;
};

Salvaged salvage_of(const std::string& path) {
  Salvaged salvaged;
  test::MemoryDisk disk;
  test::MemoryEngine engine(disk);
  const auto outcome = salvage(path, {}, engine);
  EXPECT_TRUE(outcome) << outcome.error().message;
  salvaged.salvage = outcome.value_or(Salvage{});
  for (const auto& [key, value] : disk.visible) {
    if (static_cast<Tag>(key.front()) == Tag::group) {
      const auto group = decode_group(key, value);
      EXPECT_TRUE(group);
      salvaged.groups[ticket_of_key(key)] = number_of(*Group::make(group->parts()));
    } else if (static_cast<Tag>(key.front()) == Tag::appended) {
      salvaged.next = decode_appended(key, value).value_or(Appended{}).next.ticket;
    }
  }
  return salvaged;
}

TEST(Salvage, WhatWasRefusedDoesNotComeBack) {
  const test::TemporaryDirectory folder;
  Database database(folder / "db");
  database.put_low(1);
  database.put_group(1, 11);
  database.put_appended(2);
  database.write();
  // A commit that counts as failed, although it is there: two groups.
  database.put_group(2, 22);
  database.put_group(3, 33);
  database.put_appended(4);
  database.write();
  database.close();
  // The store is opened again, and takes back what it has refused.
  database.open();
  database.remove_groups_from(2);
  database.put_appended(2);
  database.write();
  database.close();
  const Salvaged found = salvage_of(folder / "db");
  EXPECT_EQ(found.groups, (Found{{1, 11}}));
  EXPECT_EQ(found.next, 2U);
}

TEST(Salvage, TheNewestVersionOfAKeyWinsWhateverFilesAreCalled) {
  const test::TemporaryDirectory folder;
  Database database(folder / "db");
  database.put_low(1);
  database.put_group(1, 11);
  database.put_group(2, 22);
  database.put_appended(3);
  database.write();
  database.close();
  database.open();
  const fs::path first = database.newest(".sst");
  database.remove_groups_from(2);
  database.write();
  database.put_group(2, 44);
  database.write();
  database.close();
  database.open();
  database.close();
  const fs::path second = database.newest(".sst");
  ASSERT_NE(first, second);
  for (const bool exchanged : {false, true}) {
    if (exchanged) {
      fs::rename(first, folder / "other");
      fs::rename(second, first);
      fs::rename(folder / "other", second);
    }
    EXPECT_EQ(salvage_of(folder / "db").groups, (Found{{1, 11}, {2, 44}})) << exchanged;
  }
}

TEST(Salvage, ABatchThatWasTornAndWrittenOverDoesNotComeBack) {
  const test::TemporaryDirectory folder;
  Database database(folder / "db");
  database.put_low(1);
  database.put_group(1, 11);
  database.put_appended(2);
  database.write();
  const auto whole_bytes = fs::file_size(database.newest(".log"));
  database.put_group(2, 22, 50'000);
  database.put_group(3, 34, 50'000);
  database.put_appended(4);
  database.write();
  const fs::path log = database.newest(".log");
  database.close();
  // A write that failed: the second group of it is cut.
  fs::resize_file(log, whole_bytes + 80'000);
  fs::copy(log, folder / "torn");
  EXPECT_EQ(salvage_of(folder / "db").groups, (Found{{1, 11}, {2, 22}})) << "it may be damaged";
  database.open();
  database.put_appended(2);
  database.write();
  database.put_group(2, 44);
  database.put_appended(3);
  database.write();
  database.close();
  // The process ended before it had removed the log.
  fs::copy(folder / "torn", log);
  const Salvaged found = salvage_of(folder / "db");
  EXPECT_EQ(found.groups, (Found{{1, 11}, {2, 44}}));
  EXPECT_EQ(found.next, 3U);
}

TEST(Salvage, ALogOfNothingButATornBatchDoesNotComeBack) {
  const test::TemporaryDirectory folder;
  Database database(folder / "db");
  database.put_low(1);
  database.put_group(1, 11);
  database.put_appended(2);
  database.write();
  database.close();
  database.open();
  database.put_group(2, 22, 50'000);
  database.put_group(3, 34, 50'000);
  database.write();
  const fs::path log = database.newest(".log");
  database.close();
  fs::resize_file(log, 80'000);
  fs::copy(log, folder / "torn");
  database.open();
  database.put_appended(2);
  database.write();
  database.close();
  ASSERT_NE(database.newest(".log"), log);
  fs::copy(folder / "torn", log, fs::copy_options::overwrite_existing);
  const Salvaged found = salvage_of(folder / "db");
  EXPECT_EQ(found.groups, (Found{{1, 11}}));
  EXPECT_EQ(found.next, 2U);
}

TEST(Salvage, WithoutItsBookkeepingTheNextGroupComesBehindTheLast) {
  const test::TemporaryDirectory folder;
  Database database(folder / "db");
  database.put_low(1);
  database.put_appended(1);
  database.write();
  database.put_group(1, 11);
  database.put_group(2, 22);
  database.write();
  database.close();
  EXPECT_EQ(salvage_of(folder / "db").next, 3U);
}

TEST(Salvage, ReadsAroundWhatTheDeviceRefuses) {
  const test::TemporaryDirectory folder;
  Database database(folder / "db");
  database.put_low(1);
  for (Ticket ticket = 1; ticket <= 60; ++ticket) {
    database.put_group(ticket, ticket, 5'000);
    database.put_appended(ticket + 1);
    database.write();
  }
  struct stat status{};
  ASSERT_EQ(::stat(database.newest(".log").c_str(), &status), 0);
  database.close();
  unreadable = {.file = status.st_ino, .from = 100'000, .to = 100'001};
  const Salvaged found = salvage_of(folder / "db");
  EXPECT_EQ(found.salvage.unreadable_bytes, 4'096U);
  EXPECT_GE(found.groups.size(), 57U);
  EXPECT_EQ(found.next, 61U);
  unreadable = {.file = status.st_ino, .from = 0, .to = status.st_size};
  EXPECT_EQ(check_readable(folder / "db").error().code, Errc::unreadable);
  unreadable = {};
  EXPECT_TRUE(check_readable(folder / "db"));
}

// As many bytes as this process has to itself, and may write to.
std::uint64_t data_bytes() {
  std::ifstream status("/proc/self/status");
  std::string word;
  std::uint64_t kib = 0;
  while (status >> word && word != "VmData:") {
  }
  status >> kib;
  return kib * 1024;
}

TEST(Salvage, ALogThatIsLargerThanTheMemoryIsReadInPieces) {
  ::malloc_trim(0);
  if (data_bytes() > std::uint64_t{1} << 40) {
    GTEST_SKIP() << "a sanitizer has as much to itself";
  }
  const test::TemporaryDirectory folder;
  Database database(folder / "db");
  database.put_low(1);
  for (Ticket ticket = 1; ticket <= 30; ++ticket) {
    database.put_group(ticket, ticket, 30'000);
    database.put_appended(ticket + 1);
    database.write();
  }
  const fs::path log = database.newest(".log");
  database.close();
  // The same again and again, from block to block.
  std::ifstream file(log, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  bytes.resize((bytes.size() / 32'768 + 1) * 32'768, '\0');
  std::ofstream grown(log, std::ios::binary | std::ios::app);
  grown.seekp(0);
  fs::resize_file(log, 0);
  constexpr std::uint64_t log_bytes = 64U << 20;
  for (std::uint64_t written = 0; written < log_bytes; written += bytes.size()) {
    grown.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  grown.close();
  const rlimit little{.rlim_cur = data_bytes() + log_bytes / 2, .rlim_max = RLIM_INFINITY};
  const rlimit enough{.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
  const auto engine = open_rocksdb({.path = folder / "new", .write_buffer_bytes = 1U << 20});
  ASSERT_TRUE(engine);
  ASSERT_EQ(::setrlimit(RLIMIT_DATA, &little), 0);
  EXPECT_NO_THROW(EXPECT_TRUE(salvage(folder / "db", {}, **engine)));
  ASSERT_EQ(::setrlimit(RLIMIT_DATA, &enough), 0);
  std::size_t groups = 0;
  EXPECT_TRUE((*engine)->read("G", "H", [&](std::string_view, std::string_view) {
    ++groups;
    return true;
  }));
  EXPECT_EQ(groups, 30U);
}

TEST(Trial, ThatTakesMoreMemoryThanItMaySaysNothingOfTheStore) {
  const test::TemporaryDirectory folder;
  const std::string path = folder / "db";
  {
    const auto engine = open_rocksdb({.path = path, .write_buffer_bytes = 256U << 20});
    ASSERT_TRUE(engine);
    const std::string value = repetitive_text(1U << 20);
    for (Ticket ticket = 1; ticket <= 100; ++ticket) {
      Batch batch;
      batch.put(make_key(Tag::group, some_id, ticket), value);
      ASSERT_TRUE((*engine)->write(batch, false));
    }
  }
  EXPECT_EQ(try_opening(this_test, {.database = path}, nullptr).end, TrialReport::End::fine);
  const auto bounded =
      try_opening(this_test, {.database = path, .memory_bytes = 16U << 20}, nullptr);
  if (bounded.end == TrialReport::End::fine) {
    GTEST_SKIP() << "a sanitizer takes as much as it likes";
  }
  EXPECT_EQ(bounded.end, TrialReport::End::unknown);
  EXPECT_TRUE(bounded.needs_memory) << bounded.text;
  // To write it takes less: it makes tables.
  const auto writing = try_opening(
      this_test, {.database = path, .to_write = true, .memory_bytes = 64U << 20}, nullptr);
  EXPECT_EQ(writing.end, TrialReport::End::fine) << writing.text;
}

// ---- What this process may not, or cannot for the moment ----------------------------------------

std::uint64_t leave_groups(const std::string& path) {
  std::uint64_t events = 0;
  const auto folder = Folder::open(path, Folder::Missing::create);
  OnRocksDb running({.path = folder->database_path()});
  for (std::uint64_t number = 1; number <= 40; ++number) {
    EXPECT_TRUE(running.append(numbered_group(number, running.clock, 4'000)));
    events += numbered_group(number, running.clock, 4'000)->records().size();
  }
  return events;
}

std::set<fs::path> names_in(const std::string& folder) {
  std::set<fs::path> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    names.insert(entry.path());
  }
  return names;
}

void expect_all(const std::string& path, std::uint64_t events) {
  OnRocksDb running({.path = path + "/db"});
  ASSERT_FALSE(running.error) << running.error->message;
  std::uint64_t found = 0;
  for (const Group::Owner& group : running.read_all()) {
    found += group->records().size();
  }
  EXPECT_EQ(found, events);
  EXPECT_EQ(running.lost, Backlog{});
}

// Without what lets root pass by access rights, while it lives.
class WithoutPrivileges {
 public:
  WithoutPrivileges() {
    change([](std::uint32_t& effective) {
      effective &= ~((1U << CAP_DAC_OVERRIDE) | (1U << CAP_DAC_READ_SEARCH));
    });
  }
  ~WithoutPrivileges() {
    change([this](std::uint32_t& effective) { effective = permitted_; });
  }
  WithoutPrivileges(const WithoutPrivileges&) = delete;
  WithoutPrivileges& operator=(const WithoutPrivileges&) = delete;

 private:
  void change(const std::function<void(std::uint32_t&)>& how) {
    __user_cap_header_struct head{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, 2> data{};
    ASSERT_EQ(::syscall(SYS_capget, &head, data.data()), 0);
    permitted_ = data[0].permitted;
    how(data[0].effective);
    ASSERT_EQ(::syscall(SYS_capset, &head, data.data()), 0);
  }
  std::uint32_t permitted_ = 0;
};

enum class Passing : std::uint8_t { no_access_to_file, no_access_to_folder, no_descriptors };

class PassingCondition : public testing::TestWithParam<Passing> {
 protected:
  // Opens the store while it holds.
  static Result<Files> open_under(Passing condition, const std::string& path,
                                  const std::string& file) {
    const Options options{.path = path, .program = this_test};
    if (condition == Passing::no_descriptors) {
      rlimit before{};
      ::getrlimit(RLIMIT_NOFILE, &before);
      const int next = ::dup(0);
      ::close(next);
      // Enough for the folder's own files.
      const rlimit few{.rlim_cur = static_cast<rlim_t>(next) + 3, .rlim_max = before.rlim_max};
      ::setrlimit(RLIMIT_NOFILE, &few);
      auto opened = open_files(options);
      ::setrlimit(RLIMIT_NOFILE, &before);
      return opened;
    }
    const std::string target = condition == Passing::no_access_to_file ? file : path + "/db";
    ::chmod(target.c_str(), 0);
    auto opened = [&] {
      const WithoutPrivileges without;
      return open_files(options);
    }();
    ::chmod(target.c_str(), 0700);
    return opened;
  }
};

TEST_P(PassingCondition, FailsTheStartAndGivesNothingUp) {
  log::configure(log::Level::off, log::Format::human);
  for (const bool is_damaged : {false, true}) {
    const test::TemporaryDirectory folder;
    const std::string path = folder / "store";
    const std::uint64_t events = leave_groups(path);
    std::string file;
    for (const fs::path& name : names_in(path + "/db")) {
      file = name.extension() == ".log" ? name.string() : file;
    }
    if (is_damaged) {
      fs::remove(path + "/db/CURRENT");
    }
    const auto before = names_in(path);
    {
      const auto opened = open_under(GetParam(), path, file);
      ASSERT_FALSE(opened);
      EXPECT_THAT(opened.error().message, testing::HasSubstr(path + "/db"));
      EXPECT_THAT(opened.error().message,
                  testing::HasSubstr("start again: nothing was changed, and nothing was given up"));
    }
    auto after = names_in(path);
    after.erase(path + "/TALLY");
    after.erase(path + "/OPENING");
    for (const fs::path& name : before) {
      EXPECT_TRUE(after.contains(name) || name.filename() == "TALLY") << name;
    }
    expect_all(path, events);
  }
  log::configure(log::Level::info, log::Format::human);
}

INSTANTIATE_TEST_SUITE_P(All, PassingCondition,
                         testing::Values(Passing::no_access_to_file, Passing::no_access_to_folder,
                                         Passing::no_descriptors));

TEST(OpeningSteps, AreToldWhileAStoreIsBuiltAnew) {
  log::configure(log::Level::off, log::Format::human);
  const test::TemporaryDirectory folder;
  const std::string path = folder / "store";
  leave_groups(path);
  fs::remove(path + "/db/CURRENT");
  std::vector<OpeningProgress> told;
  const auto opened = open_files(
      {.path = path, .program = this_test, .tell_opening = [&](const OpeningProgress& progress) {
         told.push_back(progress);
       }});
  ASSERT_TRUE(opened) << opened.error().message;
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.back().step, OpeningProgress::Step::rebuilding);
  EXPECT_GT(told.back().done_bytes, 0U);
  EXPECT_GE(told.back().bytes, told.back().done_bytes);
  log::configure(log::Level::info, log::Format::human);
}

}  // namespace
}  // namespace sluice::store
