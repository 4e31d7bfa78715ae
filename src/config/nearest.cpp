#include "nearest.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sluice/base/edit_distance.hpp>

namespace sluice::config {
std::string suggestion(std::string_view written, std::span<const std::string_view> names) {
  const auto nearest = std::ranges::min_element(
      names, {}, [&](std::string_view name) { return edit_distance(written, name); });
  // A third of the letters wrong is still a typo; more is another word.
  if (nearest != names.end() &&
      edit_distance(written, *nearest) <= std::max<std::size_t>(1, nearest->size() / 3)) {
    return fmt::format("did you mean {}?", *nearest);
  }
  return fmt::format("write one of {}", fmt::join(names, ", "));
}

}  // namespace sluice::config
