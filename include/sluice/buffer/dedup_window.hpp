// The events accepted lately, by key: a producer's retry is known before it costs a delivery.
//
// Only events whose salt the producer gave or derived are looked up: a generated salt never comes
// again. Bounded by age and by count; what has left the window is delivered again, and overwrites
// upstream.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <unordered_set>

#include <sluice/base/clock.hpp>
#include <sluice/normalise/normaliser.hpp>

namespace sluice::buffer {

// Thread-safe: shards with a lock each, so that ingest threads rarely meet.
class DedupWindow {
 public:
  struct Options {
    std::chrono::nanoseconds window{};
    std::size_t entries_max = 0;  // in all
  };
  explicit DedupWindow(Options options);

  // Enters the key. False: it is in the window already, the event is a duplicate.
  [[nodiscard]] bool try_enter(normalise::DedupKey key, MonoTime now);
  // Takes the key of an event that was not accepted after all back out.
  void forget(normalise::DedupKey key);
  [[nodiscard]] std::size_t size() const;

 private:
  static constexpr std::size_t shard_count = 64;
  struct KeyHash {
    std::size_t operator()(const normalise::DedupKey& key) const { return key.low; }
  };
  struct Entry {
    normalise::DedupKey key;
    MonoTime entered_at;
  };
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    std::unordered_set<normalise::DedupKey, KeyHash> keys;
    std::deque<Entry> by_age;  // oldest first; the same keys
  };

  // The caller holds the shard's mutex.
  void expire(Shard& shard, MonoTime now) const;
  void make_room(Shard& shard) const;
  static void drop_oldest(Shard& shard);
  Shard& shard_of(normalise::DedupKey key) { return shards_[key.high % shard_count]; }

  const Options options_;
  std::array<Shard, shard_count> shards_;
};

}  // namespace sluice::buffer
