// Goal: the store on a real RocksDB: threads, restarts, locks, formats, space.
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>

#include "codec.hpp"
#include "store_support.hpp"
#include "temporary_directory.hpp"
#include "window_settlement.hpp"

namespace sluice::store {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

constexpr auto patience = 60s;

// A running store, and a consumer that sleeps and is woken.
class Running {
 public:
  explicit Running(const std::string& path, Options options = {}) : window_({}) {
    options.path = path;
    options.producers = 4;
    opened = open(options,
                  {{.name = "default",
                    .settlement = &settlement_,
                    .window = &window_,
                    .wake =
                        [this] {
                          const std::lock_guard lock(mutex_);
                          woken_ = true;
                          changed_.notify_all();
                        },
                    .lost = nullptr}},
                  system_clock());
  }
  Store& store() { return **opened; }
  buffer::Buffer& buffer() { return store().buffer(0); }

  // Appends, and waits for the acknowledgement.
  Result<void> append(Group::Owner group, std::size_t producer = 0) {
    std::optional<Result<void>> outcome;
    if (buffer().append(producer, std::move(group), buffer::AckLevel::disk, [&](auto result) {
          const std::lock_guard lock(mutex_);
          outcome = std::move(result);
          changed_.notify_all();
        })) {
      return {};
    }
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, patience, [&] { return outcome.has_value(); }));
    return outcome.value_or(Result<void>());
  }
  // Waits until there is something to read.
  std::vector<Group::Owner> read() {
    std::vector<Group::Owner> groups;
    while (true) {
      buffer().read(groups, 1U << 20);
      if (!groups.empty()) {
        return groups;
      }
      if (!buffer().try_sleep()) {
        continue;
      }
      std::unique_lock lock(mutex_);
      if (!changed_.wait_for(lock, patience, [&] { return woken_; })) {
        ADD_FAILURE() << "never woken";
        return groups;
      }
      woken_ = false;
    }
  }

  Result<std::unique_ptr<Store>> opened;

 private:
  buffer::DedupWindow window_;
  test::WindowSettlement settlement_{window_};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
};

std::uint64_t size_of(const std::string& folder) {
  std::uint64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    bytes += entry.is_regular_file() ? entry.file_size() : 0;
  }
  return bytes;
}

// Otherwise what is lost would be taken off a count that it is not in yet.
TEST(ThreadedStore, SaysWhatIsThereBeforeAnyOfItIsLost) {
  Stepped earlier;
  for (std::uint64_t number = 1; number <= 3; ++number) {
    earlier.append(numbered_group(number, earlier.clock));
  }
  earlier.commit();
  Backlog all;
  for (const Group::Owner& group : earlier.read()) {
    all.events += group->records().size();
  }
  earlier.store.reset();
  for (auto& [key, value] : earlier.disk.visible) {
    if (key.front() == static_cast<char>(Tag::group)) {
      value[0] ^= 1;
    }
  }
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::pair<std::string, std::uint64_t>> said;
  const auto say = [&](const char* what, const Backlog& backlog) {
    const std::lock_guard lock(mutex);
    said.emplace_back(what, backlog.events);
    changed.notify_all();
  };
  buffer::DedupWindow window({});
  test::WindowSettlement settlement(window);
  const auto store =
      open({},
           {{.name = "w0",
             .settlement = &settlement,
             .window = &window,
             .wake = [] {},
             .lost = [&](const Backlog& backlog, std::uint32_t) { say("lost", backlog); },
             .recovered = [&](const Backlog& backlog) { say("recovered", backlog); }}},
           earlier.clock, std::make_unique<test::MemoryEngine>(earlier.disk));
  ASSERT_TRUE(store) << store.error().message;
  std::unique_lock lock(mutex);
  ASSERT_TRUE(changed.wait_for(lock, patience, [&] { return said.size() >= 2; }));
  EXPECT_THAT(said, testing::ElementsAre(testing::Pair("recovered", all.events),
                                         testing::Pair("lost", all.events)));
}

