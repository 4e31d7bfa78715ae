// Writing JSON by hand, for the small answers that need no library, and what passing it on takes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice {

// Appends the text as a JSON string, quotes included; bytes that are not UTF-8 become U+FFFD, and
// what is unprintable (printable.hpp) is escaped.
void append_json_string(std::string& out, std::string_view text);

enum class NumberForm : std::uint8_t { none, integer, decimal };  // decimal: fraction or exponent
// What kind of number the text is (RFC 8259, 6).
[[nodiscard]] NumberForm number_form(std::string_view text);
[[nodiscard]] inline bool is_json_number(std::string_view text) {
  return number_form(text) != NumberForm::none;
}

}  // namespace sluice
