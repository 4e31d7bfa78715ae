// The events accepted lately, by key: a producer's retry is known before it costs a delivery.
//
// Only events whose salt the producer gave or derived are looked up: a generated salt never comes
// again. Bounded by age and by count; what has left the window is delivered again, and overwrites
// upstream.
//
// A key is reserved while its event is on its way into the buffer, and confirmed once that has
// acknowledged it: a retry must not be taken for a duplicate of an event that may not be kept.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>

#include <sluice/base/clock.hpp>
#include <sluice/event/group.hpp>

namespace sluice::buffer {

// Thread-safe: shards with a lock each, so that ingest threads rarely meet.
class DedupWindow {
 public:
  struct Options {
    std::chrono::nanoseconds window{};
    std::size_t entries_max = 0;  // in all
  };
  enum class Entry : std::uint8_t {
    reserved,   // new: now reserved for the caller, who has it confirmed or given up
    duplicate,  // confirmed before
    pending,    // reserved by another, whose outcome is not known yet
  };

  explicit DedupWindow(Options options);

  [[nodiscard]] Entry try_reserve(DedupKey key, MonoTime now);
  // Reserved keys of events that have been acknowledged.
  void confirm(std::span<const DedupKey> keys);
  // Reserved keys of events that were not accepted after all.
  void give_up(std::span<const DedupKey> keys);
  // Enters a key that was confirmed by an earlier run. In ascending order of time, for each shard.
  void restore(DedupKey key, MonoTime entered_at);

  // What a request is answered when it comes again.
  void remember(const RememberedAnswer& answer, MonoTime now);
  [[nodiscard]] std::optional<RememberedAnswer> answer_to(DedupKey request, MonoTime now);

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] const Options& options() const { return options_; }

 private:
  static constexpr std::size_t shard_count = 64;
  struct KeyHash {
    std::size_t operator()(const DedupKey& key) const { return key.low; }
  };
  struct Value {
    bool pending = false;
    std::uint32_t accepted = 0;  // of a request
    std::uint32_t duplicates = 0;
  };
  struct Aged {
    DedupKey key;
    MonoTime entered_at;
  };
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    std::unordered_map<DedupKey, Value, KeyHash> keys;
    std::deque<Aged> by_age;  // oldest first; the same keys
  };

  // The caller holds the shard's mutex. Whether the key was not there.
  bool enter(Shard& shard, DedupKey key, Value value, MonoTime now) const;
  void expire(Shard& shard, MonoTime now) const;
  void make_room(Shard& shard) const;
  static void drop_oldest(Shard& shard);
  Shard& shard_of(DedupKey key) { return shards_[key.high % shard_count]; }

  const Options options_;
  std::array<Shard, shard_count> shards_;
};

}  // namespace sluice::buffer
