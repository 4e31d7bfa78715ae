// Goal: whatever happens to the files of a store, it opens or says why not; every event that comes
// out is one that went in, byte for byte; and what is missing is counted.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include <sluice/base/log.hpp>

#include "codec.hpp"
#include "rocksdb_support.hpp"
#include "temporary_directory.hpp"

namespace sluice::store {
namespace {

namespace fs = std::filesystem;

// A closed store, and what is to come out of it.
struct Original {
  std::string path;
  std::map<Ticket, Group::Owner> all;
  std::set<Ticket> open;  // not released
};

Original make_original(std::string path, std::uint64_t seed) {
  Rng rng(seed);
  Original original{.path = std::move(path), .all = {}, .open = {}};
  std::uint64_t number = 0;
  // Each time it is opened, what was in the log goes to a table.
  for (std::uint64_t part = 1 + rng.below(4); part > 0; --part) {
    OnRocksDb running({.path = original.path});
    EXPECT_FALSE(running.error);
    for (std::uint64_t i = 10 + rng.below(60); i > 0; --i) {
      ++number;
      const std::size_t size = rng.below(10) == 0 ? 40'000 : 500;
      EXPECT_TRUE(running.append(numbered_group(number, running.clock, size, true)));
      original.all[number] = numbered_group(number, running.clock, size, true);
    }
    original.open.clear();
    for (Group::Owner& group : running.read_all()) {
      if (rng.below(3) == 0) {
        running.release(std::move(group));
      } else {
        original.open.insert(group->ticket);
      }
    }
    running.settle();
  }
  return original;
}

std::vector<fs::path> files_of(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.file_size() > 0) {
      files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  return files;
}

enum class Damage : std::uint8_t { flip, zero, truncate, remove };

// What was done, for people.
std::string damage(const fs::path& folder, Damage kind, Rng& rng) {
  const auto files = files_of(folder);
  const fs::path file = files[rng.below(files.size())];
  const std::uint64_t size = fs::file_size(file);
  const std::uint64_t offset = rng.below(size);
  const std::string name =
      file.filename().string() + " at " + std::to_string(offset) + " of " + std::to_string(size);
  if (kind == Damage::remove) {
    fs::remove(file);
    return "removed " + name;
  }
  if (kind == Damage::truncate) {
    fs::resize_file(file, offset);
    return "truncated " + name;
  }
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(offset));
  const char byte = static_cast<char>(stream.get());
  stream.seekp(static_cast<std::streamoff>(offset));
  if (kind == Damage::flip) {
    stream.put(static_cast<char>(byte ^ (1 << rng.below(8))));
    return "flipped " + name;
  }
  const std::string zeros(std::min<std::uint64_t>(1 + rng.below(4'096), size - offset), '\0');
  stream.write(zeros.data(), static_cast<std::streamsize>(zeros.size()));
  return "zeroed " + std::to_string(zeros.size()) + " in " + name;
}

// Whether everything was still there.
bool check(const Original& original, const std::string& path) {
  std::uint64_t events = 0;
  bool complete = true;
  {
    OnRocksDb running({.path = path});
    if (running.error) {
      EXPECT_NE(running.error->message, "");
      ADD_FAILURE() << "does not open: " << running.error->message;
      return false;
    }
    std::set<Ticket> seen;
    Ticket last = 0;
    auto groups = running.read_all();
    for (const Group::Owner& group : groups) {
      EXPECT_GT(group->ticket, last);
      last = group->ticket;
      const auto written = original.all.find(group->ticket);
      EXPECT_TRUE(written != original.all.end() && same_content(*group, *written->second));
      seen.insert(group->ticket);
      events += group->records().size();
    }
    EXPECT_EQ(running.store->recovered(0).events, events + running.lost.events);
    std::uint64_t missing = 0;
    for (const Ticket ticket : original.open) {
      missing += seen.contains(ticket) ? 0 : original.all.at(ticket)->records().size();
    }
    complete = missing == 0;
    EXPECT_EQ(running.lost.events, missing);
    EXPECT_TRUE(std::ranges::includes(original.open, seen)) << "the count knows what was released";
    for (Group::Owner& group : groups) {
      running.release(std::move(group));
    }
    // It goes on working.
    EXPECT_TRUE(running.append(numbered_group(999'999, running.clock)));
    running.settle();
  }
  OnRocksDb again({.path = path});
  EXPECT_FALSE(again.error);
  if (!again.error) {
    const auto groups = again.read_all();
    EXPECT_EQ(groups.size(), 1);
    EXPECT_TRUE(!groups.empty() && number_of(*groups.back()) == 999'999);
    EXPECT_EQ(again.lost, Backlog{});
  }
  return complete;
}

class DamagedStore : public testing::TestWithParam<Damage> {};

TEST_P(DamagedStore, OpensAndTellsNoLies) {
  log::configure(log::Level::off, log::Format::human);
  const test::TemporaryDirectory folder;
  const std::uint64_t runs = run_count(40);
  std::uint64_t complete = 0;
  for (std::uint64_t seed = 1; seed <= runs && !HasFailure(); ++seed) {
    const std::string base = folder / ("original-" + std::to_string(seed / 8));
    static thread_local std::optional<std::pair<std::string, Original>> made;
    if (!made || made->first != base) {
      made.emplace(base, make_original(base + "/db", seed / 8 + 1));
    }
    Rng rng(seed);
    const std::string copy = folder / "copy";
    fs::remove_all(copy);
    fs::copy(base, copy, fs::copy_options::recursive);
    const std::string what = damage(copy + "/db", GetParam(), rng);
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + what);
    complete += check(made->second, copy + "/db") ? 1 : 0;
  }
  log::configure(log::Level::info, log::Format::human);
  RecordProperty("complete", std::to_string(complete));
}

INSTANTIATE_TEST_SUITE_P(All, DamagedStore,
                         testing::Values(Damage::flip, Damage::zero, Damage::truncate,
                                         Damage::remove));

TEST(DamagedStoreUndamaged, IsComplete) {
  const test::TemporaryDirectory folder;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const Original original =
        make_original(folder / ("store-" + std::to_string(seed) + "/db"), seed);
    EXPECT_TRUE(check(original, original.path));
  }
}

}  // namespace
}  // namespace sluice::store
