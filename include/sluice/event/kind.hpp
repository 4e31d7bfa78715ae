// The kinds of writes that the API takes, a row for each: what tells one from another is data here,
// and no branch elsewhere. What is done for an event of any kind is done for all alike.
//
// A further kind is an enumerator and a row (src/event/kind_table.hpp), a route that takes it
// (src/ingest/routes.cpp), and a schema of its own only if no other's rules fit it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace sluice {

// Which upstream endpoint an event goes to. Stored with each event: a value keeps its meaning.
enum class EventKind : std::uint8_t { event, transaction };

// What the canonical JSON of a kind has in it, and so by which rules it is read and checked.
enum class Schema : std::uint8_t {
  event,        // client, action or type, params, time
  transaction,  // client, orderId, products, metadata, recordedAt
};

struct KindInfo {
  EventKind kind;
  std::string_view name;        // in sources, dead letters, exports and the status: never changes
  std::string_view path;        // of the API, which takes a JSON array of them there
  std::string_view permission;  // that a key needs for it; empty: its name is not public
  Schema schema;
  std::size_t batch_events_max;  // that the API takes at once ...
  std::size_t batch_bytes_max;   // ... and in one body
  std::uint32_t since_format;    // of the store (docs/store-format.md): older readers know it not
};

// All kinds, indexed by the enumerator.
[[nodiscard]] std::span<const KindInfo> kinds();
[[nodiscard]] inline const KindInfo& info(EventKind kind) {
  return kinds()[static_cast<std::size_t>(kind)];
}
[[nodiscard]] std::optional<EventKind> kind_from_name(std::string_view name);

// What is kept per kind in arrays has so many places: at least as many as there are kinds.
inline constexpr std::size_t kinds_max = 8;

}  // namespace sluice
