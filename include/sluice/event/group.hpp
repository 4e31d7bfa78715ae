// A group: the accepted events of one request, as they travel from ingest to the upstream.
//
// One heap block holds everything: this header, the records, the keys, the canonical JSON of the
// events and the traceparent, written once and never changed. A group has one owner at a time: the
// ingest thread that made it, the queue, then the dispatcher of its workspace, which frees it when
// the last of its events has ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include <sluice/base/clock.hpp>
#include <sluice/event/dedup_key.hpp>
#include <sluice/event/kind.hpp>

namespace sluice {

// Where one event's canonical JSON lies in its group, and what routing needs to know of it.
struct EventRecord {
  std::uint32_t offset;
  std::uint32_t size;
  std::uint64_t profile_hash;  // of the profile's identity: decides the lane
  EventKind kind;

  friend bool operator==(const EventRecord&, const EventRecord&) = default;
};

// The place of a group in its workspace's order of acceptance; from 1.
using Ticket = std::uint64_t;

// What a request with an idempotency key was answered: a repetition is answered the same.
struct RememberedAnswer {
  DedupKey request;
  std::uint32_t accepted = 0;
  std::uint32_t duplicates = 0;

  friend bool operator==(const RememberedAnswer&, const RememberedAnswer&) = default;
};

class Group {
 public:
  struct Free {
    void operator()(Group* group) const;
  };
  using Owner = std::unique_ptr<Group, Free>;

  // What a group is made of; copied.
  struct Parts {
    // Their slices in ascending order. None: all events of the request came before, and its answer
    // is to be kept as any other's; a buffer takes such a group in, and hands it to nobody.
    std::span<const EventRecord> records;
    std::string_view bytes;  // in which each slice lies
    // Of the events whose retries can be known; reserved in the deduplication window.
    std::span<const DedupKey> dedup_keys;
    std::optional<RememberedAnswer> answer;
    MonoTime accepted_at;
    WallTime accepted_wall;
    std::uint32_t producer = 0;      // whose budget it takes, by its index from 1; 0: nobody's
    std::string_view traceparent{};  // of the request; empty: it has none
  };
  // Keeps only the bytes of the slices, one behind the other. Throws std::bad_alloc.
  [[nodiscard]] static Owner make(const Parts& parts);

  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  [[nodiscard]] std::span<const EventRecord> records() const;
  // The canonical JSON of the event with this index; valid while the group lives.
  [[nodiscard]] std::string_view json(std::size_t index) const;
  [[nodiscard]] std::string_view bytes() const;  // of all events, one behind the other
  [[nodiscard]] std::span<const DedupKey> dedup_keys() const;
  [[nodiscard]] const std::optional<RememberedAnswer>& answer() const { return answer_; }
  [[nodiscard]] MonoTime accepted_at() const { return accepted_at_; }
  [[nodiscard]] WallTime accepted_wall() const { return accepted_wall_; }
  [[nodiscard]] std::uint32_t producer() const { return producer_; }
  // Empty: the request had none. Valid while the group lives.
  [[nodiscard]] std::string_view traceparent() const;
  // What the group takes from the buffer's budget, in bytes; the same for the same parts.
  [[nodiscard]] std::size_t footprint_bytes() const;

  Ticket ticket = 0;              // given by the buffer
  std::uint32_t open_events = 0;  // events not ended yet; counted down by the dispatcher alone

 private:
  Group(const Parts& parts, std::size_t byte_count);

  std::uint32_t record_count_;
  std::uint32_t byte_count_;
  std::uint32_t key_count_;
  std::uint32_t producer_;
  std::uint32_t traceparent_size_;
  MonoTime accepted_at_;
  WallTime accepted_wall_;
  std::optional<RememberedAnswer> answer_;
};

// One event of a group. Valid as long as the group has open events.
struct EventRef {
  Group* group;
  std::uint32_t index;

  [[nodiscard]] const EventRecord& record() const { return group->records()[index]; }
  [[nodiscard]] std::string_view json() const { return group->json(index); }
};

}  // namespace sluice
