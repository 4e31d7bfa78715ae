// What surrounds the JSON of a body or of a line.
#pragma once

#include <span>
#include <string_view>

namespace sluice::normalise {

[[nodiscard]] inline bool has_only_white_space(std::span<const char> text) {
  return std::string_view(text.data(), text.size()).find_first_not_of(" \t\r\n") ==
         std::string_view::npos;
}

// RFC 8259, 8.1, lets a reader ignore it; files that were put together have one at each seam.
[[nodiscard]] inline std::span<char> without_byte_order_mark(std::span<char> text) {
  constexpr std::string_view mark = "\xEF\xBB\xBF";
  return std::string_view(text.data(), text.size()).starts_with(mark) ? text.subspan(mark.size())
                                                                      : text;
}

inline constexpr std::string_view not_text_message =
    "has a string that is no text: a surrogate (\\ud800 to \\udfff) without its other half, or "
    "bytes that are not UTF-8";

}  // namespace sluice::normalise
