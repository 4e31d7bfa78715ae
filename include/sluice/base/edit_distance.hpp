// How far one text is from another, for whoever guesses what somebody meant to write.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice {

// Insertions, deletions, replacements and swaps of neighbours that make one text of the other (the
// optimal string alignment distance); letter case is no difference. Takes time and memory in
// proportion to the product of the sizes: for names, not for what strangers send at any length.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace sluice
