#include <iterator>

#include <fmt/format.h>

#include <sluice/base/printable.hpp>

#include "utf8.hpp"

namespace sluice {

bool is_unprintable(char32_t character) {
  const auto within = [character](char32_t first, char32_t last) {
    return character >= first && character <= last;
  };
  return character < 0x20 || within(0x7F, 0x9F) || character == 0x61C || within(0x200B, 0x200F) ||
         within(0x2028, 0x202E) || within(0x2060, 0x206F) || character == 0xFEFF ||
         within(0xFFF9, 0xFFFB) || within(0xE0000, 0xE007F);
}

void append_escaped(std::string& out, char32_t character) {
  const auto append = [&](std::uint32_t unit) {
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", unit);
  };
  if (character < 0x10000) {
    append(character);
    return;
  }
  append(0xD800U + ((character - 0x10000U) >> 10U));
  append(0xDC00U + ((character - 0x10000U) & 0x3FFU));
}

std::string printable(std::string_view text, LineBreaks line_breaks) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto [code_point, length] = first_character(text);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else if (is_unprintable(code_point) &&
               !(code_point == '\n' && line_breaks == LineBreaks::kept)) {
      append_escaped(out, code_point);
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

}  // namespace sluice
