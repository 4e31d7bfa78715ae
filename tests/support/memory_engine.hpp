// A store's engine in memory that is faithful to crashes: what was not synced is lost, or not, as
// the test says. Fails on demand.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <sluice/store/engine.hpp>

namespace sluice::test {

// What outlives an engine: the disk. Thread-safe as far as Engine is.
class MemoryDisk {
 public:
  using Entries = std::map<std::string, std::string, std::less<>>;

  // The machine dies: of what was not synced, each write survives of which `survives` says so.
  void crash(const std::function<bool()>& survives = [] { return false; }) {
    const std::lock_guard lock(mutex);
    for (const store::Batch& batch : unsynced) {
      if (survives()) {
        apply(batch, stable);
      }
    }
    unsynced.clear();
    visible = stable;
    broken = false;
    open = false;
  }

  static void apply(const store::Batch& batch, Entries& entries) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const auto operation = batch[i];
      const std::string key(operation.key);
      switch (operation.kind) {
        case store::Batch::Kind::put:
          entries[key] = operation.value;
          break;
        case store::Batch::Kind::remove:
          entries.erase(key);
          break;
        case store::Batch::Kind::remove_range:
          if (const std::string end(operation.value); key < end) {
            entries.erase(entries.lower_bound(key), entries.lower_bound(end));
          }
          break;
      }
    }
  }

  // Set by the test.
  std::optional<store::Errc> write_fails;  // nothing of it is written
  std::optional<store::Errc> sync_fails;   // it is written, and may survive
  std::optional<store::Errc> read_fails;
  std::optional<store::Errc> reopen_fails;
  bool room = true;                               // for more
  std::set<std::string, std::less<>> unreadable;  // keys of which a read fails as corrupt
  std::set<std::string, std::less<>> bad;         // likewise, as the device refuses

  // Read by the test.
  std::uint64_t reads = 0;  // entries given out, and calls
  std::uint64_t writes = 0;
  std::uint64_t syncs = 0;
  std::uint64_t reclaims = 0;
  std::vector<std::uint64_t> room_wanted;  // what was live, each time

  std::mutex mutex;
  Entries stable;
  std::vector<store::Batch> unsynced;  // in order, on top of `stable`
  Entries visible;                     // both
  bool broken = false;                 // a write failed: nothing works before a reopen
  bool open = false;
};

class MemoryEngine final : public store::Engine {
 public:
  explicit MemoryEngine(MemoryDisk& disk) : disk_(disk) { disk_.open = true; }

  Result<void> write(const store::Batch& batch, bool sync) override {
    const std::lock_guard lock(disk_.mutex);
    if (auto refused = refuse(disk_.write_fails); !refused) {
      return refused;
    }
    ++disk_.writes;
    disk_.unsynced.push_back(batch);
    MemoryDisk::apply(batch, disk_.visible);
    return sync ? sync_locked() : Result<void>();
  }
  Result<void> sync() override {
    const std::lock_guard lock(disk_.mutex);
    return sync_locked();
  }
  Result<void> read(std::string_view from, std::string_view to, const Sink& sink) override {
    const std::lock_guard lock(disk_.mutex);
    ++disk_.reads;
    if (auto refused = refuse_read(); !refused) {
      return refused;
    }
    for (auto at = disk_.visible.lower_bound(from); at != disk_.visible.end() && at->first < to;
         ++at) {
      if (auto readable = check_readable(at->first); !readable) {
        return readable;
      }
      ++disk_.reads;
      if (!sink(at->first, at->second)) {
        return {};
      }
    }
    return {};
  }
  Result<std::optional<std::string>> get(std::string_view key) override {
    const std::lock_guard lock(disk_.mutex);
    ++disk_.reads;
    if (auto refused = refuse_read(); !refused) {
      return std::unexpected(refused.error());
    }
    if (auto readable = check_readable(key); !readable) {
      return std::unexpected(readable.error());
    }
    const auto found = disk_.visible.find(key);
    return found == disk_.visible.end() ? std::nullopt : std::optional(found->second);
  }
  // Files go at once and for good, whatever is known of them after a crash.
  void reclaim(std::string_view from, std::string_view to, bool) override {
    const std::lock_guard lock(disk_.mutex);
    for (MemoryDisk::Entries* entries : {&disk_.stable, &disk_.visible}) {
      entries->erase(entries->lower_bound(from), entries->lower_bound(to));
    }
    ++disk_.reclaims;
  }
  [[nodiscard]] bool has_room() override {
    const std::lock_guard lock(disk_.mutex);
    return disk_.room;
  }
  Result<void> make_room(std::uint64_t live_bytes) override {
    const std::lock_guard lock(disk_.mutex);
    disk_.room_wanted.push_back(live_bytes);
    return refuse(std::nullopt);
  }
  Result<void> reopen() override {
    const std::lock_guard lock(disk_.mutex);
    disk_.open = !disk_.reopen_fails;
    if (disk_.reopen_fails) {
      return failure(*disk_.reopen_fails, "reopen fails");
    }
    disk_.broken = false;
    return {};
  }
  void close() override {
    const std::lock_guard lock(disk_.mutex);
    disk_.open = false;
  }
  [[nodiscard]] Stats stats() const override { return {}; }

 private:
  [[nodiscard]] Result<void> refuse(const std::optional<store::Errc>& fails) {
    if (fails || disk_.broken || !disk_.open) {
      disk_.broken = true;
      return failure(fails.value_or(store::Errc::failed), "the disk fails");
    }
    return {};
  }
  [[nodiscard]] Result<void> refuse_read() const {
    if (disk_.read_fails || !disk_.open) {
      return failure(disk_.read_fails.value_or(store::Errc::failed), "the disk cannot be read");
    }
    return {};
  }
  [[nodiscard]] Result<void> check_readable(std::string_view key) const {
    if (disk_.unreadable.contains(key)) {
      return failure(store::Errc::corrupt, "damaged");
    }
    if (disk_.bad.contains(key)) {
      return failure(store::Errc::unreadable, "bad sector");
    }
    return {};
  }
  [[nodiscard]] Result<void> sync_locked() {
    if (auto refused = refuse(disk_.sync_fails); !refused) {
      return refused;
    }
    ++disk_.syncs;
    for (const store::Batch& batch : disk_.unsynced) {
      MemoryDisk::apply(batch, disk_.stable);
    }
    disk_.unsynced.clear();
    return {};
  }

  MemoryDisk& disk_;
};

}  // namespace sluice::test
