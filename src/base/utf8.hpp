// UTF-8, a character at a time (RFC 3629, 4).
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice {

struct Utf8Character {
  char32_t code_point = 0;
  std::size_t length = 0;  // in bytes; 0: what the text begins with is no character
};

// The first character of a text that is not empty.
[[nodiscard]] Utf8Character first_character(std::string_view text);

}  // namespace sluice
