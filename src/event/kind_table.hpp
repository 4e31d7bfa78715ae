// The rows of the product. Tests add one of their own: tests/support/made_up_kind.cpp.
#pragma once

#include <array>

#include <sluice/event/api_limits.hpp>
#include <sluice/event/kind.hpp>

namespace sluice {

// [D] in api_limits.hpp: the endpoints of batches, which are limited alike [P].
inline constexpr std::array kind_table{
    KindInfo{.kind = EventKind::event,
             .name = "event",
             .path = api::events_batch_path,
             .permission = {},
             .schema = Schema::event,
             .batch_events_max = api::batch_events_max,
             .batch_bytes_max = api::batch_bytes_max,
             .since_format = 1},
    KindInfo{.kind = EventKind::transaction,
             .name = "transaction",
             .path = api::transactions_batch_path,
             .permission = api::transactions_batch_permission,
             .schema = Schema::transaction,
             .batch_events_max = api::batch_events_max,
             .batch_bytes_max = api::batch_bytes_max,
             .since_format = 1},
};

// Each row stands where its enumerator says, and says what it must.
[[nodiscard]] constexpr bool is_sound(std::span<const KindInfo> rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const KindInfo& row = rows[i];
    if (static_cast<std::size_t>(row.kind) != i || row.name.empty() || row.path.empty() ||
        row.batch_events_max == 0 || row.batch_bytes_max == 0 || row.since_format == 0) {
      return false;
    }
    for (const KindInfo& other : rows.first(i)) {
      if (other.name == row.name || other.path == row.path) {
        return false;
      }
    }
  }
  return !rows.empty() && rows.size() <= kinds_max;
}
static_assert(is_sound(kind_table));

}  // namespace sluice
