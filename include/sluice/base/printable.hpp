// Text that others wrote, for people to read: nothing in it drives a terminal, hides, or turns the
// direction in which what stands around it is read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice {

// The control characters C0, DEL and C1 (ECMA-48), those that are not seen (U+200B to U+200F,
// U+2060 to U+2064, U+FEFF), the separators of lines and paragraphs, the controls of direction
// (Unicode TR 9: U+061C, U+202A to U+202E, U+2066 to U+206F), annotations and tags.
[[nodiscard]] bool is_unprintable(char32_t character);

// What JSON writes for it: \u009b.
void append_escaped(std::string& out, char32_t character);

enum class LineBreaks : std::uint8_t { escaped, kept };
// Unprintable characters as \u009b, bytes that are not UTF-8 as U+FFFD. JSON stays the same JSON,
// provided that line breaks between its tokens are kept.
[[nodiscard]] std::string printable(std::string_view text,
                                    LineBreaks line_breaks = LineBreaks::escaped);

}  // namespace sluice
