#include "routes.hpp"

#include <sluice/event/api_limits.hpp>

namespace sluice::ingest {

bool is_about_key(RouteId route) {
  return route == RouteId::login || route == RouteId::refresh || route == RouteId::permission_check;
}

std::string_view to_string(RouteId route) {
  switch (route) {
    case RouteId::events_batch:
      return "/v4/events/batch";
    case RouteId::events_custom:
      return "/v4/events/custom";
    case RouteId::events_type:
      return "/v4/events/{type}";
    case RouteId::transactions:
      return "/v4/transactions";
    case RouteId::transactions_batch:
      return "/v4/transactions/batch";
    case RouteId::source:
      return "/v1/events/{source}";
    case RouteId::login:
      return "/v4/auth/login/profile";
    case RouteId::refresh:
      return "/v4/auth/refresh/profile";
    case RouteId::permission_check:
      return "/uauth/api-key/permission-check";
    case RouteId::livez:
      return "/livez";
    case RouteId::readyz:
      return "/readyz";
    case RouteId::passthrough:
      return "passthrough";
    case RouteId::unknown:
      break;
  }
  return "unknown";
}

std::optional<Route> find_route(std::string_view path) {
  constexpr std::string_view events = "/v4/events/";
  constexpr std::string_view sources = "/v1/events/";
  if (path.starts_with(events)) {
    const std::string_view type = path.substr(events.size());
    if (type == "batch") {
      return Route{.id = RouteId::events_batch};
    }
    if (const auto known = event_type_from_path(type)) {
      return Route{
          .id = *known == EventType::custom ? RouteId::events_custom : RouteId::events_type,
          .single = true,
          .type = known};
    }
  } else if (path == "/v4/transactions") {
    return Route{.id = RouteId::transactions, .kind = EventKind::transaction, .single = true};
  } else if (path == "/v4/transactions/batch") {
    return Route{.id = RouteId::transactions_batch, .kind = EventKind::transaction};
  } else if (path.starts_with(sources) && path.size() > sources.size()) {
    return Route{.id = RouteId::source, .source = path.substr(sources.size())};
  } else if (path == "/v4/auth/login/profile" || path == "/uauth/v2/auth/login/profile") {
    return Route{.id = RouteId::login, .single = true};
  } else if (path == "/v4/auth/refresh/profile") {
    return Route{.id = RouteId::refresh, .single = true};
  } else if (path == api::permission_check_path) {
    return Route{.id = RouteId::permission_check, .single = true};
  } else if (path == "/livez" || path == "/readyz") {
    return Route{.id = path == "/livez" ? RouteId::livez : RouteId::readyz};
  }
  return std::nullopt;
}

}  // namespace sluice::ingest
