// The event types of the API: the path below /v4/events/ (which is also the `type` of a batch
// item), the action that the backend gives each, and the params that it must carry [V in
// api_limits.hpp].
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace sluice {

enum class EventType : std::uint8_t {
  custom,
  added_to_cart,
  removed_from_cart,
  added_to_favorites,
  product_view,
  searched,
  shared,
  visited_screen,
  registered,
  logged_in,
  logged_out,
  appeared_in_location,
  application_started,
  assigned_to_company,
  cancelled_transaction,
  hit_timer,
  item_search_click,
  push_received,
  push_viewed,
  push_clicked,
  push_cancelled,
  recommendation_seen,
  recommendation_click,
  completed_transaction,
};
inline constexpr std::size_t event_type_count = 24;

struct EventTypeInfo {
  EventType type;
  std::string_view path;    // below /v4/events/; the `type` of a batch item
  std::string_view action;  // set by the backend; empty for `custom`, which carries its own
  bool params_required;     // whether the object `params` must be there
  std::span<const std::string_view> required_params;
  // Only older clients send it, and no source names its action: the path stands for it.
  bool deprecated = false;
};

// All types, indexed by the enumerator.
[[nodiscard]] const std::array<EventTypeInfo, event_type_count>& event_types();
[[nodiscard]] const EventTypeInfo& info(EventType type);
[[nodiscard]] std::optional<EventType> event_type_from_path(std::string_view path);

// The values that `source` may have, in params and in transactions [P].
[[nodiscard]] std::span<const std::string_view> event_sources();
// The params that the backend ignores or overwrites [P].
[[nodiscard]] std::span<const std::string_view> reserved_params();

}  // namespace sluice
