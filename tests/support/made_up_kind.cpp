#include "made_up_kind.hpp"

#include <array>
#include <span>

#include "kind_table.hpp"

namespace sluice {
namespace {

constexpr std::array extended_table{
    kind_table[0],
    kind_table[1],
    KindInfo{.kind = test::made_up_kind,
             .name = "made-up",
             .path = "/v4/made-up/batch",
             .permission = "API_BATCH_MADE_UP_CREATE",
             .schema = Schema::event,
             .batch_events_max = 20,
             .batch_bytes_max = 1'500,
             .since_format = 1},
};
static_assert(kind_table.size() + 1 == extended_table.size());
static_assert(is_sound(extended_table));

}  // namespace

std::span<const KindInfo> kinds() { return extended_table; }

}  // namespace sluice
