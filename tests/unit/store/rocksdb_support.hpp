// A store in steps on a real RocksDB.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "rocksdb_engine.hpp"
#include "store_support.hpp"

namespace sluice::store {

class OnRocksDb {
 public:
  explicit OnRocksDb(const RocksDbOptions& options, Options store_options = {})
      : window({.window = 10min, .entries_max = 100'000}) {
    auto opened = open_rocksdb(options);
    if (!opened) {
      error = opened.error();
      return;
    }
    engine = opened->get();
    store_options.path = options.path;
    auto started =
        open_stepped(store_options,
                     {{.name = "default",
                       .window = &window,
                       .wake = [] {},
                       .lost =
                           [this](const Backlog& backlog, std::uint32_t) {
                             lost.events += backlog.events;
                             lost.bytes += backlog.bytes;
                           }}},
                     clock, *std::move(opened), {.commit = [] {}, .read = [] {}}, nullptr);
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
  std::optional<Error> error;
  Backlog lost;
  Engine* engine = nullptr;
  std::unique_ptr<SteppedStore> store;
};

}  // namespace sluice::store
