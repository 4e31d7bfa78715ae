#include <algorithm>

#include <sluice/event/kind.hpp>

namespace sluice {

std::optional<EventKind> kind_from_name(std::string_view name) {
  const auto found = std::ranges::find(kinds(), name, &KindInfo::name);
  return found == kinds().end() ? std::nullopt : std::optional(found->kind);
}

}  // namespace sluice
