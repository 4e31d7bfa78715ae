// A group: the accepted events of one request, as they travel from ingest to the upstream.
//
// One heap block holds everything: this header, the records, and the canonical JSON of the events,
// written once and never changed. A group has one owner at a time: the ingest thread that made it,
// the queue, then the dispatcher of its workspace, which frees it when the last of its events has
// ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <sluice/base/clock.hpp>

namespace sluice {

// Which upstream endpoint an event goes to.
enum class EventKind : std::uint8_t {
  event,        // POST /v4/events/batch
  transaction,  // POST /v4/transactions/batch
};
inline constexpr std::size_t event_kind_count = 2;

// Where one event's canonical JSON lies in its group, and what routing needs to know of it.
struct EventRecord {
  std::uint32_t offset;
  std::uint32_t size;
  std::uint64_t profile_hash;  // of the profile's identity: decides the lane
  EventKind kind;
};

// The place of a group in its workspace's order of acceptance; from 1.
using Ticket = std::uint64_t;

class Group {
 public:
  struct Free {
    void operator()(Group* group) const;
  };
  using Owner = std::unique_ptr<Group, Free>;

  // Copies records and bytes into a new group. There is at least one record, and each lies in
  // bytes. Throws std::bad_alloc.
  [[nodiscard]] static Owner make(std::span<const EventRecord> records, std::string_view bytes,
                                  MonoTime accepted_at);

  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  [[nodiscard]] std::span<const EventRecord> records() const;
  // The canonical JSON of the event with this index; valid while the group lives.
  [[nodiscard]] std::string_view json(std::size_t index) const;
  [[nodiscard]] MonoTime accepted_at() const { return accepted_at_; }
  // What the group takes from the memory budget, in bytes.
  [[nodiscard]] std::size_t footprint_bytes() const;

  Ticket ticket = 0;              // given by the queue
  std::uint32_t open_events = 0;  // events not ended yet; counted down by the dispatcher alone

 private:
  Group(std::uint32_t record_count, std::uint32_t byte_count, MonoTime accepted_at);

  std::uint32_t record_count_;
  std::uint32_t byte_count_;
  MonoTime accepted_at_;
};

// One event of a group. Valid as long as the group has open events.
struct EventRef {
  Group* group;
  std::uint32_t index;

  [[nodiscard]] const EventRecord& record() const { return group->records()[index]; }
  [[nodiscard]] std::string_view json() const { return group->json(index); }
};

}  // namespace sluice
