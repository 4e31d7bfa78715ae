// The routes of the ingest API, as a table.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <sluice/event/event_type.hpp>
#include <sluice/event/group.hpp>

namespace sluice::ingest {

// What `route` in sluice_ingest_requests_total says.
enum class RouteId : std::uint8_t {
  events_batch,
  events_custom,
  events_type,
  transactions,
  transactions_batch,
  source,
  passthrough,  // none of the gateway's own, and the workspace passes it through
  login,        // the vendor's, on either of its paths
  refresh,      // of the login's token
  permission_check,
  livez,
  readyz,
  unknown,
};
inline constexpr std::size_t route_count = 13;
// Whether it is about the caller's key and no events: a login, its refresh, or what the key may do.
[[nodiscard]] bool is_about_key(RouteId route);
// The route's pattern, as documented: "/v4/events/batch", "/v1/events/{source}".
[[nodiscard]] std::string_view to_string(RouteId route);

struct Route {
  RouteId id = RouteId::unknown;
  EventKind kind{};
  bool single = false;              // exactly one event per request, answered as the upstream does
  std::optional<EventType> type{};  // said by the path
  std::string_view source{};        // the name in the path, of the source route
};

// All routes take POST, but for `refresh`, which takes GET, and `livez` and `readyz`, which take
// GET and HEAD. Nothing for a path that is none.
[[nodiscard]] std::optional<Route> find_route(std::string_view path);

}  // namespace sluice::ingest
