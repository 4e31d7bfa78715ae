#include <algorithm>
#include <vector>

#include <sluice/base/ascii.hpp>
#include <sluice/base/edit_distance.hpp>

namespace sluice {
namespace {

bool same_letter(char a, char b) {
  return a == b || (is_letter(a) && is_letter(b) && (a | 0x20) == (b | 0x20));
}

}  // namespace

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

}  // namespace sluice