TEST(RocksDbStore, KeepsWhatItAcknowledgedInTheOrderOfAcceptance) {
  const test::TemporaryDirectory folder;
  constexpr std::uint64_t each = 300;
  {
    Running running(folder / "store");
    ASSERT_TRUE(running.opened) << running.opened.error().message;
    std::vector<std::thread> producers;
    for (std::size_t p = 0; p < 4; ++p) {
      producers.emplace_back([&, p] {
        for (std::uint64_t i = 0; i < each; ++i) {
          EXPECT_TRUE(running.append(numbered_group(p * each + i, system_clock()), p));
        }
      });
    }
    std::uint64_t seen = 0;
    std::vector<std::uint64_t> next(4);
    while (seen < 4 * each) {
      for (Group::Owner& group : running.read()) {
        const std::uint64_t number = number_of(*group);
        EXPECT_EQ(number % each, next[number / each]++);
        EXPECT_EQ(group->ticket, ++seen);
        if (group->ticket <= 2 * each) {
          running.buffer().release(std::move(group));
        }
      }
    }
    for (std::thread& producer : producers) {
      producer.join();
    }
  }
  Running again(folder / "store");
  ASSERT_TRUE(again.opened) << again.opened.error().message;
  EXPECT_GT(again.store().recovered(0).events, 0);
  std::uint64_t seen = 2 * each;
  while (seen < 4 * each) {
    for (const Group::Owner& group : again.read()) {
      EXPECT_EQ(group->ticket, ++seen);
    }
  }
}

TEST(RocksDbStore, ASecondProcessIsRefused) {
  const test::TemporaryDirectory folder;
  const Running running(folder / "store");
  ASSERT_TRUE(running.opened);
  const Running second(folder / "store");
  ASSERT_FALSE(second.opened);
  EXPECT_EQ(second.opened.error().code, Errc::locked);
  EXPECT_THAT(second.opened.error().message, HasSubstr("in use by another process"));
}

TEST(RocksDbStore, AnotherFormatIsRefusedAndLeftAlone) {
  const test::TemporaryDirectory folder;
  {
    const Running running(folder / "store");
    ASSERT_TRUE(running.opened);
  }
  std::ofstream(folder / "store/FORMAT") << "sluice store format 9, written by sluice 7.1.0\n";
  const auto size = size_of(folder / "store");
  const Running running(folder / "store");
  ASSERT_FALSE(running.opened);
  EXPECT_EQ(running.opened.error().code, Errc::format);
  EXPECT_THAT(running.opened.error().message, HasSubstr("written by sluice 7.1.0"));
  EXPECT_EQ(size_of(folder / "store"), size);
}

std::string format_of(const std::string& path) {
  std::ifstream file(path + "/FORMAT");
  std::string line;
  std::getline(file, line);
  return line.substr(0, line.find(','));
}

// An earlier version can take the store back until there is something that it would misread.
TEST(RocksDbStore, RaisesItsFormatWithWhatIsWrittenAndKeepsThat) {
  const test::TemporaryDirectory folder;
  const std::string path = folder / "store";
  {
    Running running(path);
    ASSERT_TRUE(running.opened) << running.opened.error().message;
    EXPECT_TRUE(running.append(numbered_group(0, system_clock())));
    EXPECT_EQ(format_of(path), "sluice store format 1");
    EXPECT_TRUE(running.append(numbered_group(1, system_clock(), 0, false, some_trace)));
    EXPECT_EQ(format_of(path), "sluice store format 2");
    EXPECT_TRUE(running.append(group_of(repetitive_text(5000))));
    EXPECT_EQ(format_of(path), "sluice store format 3");
    EXPECT_TRUE(running.append(numbered_group(3, system_clock(), 0, false, some_trace)));
  }
  Running again(path);
  ASSERT_TRUE(again.opened) << again.opened.error().message;
  const std::uint64_t recovered = again.store().recovered(0).bytes;
  std::vector<Group::Owner> groups;
  while (groups.size() < 4) {
    for (Group::Owner& group : again.read()) {
      groups.push_back(std::move(group));
    }
  }
  EXPECT_EQ(groups[0]->traceparent(), "");
  EXPECT_EQ(groups[1]->traceparent(), some_trace);
  EXPECT_TRUE(same_content(*groups[2], *group_of(repetitive_text(5000))));
  std::uint64_t footprint = 0;
  for (const Group::Owner& group : groups) {
    footprint += group->footprint_bytes();
  }
  EXPECT_EQ(recovered, footprint);
  EXPECT_EQ(format_of(path), "sluice store format 3");
}

