// Goal: a store starts whatever was done to its files; what it gives out is what went in, once; and
// it says how much is missing: exactly, or, where the count itself was hit, at least what it knows.
//
// SLUICE_CORRUPTION_RUNS=479 makes that many damaged stores; SLUICE_CORRUPTION_SEED=… repeats one.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <vector>

#include <gmock/gmock.h>

#include <sluice/base/log.hpp>
#include <sluice/store/offline.hpp>

#include "door.hpp"
#include "store_support.hpp"
#include "temporary_directory.hpp"
#include "window_settlement.hpp"

namespace sluice::store::corruption {
namespace {

namespace fs = std::filesystem;

constexpr const char* this_program = "/proc/self/exe";
constexpr std::size_t block_bytes = 32U << 10;  // of a log

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): one thread
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// A store in steps on a folder, opened as the gateway opens it.
class OnFolder {
 public:
  explicit OnFolder(const std::string& path) {
    const Options options{.path = path, .program = this_program};
    auto opened = open_files(options);
    if (!opened) {
      error = opened.error().message;
      return;
    }
    files = std::make_unique<Files>(*std::move(opened));
    auto started = open_stepped(
        options,
        {{.name = "default",
          .settlement = &settlement,
          .window = &window,
          .wake = [] {},
          .lost = [this](const Backlog& backlog, std::uint32_t) { lost += backlog.events; }}},
        clock, std::move(files->engine), {.commit = [] {}, .read = [] {}}, nullptr, nullptr,
        {.found = files->tally.found(),
         .keep = [this](std::string_view bytes) { files->tally.keep(bytes); }});
    mark_opened(files->door);
    if (!started) {
      error = started.error().message;
      return;
    }
    store = *std::move(started);
  }
  void append(std::uint64_t number, std::size_t size) {
    bool kept = false;
    EXPECT_FALSE(store->buffer(0).append(0, numbered_group(number, clock, size, true),
                                         buffer::AckLevel::disk,
                                         [&](const Result<void>& result) { kept = !!result; }));
    static_cast<void>(store->commit_step());
    EXPECT_TRUE(kept);
  }
  std::vector<Group::Owner> read_all() {
    std::vector<Group::Owner> groups;
    for (int turn = 0; turn < 10'000; ++turn) {
      store->buffer(0).read(groups, ~0ULL);
      if (store->read_step() == MonoTime::max() && store->buffer(0).try_sleep()) {
        return groups;
      }
      clock.advance(1s);  // the device is given time
      static_cast<void>(store->commit_step());
    }
    ADD_FAILURE() << "the store cannot be read";
    return groups;
  }
  void settle() {
    static_cast<void>(store->commit_step());
    clock.advance(1s);
    static_cast<void>(store->commit_step());
  }

