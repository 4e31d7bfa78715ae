// A store in steps on a real RocksDB.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "door.hpp"
#include "store_support.hpp"
#include "tally.hpp"
#include "window_settlement.hpp"

namespace sluice::store {

class OnRocksDb {
 public:
  explicit OnRocksDb(const RocksDbOptions& options, Options store_options = {})
      : window({.window = 10min, .entries_max = 100'000}), tally_(open_tally(options.path)) {
    auto opened = open_database(
        options,
        {.program = {}, .mark = {}, .tally = decode_tally(tally_.found()).value_or(Tally())});
    if (!opened) {
      error = opened.error();
      return;
    }
    engine = opened->get();
    store_options.path = options.path;
    auto started = open_stepped(
        store_options,
        {{.name = "default",
          .settlement = &settlement,
          .window = &window,
          .wake = [] {},
          .lost =
              [this](const Backlog& backlog, std::uint32_t) {
                lost.events += backlog.events;
                lost.bytes += backlog.bytes;
              }}},
        clock, *std::move(opened), {.commit = [] {}, .read = [] {}}, nullptr, nullptr,
        {.found = tally_.found(), .keep = [this](std::string_view bytes) { tally_.keep(bytes); }});
    if (!started) {
      error = started.error();
      return;
    }
    store = *std::move(started);
  }

  // Appends and takes a turn; whether the group was kept.
  bool append(Group::Owner group) {
    std::optional<bool> kept;
    if (store->buffer(0).append(0, std::move(group), buffer::AckLevel::disk,
                                [&](const Result<void>& result) { kept = result.has_value(); })) {
      return true;
    }
    static_cast<void>(store->commit_step());
    return kept.value();
  }
  // All that can be read now.
  std::vector<Group::Owner> read_all() {
    std::vector<Group::Owner> groups;
    while (true) {
      store->buffer(0).read(groups, ~0ULL);
      const MonoTime due = store->read_step();
      if (due == MonoTime::max() && store->buffer(0).try_sleep()) {
        return groups;
      }
      if (due > clock.mono_now() && due != MonoTime::max()) {
        ADD_FAILURE() << "the store cannot be read";
        return groups;
      }
    }
  }
  void release(Group::Owner group) { store->buffer(0).release(std::move(group)); }
  // Gets the releases onto the disk.
  void settle() {
    static_cast<void>(store->commit_step());
    clock.advance(1s);
    static_cast<void>(store->commit_step());
  }

  FakeClock clock;
  buffer::DedupWindow window;
  test::WindowSettlement settlement{window};
  std::optional<Error> error;
  Backlog lost;
  Engine* engine = nullptr;

 private:
  // Beside the database, as in a store's folder.
  static TallyFile open_tally(const std::string& database) {
    const std::filesystem::path folder = std::filesystem::path(database).parent_path();
    std::filesystem::create_directories(folder);
    return TallyFile::open(folder / "TALLY");
  }
  TallyFile tally_;

 public:
  std::unique_ptr<SteppedStore> store;
};

}  // namespace sluice::store
