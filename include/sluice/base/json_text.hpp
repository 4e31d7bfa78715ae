// Writing JSON by hand, for the small answers that need no library, and what passing it on takes.
#pragma once

#include <string>
#include <string_view>

namespace sluice {

// Appends the text as a JSON string, quotes included; bytes that are not UTF-8 become U+FFFD, and
// what is unprintable (printable.hpp) is escaped.
void append_json_string(std::string& out, std::string_view text);

// RFC 8259, 6.
[[nodiscard]] bool is_json_number(std::string_view text);

}  // namespace sluice