  FakeClock clock;
  buffer::DedupWindow window{{.window = 10min, .entries_max = 100'000}};
  test::WindowSettlement settlement{window};
  std::string error;
  std::uint64_t lost = 0;
  std::unique_ptr<Files> files;
  std::unique_ptr<SteppedStore> store;
};

// A store as a process that was killed has left it, and what is to come out of it.
struct Original {
  std::string path;
  std::map<Ticket, std::size_t> sizes;   // of all groups
  std::map<Ticket, std::uint64_t> open;  // events of those that were not released
};

std::size_t size_of(Rng& rng) { return rng.below(10) == 0 ? 40'000 : 600; }

Original make_original(const std::string& path, std::uint64_t seed) {
  Rng rng(seed);
  Original original{.path = path, .sizes = {}, .open = {}};
  const std::string live = path + "-live";
  for (std::uint64_t part = 1 + rng.below(3); part > 0; --part) {
    OnFolder running(live);
    EXPECT_EQ(running.error, "");
    for (std::uint64_t i = 20 + rng.below(60); i > 0; --i) {
      const Ticket ticket = original.sizes.size() + 1;
      original.sizes[ticket] = size_of(rng);
      running.append(ticket, original.sizes[ticket]);
    }
    original.open.clear();
    for (Group::Owner& group : running.read_all()) {
      if (rng.below(3) == 0) {
        running.store->buffer(0).release(std::move(group));
      } else {
        original.open[group->ticket] = group->records().size();
      }
    }
    running.settle();
    if (part == 1) {
      fs::copy(live, path, fs::copy_options::recursive);
    }
  }
  fs::remove_all(live);
  return original;
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const fs::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// What is done to a store. Each kind says what it has done, for people.
class Vandal {
 public:
  Vandal(fs::path folder, std::uint64_t seed) : folder_(std::move(folder)), rng_(seed) {
    for (const auto& entry : fs::directory_iterator(folder_ / "db")) {
      if (entry.file_size() > 0) {
        files_.push_back(entry.path());
      }
    }
    files_.push_back(folder_ / "FORMAT");
    files_.push_back(folder_ / "TALLY");
    std::ranges::sort(files_);
  }

  std::string strike() {
    switch (rng_.below(13)) {
      case 0:
      case 1:
        return change("flip", [&](std::string& bytes, std::uint64_t at) {
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng_.below(8)));
        });
      case 2:
        return change("zero", [&](std::string& bytes, std::uint64_t at) {
          const std::size_t size = std::min<std::size_t>(1 + rng_.below(5'000), bytes.size() - at);
          bytes.replace(at, size, std::string(size, '\0'));
        });
      case 3:
        return change("cut", [](std::string& bytes, std::uint64_t at) { bytes.resize(at); });
      case 4:
        return change("empty", [](std::string& bytes, std::uint64_t) { bytes.clear(); });
      case 5:
        return remove(any());
      case 6:
        return duplicate_block(of_kind(".log"));
      case 7:
        return swap_blocks(rng_.below(2) == 0 ? of_kind(".log") : any());
      case 8:
        return swap_files();
      case 9:
        return put_folder(any());
      case 10:
        return remove(newest_log());
      case 11:
        return refuse_to_read(of_kind("MANIFEST"));
      default:
        return remove(folder_ / "db/CURRENT") + "; " + remove(newest_log()) + "; " +
               flip(of_kind("MANIFEST")) + "; " + flip(folder_ / "FORMAT");
    }
  }
  [[nodiscard]] bool has_hit(const fs::path& file) const { return hit_.contains(file); }

 private:
  fs::path any() { return files_[rng_.below(files_.size())]; }
  fs::path of_kind(std::string_view kind) {
    std::vector<fs::path> some;
    std::ranges::copy_if(files_, std::back_inserter(some), [&](const fs::path& file) {
      return file.string().find(kind) != std::string::npos;
    });
    return some.empty() ? any() : some[rng_.below(some.size())];
  }
  [[nodiscard]] fs::path newest_log() const {
    fs::path newest = folder_ / "FORMAT";
    for (const fs::path& file : files_) {
      newest = file.extension() == ".log" ? file : newest;
    }
    return newest;
  }
  std::string touch(std::string_view what, const fs::path& file) {
    hit_.insert(file.filename());
    if (std::error_code unknown; !fs::is_regular_file(file, unknown) || fs::is_symlink(file)) {
      std::erase(files_, file);  // there is nothing more to be done to it
    }
    return std::string(what) + " " + file.filename().string();
  }
  std::string remove(const fs::path& file) {
    fs::remove_all(file);
    return touch("remove", file);
  }
  std::string change(std::string_view what,
                     const std::function<void(std::string&, std::uint64_t)>& how) {
    return change(what, any(), how);
  }
  std::string change(std::string_view what, const fs::path& file,
                     const std::function<void(std::string&, std::uint64_t)>& how) {
    std::string bytes = read_file(file);
    const std::uint64_t at = rng_.below(std::max<std::size_t>(1, bytes.size()));
    how(bytes, at);
    write_file(file, bytes);
    return touch(what, file) + " at " + std::to_string(at);
  }
  std::string flip(const fs::path& file) {
    return change("flip", file, [](std::string& bytes, std::uint64_t at) {
      bytes[at] = static_cast<char>(bytes[at] ^ 1);
    });
  }
  std::string duplicate_block(const fs::path& file) {
    std::string bytes = read_file(file);
    const std::uint64_t block = rng_.below(bytes.size() / block_bytes + 1) * block_bytes;
    const std::string copy = bytes.substr(block, block_bytes);
    if (rng_.below(2) == 0) {
      bytes.insert(block, copy);
    } else {
      bytes.replace(std::min(bytes.size(), block + block_bytes), copy.size(), copy);
    }
    write_file(file, bytes);
    return touch("duplicate", file) + " at " + std::to_string(block);
  }
  std::string swap_blocks(const fs::path& file) {
    const std::string bytes = read_file(file);
    const std::size_t size = bytes.size() > 3 * block_bytes ? block_bytes : bytes.size() / 3;
    write_file(file, bytes.substr(size, size) + bytes.substr(0, size) + bytes.substr(2 * size));
    return touch("swap blocks of", file);
  }
  std::string swap_files() {
    const fs::path one = any();
    const fs::path second = any();
    const std::string bytes = read_file(one);
    write_file(one, read_file(second));
    write_file(second, bytes);
    return touch("swap", one) + touch(" with", second);
  }
  std::string put_folder(const fs::path& file) {
    fs::remove(file);
    fs::create_directories(file / "something");
    return touch("a folder for", file);
  }
  // Reading its beginning fails with EIO.
  std::string refuse_to_read(const fs::path& file) {
    fs::remove(file);
    fs::create_symlink("/proc/self/mem", file);
    return touch("no reading of", file);
  }

  fs::path folder_;
  Rng rng_;
  std::vector<fs::path> files_;
  std::set<fs::path> hit_;
};

void expect_true_content(const Original& original, const std::vector<Group::Owner>& groups) {
  Ticket last = 0;
  for (const Group::Owner& group : groups) {
    EXPECT_GT(group->ticket, last);
    last = group->ticket;
    const auto size = original.sizes.find(last);
    EXPECT_TRUE(size != original.sizes.end() &&
                group->bytes() == numbered_group(last, FakeClock(), size->second, true)->bytes());
  }
}

// The tools say as much as a start does, and change nothing.
void expect_tools_agree(const Original& original, const std::string& path, bool has_count) {
  const auto verified = verify(path, this_program);
  ASSERT_TRUE(verified) << verified.error().message;
  EXPECT_TRUE(stat(path, this_program)) << stat(path, this_program).error().message;
  std::uint64_t exported = 0;
  EXPECT_TRUE(export_events(path, [&](const ExportedEvent&) { ++exported; }, this_program));
  EXPECT_EQ(exported, verified->events);
  std::uint64_t bad = 0;
  for (const BadRange& range : verified->bad) {
    bad += range.events;
  }
  std::uint64_t open = 0;
  for (const auto& [ticket, events] : original.open) {
    open += events;
  }
  if (has_count) {
    EXPECT_EQ(verified->events + bad, open);
  }
}

void expect_start(const Original& original, const std::string& path, bool has_count) {
  {
    OnFolder running(path);
    ASSERT_EQ(running.error, "");
    auto groups = running.read_all();
    expect_true_content(original, groups);
    std::uint64_t events = 0;
    std::map<Ticket, std::uint64_t> missing = original.open;
    for (const Group::Owner& group : groups) {
      events += group->records().size();
      missing.erase(group->ticket);
    }
    EXPECT_EQ(running.store->recovered(0).events, events + running.lost);
    std::uint64_t missing_events = 0;
    for (const auto& [ticket, count] : missing) {
      missing_events += count;
    }
    if (has_count) {
      EXPECT_EQ(running.lost, missing_events) << "exactly";
    }
    for (Group::Owner& group : groups) {
      running.store->buffer(0).release(std::move(group));
    }
    running.append(999'999, 100);
    running.settle();
  }
  OnFolder again(path);
  ASSERT_EQ(again.error, "");
  const auto groups = again.read_all();
  ASSERT_EQ(groups.size(), 1U);
  EXPECT_EQ(number_of(*groups.front()), 999'999U);
  EXPECT_EQ(again.lost, 0U) << "it is counted once";
}

#ifdef SLUICE_SANITIZED  // each is a start of another process, which takes many times as long
constexpr std::uint64_t damaged_stores = 15;
#else
constexpr std::uint64_t damaged_stores = 60;
#endif

TEST(Corruption, EveryStoreStartsAndSaysWhatIsMissing) {
  log::configure(log::Level::off, log::Format::human);
  const test::TemporaryDirectory folder;
  const std::uint64_t first = number_from("SLUICE_CORRUPTION_SEED", 1);
  const std::uint64_t last =
      first - 1 +
      number_from("SLUICE_CORRUPTION_RUNS",
                  std::getenv("SLUICE_CORRUPTION_SEED") == nullptr ? damaged_stores : 1);
  std::map<std::uint64_t, Original> made;
  for (std::uint64_t seed = first; seed <= last && !HasFailure(); ++seed) {
    if (!made.contains(seed / 12)) {
      made.clear();
      made.emplace(seed / 12,
                   make_original(folder / ("original-" + std::to_string(seed / 12)), seed / 12));
    }
    const Original& original = made.at(seed / 12);
    const std::string copy = folder / "copy";
    fs::remove_all(copy);
    fs::copy(original.path, copy, fs::copy_options::recursive);
    Vandal vandal(copy, seed);
    std::string what = vandal.strike();
    if (seed % 5 == 0) {
      what += "; " + vandal.strike();
    }
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + what);
    if (seed % 4 == 0) {
      expect_tools_agree(original, copy, !vandal.has_hit("TALLY"));
    }
    expect_start(original, copy, !vandal.has_hit("TALLY"));
  }
  log::configure(log::Level::info, log::Format::human);
}

}  // namespace
}  // namespace sluice::store::corruption
