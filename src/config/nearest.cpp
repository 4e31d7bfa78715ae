#include "nearest.hpp"

#include <algorithm>
#include <cctype>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace sluice::config {
namespace {

bool same_letter(char a, char b) {
  return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
}

// Insertions, deletions, replacements and swaps of neighbours that make one text of the other (the
// optimal string alignment distance); letter case is no difference.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector distance(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      std::size_t& here = distance[i][j];
      if (i == 0 || j == 0) {
        here = i + j;
        continue;
      }
      const std::size_t replaced =
          distance[i - 1][j - 1] + (same_letter(a[i - 1], b[j - 1]) ? 0 : 1);
      here = std::min({distance[i - 1][j] + 1, distance[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) && same_letter(a[i - 2], b[j - 1])) {
        here = std::min(here, distance[i - 2][j - 2] + 1);
      }
    }
  }
  return distance.back().back();
}

}  // namespace

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
