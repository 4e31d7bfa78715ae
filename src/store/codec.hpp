// The bytes that are stored: keys and values. docs/store-format.md describes them for people.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/event/group.hpp>
#include <sluice/store/store.hpp>

namespace sluice::store {

// Read are all formats up to the latest. Format 2 has traceparents in groups, format 3 compressed
// ones. A store stays at the format that earlier versions can read until the first record of a
// later one is written.
inline constexpr std::uint32_t format_version_first = 1;
inline constexpr std::uint32_t format_version_traces = 2;
inline constexpr std::uint32_t format_version_compressed = 3;
inline constexpr std::uint32_t format_version_latest = format_version_compressed;

using WorkspaceId = std::uint32_t;

// The first byte of a key.
enum class Tag : char {
  appended = 'A',  // per workspace: its name and what was ever appended
  dedup = 'D',     // per group, or answer without one: the keys by which repetitions are known
  group = 'G',     // per group: its events
  low = 'L',       // per workspace: up to where everything was released
  released = 'R',  // per workspace and range of tickets released beyond that
};

// Sums over groups. How many groups is told by tickets.
struct Totals {
  std::uint64_t events = 0;
  std::uint64_t keys = 0;
  std::uint64_t payload_bytes = 0;  // of JSON and traceparents

  Totals& operator+=(const Totals& other);
  // Never below nothing: what is on a disk may contradict itself.
  [[nodiscard]] Totals minus(const Totals& other) const;
  friend bool operator==(const Totals&, const Totals&) = default;
};
// A place in a workspace's order: before the group with this ticket, and what the groups before it
// amount to.
struct Position {
  Ticket ticket = 1;
  Totals before;

  friend bool operator==(const Position&, const Position&) = default;
};

[[nodiscard]] Totals totals_of(const Group& group);
// In Group::footprint_bytes().
[[nodiscard]] Backlog backlog_of(std::uint64_t groups, const Totals& totals);

// Keys of one workspace and tag sort by ticket.
[[nodiscard]] std::string make_key(Tag tag, WorkspaceId workspace);
[[nodiscard]] std::string make_key(Tag tag, WorkspaceId workspace, Ticket ticket);
// Of the answer to a request that had no event of its own: behind the entry of the group before it,
// which has this ticket, by the identity of the request's key.
[[nodiscard]] std::string make_answer_key(WorkspaceId workspace, Ticket ticket,
                                          std::uint64_t identity);
[[nodiscard]] bool is_answer_key(std::string_view key);
// Above all keys of the tag.
[[nodiscard]] std::string key_above(Tag tag);
[[nodiscard]] WorkspaceId workspace_of_key(std::string_view key);
[[nodiscard]] Ticket ticket_of_key(std::string_view key);
inline constexpr Ticket ticket_max = ~Ticket{0};

// A value ends in a checksum of it and its key, so that nothing is read as what it is not. Every
// decode_…() below gives nothing for what encode_…() has not made.
void seal(std::string_view key, std::string& value);
[[nodiscard]] bool is_sealed(std::string_view key, std::string_view value);
// Returns the first format that has what is written.
std::uint32_t encode_group(std::string_view key, const Group& group, const Totals& before,
                           std::string& out);
struct GroupHead {
  std::uint32_t events = 0;
  WallTime accepted_wall;
  Totals own;
  Totals before;
};
struct StoredGroup {
  GroupHead head;
  std::vector<EventRecord> records;
  std::vector<DedupKey> keys;
  std::optional<RememberedAnswer> answer;
  std::string_view traceparent;   // in the value; empty: it has none
  std::string_view stored_bytes;  // likewise, unless they were compressed
  std::string uncompressed;

  [[nodiscard]] std::string_view bytes() const {
    return uncompressed.empty() ? stored_bytes : uncompressed;
  }
  // Of the group that was encoded; valid while this and the value are. Without `accepted_at` and
  // `producer`, which are not stored.
  [[nodiscard]] Group::Parts parts() const;
};
[[nodiscard]] std::optional<StoredGroup> decode_group(std::string_view key, std::string_view value);

struct StoredKeys {
  WallTime accepted_wall;
  std::vector<DedupKey> keys;
  std::optional<RememberedAnswer> answer;
};
void encode_keys(std::string_view key, const Group& group, std::string& out);
[[nodiscard]] std::optional<StoredKeys> decode_keys(std::string_view key, std::string_view value);

struct Appended {
  Position next;
  std::string name;
};
[[nodiscard]] std::string encode_appended(std::string_view key, const Appended& appended);
[[nodiscard]] std::optional<Appended> decode_appended(std::string_view key, std::string_view value);

// Of the tags low (the place up to which all was released) and released (the end of the range, and
// what it amounts to).
[[nodiscard]] std::string encode_position(std::string_view key, const Position& position);
[[nodiscard]] std::optional<Position> decode_position(std::string_view key, std::string_view value);

}  // namespace sluice::store