TEST(RocksDbStore, AFolderThatCannotBeMadeIsAnError) {
  const test::TemporaryDirectory folder;
  std::ofstream(folder / "file") << "in the way";
  const Running running(folder / "file/store");
  ASSERT_FALSE(running.opened);
  EXPECT_THAT(running.opened.error().message, HasSubstr("buffer.path"));
}

// A store as a crash leaves it: tables of an earlier run, a log of the last one, groups that were
// released, one with a trace, and long ones.
Group::Owner golden_group(std::uint64_t number) {
  return numbered_group(number, system_clock(), number % 7 == 0 ? 2000 : 0, number % 5 == 0,
                        number % 11 == 0 ? some_trace : std::string_view());
}
constexpr std::uint64_t golden_groups = 100;
constexpr std::uint64_t golden_released = 10;

void write_golden_store(const std::string& path, const std::string& copy) {
  {
    Running running(path);
    ASSERT_TRUE(running.opened) << running.opened.error().message;
    for (std::uint64_t i = 0; i < golden_groups / 2; ++i) {
      ASSERT_TRUE(running.append(golden_group(i)));
    }
    for (std::uint64_t released = 0; released < golden_released;) {
      for (Group::Owner& group : running.read()) {
        if (number_of(*group) < golden_released) {
          running.buffer().release(std::move(group));
          ++released;
        }
      }
    }
  }
  Running running(path);
  ASSERT_TRUE(running.opened) << running.opened.error().message;
  for (std::uint64_t i = golden_groups / 2; i < golden_groups; ++i) {
    ASSERT_TRUE(running.append(golden_group(i)));
  }
  fs::copy(path, copy, fs::copy_options::recursive);
}

void expect_golden_store(const std::string& path) {
  Running running(path);
  ASSERT_TRUE(running.opened) << running.opened.error().message;
  std::uint64_t number = golden_released;
  while (number < golden_groups) {
    for (const Group::Owner& group : running.read()) {
      const Group::Owner wanted = golden_group(number++);
      EXPECT_EQ(group->bytes(), wanted->bytes());
      EXPECT_TRUE(std::ranges::equal(group->records(), wanted->records()));
      EXPECT_EQ(group->traceparent(), wanted->traceparent());
    }
  }
}

// With SLUICE_GOLDEN_STORE=DIR what was written stays there, to be committed for a RocksDB that
// none of tests/unit/store/golden/ is of.
TEST(RocksDbStore, WritesAStoreAsTheGoldenOnesAre) {
  const test::TemporaryDirectory folder;
  const char* const kept = std::getenv("SLUICE_GOLDEN_STORE");  // NOLINT(concurrency-mt-unsafe)
  const std::string copy = kept == nullptr ? folder / "copy" : kept;
  write_golden_store(folder / "store", copy);
  if (kept == nullptr) {
    expect_golden_store(copy);
  }
}

class GoldenStore : public testing::TestWithParam<const char*> {};

// Debian 12 has RocksDB 7.8, Debian 13 has 9.10. A gateway is moved from one to the other and back.
TEST_P(GoldenStore, OfEitherReleaseIsReadByThisOne) {
  const test::TemporaryDirectory folder;
  fs::copy(std::string(SLUICE_GOLDEN_STORES "/rocksdb-") + GetParam(), folder / "store",
           fs::copy_options::recursive);
  expect_golden_store(folder / "store");
}

INSTANTIATE_TEST_SUITE_P(RocksDb, GoldenStore, testing::Values("7.8", "9.10"),
                         [](const auto& version) {
                           return std::string(version.param).substr(0, 1);
                         });

}  // namespace
}  // namespace sluice::store
