// The events accepted lately, by identity, each with what it said last: a producer's retry is known
// before it costs a delivery, and told from a change, which is an event of its own.
//
// Only events whose salt the producer gave or derived are looked up: a generated salt never comes
// again. Bounded by age and by count; what has left the window is delivered again, and overwrites
// upstream.
//
// A key is reserved while its event is on its way into the buffer, and confirmed once that has
// acknowledged it: a retry must not be taken for a duplicate of an event that may not be kept. The
// same holds for the key of a request.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

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
    changed,    // the same with other content: reserved likewise
    duplicate,  // confirmed before, or reserved for the caller, with this content
    pending,    // reserved by another, whose outcome is not known yet
  };
  enum class AgainEntry : std::uint8_t {
    reserved,    // nothing else came meanwhile: now reserved for the caller
    superseded,  // other content was confirmed since
    pending,     // reserved by another, whose outcome is not known yet
  };
  enum class RequestEntry : std::uint8_t {
    reserved,  // new: now reserved for the caller, who has it confirmed or given up
    repeated,  // the same request has been answered
    reused,    // another request with this key has been answered
    pending,   // reserved by another, whose outcome is not known yet
  };
  // A request with an idempotency key.
  struct KeyedRequest {
    DedupKey key;
    WallTime received_at;
    std::string_view id{};  // empty: not known
  };
  // What is known of the request that came first with a key.
  struct FirstRequest {
    RememberedAnswer answer;
    WallTime received_at;
    std::string id;  // empty: not known, as it was answered by an earlier run
  };
  struct RequestLookup {
    RequestEntry entry{};
    std::optional<FirstRequest> first{};  // of what is `repeated` or `reused`
  };

  explicit DedupWindow(Options options);

  // `reserved`: the keys that the caller has reserved for this request. Has room for one more; the
  // key is added, or, if the request changes an event of its own, put in its place.
  [[nodiscard]] Entry try_reserve(DedupKey key, MonoTime now, std::vector<DedupKey>& reserved);
  // For an event that was accepted before, and is accepted again as it was. While it is reserved no
  // other content can come before it. Otherwise as try_reserve(); of several that the caller has
  // with this identity, each changes the one before.
  [[nodiscard]] AgainEntry try_reserve_again(DedupKey key, MonoTime now,
                                             std::vector<DedupKey>& reserved);
  [[nodiscard]] RequestLookup try_reserve_request(const KeyedRequest& request, MonoTime now);
  // What was reserved for events that have been acknowledged, and for their request.
  void confirm(std::span<const DedupKey> keys, const std::optional<RememberedAnswer>& answer);
  void confirm(const Group& group) { confirm(group.dedup_keys(), group.answer()); }
  // What was reserved for events that were not accepted after all, and for their request.
  void give_up(std::span<const DedupKey> keys, const std::optional<DedupKey>& request);
  void give_up(const Group& group);
  // Enters what was confirmed by an earlier run. In ascending order of time, for each shard.
  void restore(DedupKey key, MonoTime entered_at);
  void restore(const RememberedAnswer& answer, WallTime received_at, MonoTime entered_at);

  // What came last with this identity, be it still on its way into the buffer; nothing: it is not
  // known.
  [[nodiscard]] std::optional<DedupKey> latest(std::uint64_t identity, MonoTime now);

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] const Options& options() const { return options_; }

 private:
  static constexpr std::size_t shard_bits = 6;
  static constexpr std::size_t shard_count = std::size_t{1} << shard_bits;
  struct IdentityHash {
    std::size_t operator()(std::uint64_t identity) const noexcept { return identity; }
  };
  struct Event {
    std::uint64_t content = 0;
    std::uint64_t confirmed = 0;  // what `content` goes back to when a change is given up
    MonoTime entered_at;
    std::uint32_t position = 0;  // while it is pending: among the request's reserved keys
    bool pending = false;
    bool changes = false;  // and it is pending
  };
  struct Request {
    FirstRequest first;
    MonoTime entered_at;
    bool pending = false;
  };
  struct Aged {
    std::uint64_t identity;
    MonoTime entered_at;  // of an entry that has been entered again since: not its own
    bool of_request;
  };
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::uint64_t, Event, IdentityHash> events;
    std::unordered_map<std::uint64_t, Request, IdentityHash> requests;
    std::deque<Aged> by_age;  // oldest first; of each entry at least one
  };

  // The caller holds the shard's mutex.
  Entry reserve(Shard& shard, DedupKey key, MonoTime now, std::vector<DedupKey>& reserved) const;
  template <class Entries, class Known>
  void enter(Shard& shard, Entries& entries, std::uint64_t identity, Known entry) const;
  void expire(Shard& shard, MonoTime now) const;
  static void drop_oldest(Shard& shard);
  static void forget(Shard& shard, std::uint64_t identity, bool of_request);

  Shard& shard_of(std::uint64_t identity) { return shards_[identity >> (64 - shard_bits)]; }

  const Options options_;
  std::array<Shard, shard_count> shards_;
};

}  // namespace sluice::buffer
