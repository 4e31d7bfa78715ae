// The syntax of single values, as the API demands it. Written from the API's own description and
// apart from the gateway's normaliser, so that neither repeats the other's mistakes.
#pragma once

#include <optional>
#include <string_view>

#include <sluice/base/clock.hpp>

namespace sluice::simulator {

// local@domain.tld; the local part may be quoted, the domain a bracketed IPv4 address [P].
[[nodiscard]] bool is_email(std::string_view text);
// 8-4-4-4-12 hexadecimal digits of either case [P].
[[nodiscard]] bool is_uuid(std::string_view text);
// ^[a-zA-Z0-9.\-_]+$ [P]; the length is another rule.
[[nodiscard]] bool is_action(std::string_view text);
// CR, LF, NUL, U+2028, U+2029, U+00AD, U+FE00 to U+FE0F, and what lies beyond the basic plane [P].
[[nodiscard]] bool has_forbidden_character(std::string_view utf8);
// As a number that stands in a string: of the characters of one, the first a digit or a minus.
[[nodiscard]] bool is_number(std::string_view text);
// White space of Unicode at either end.
[[nodiscard]] bool has_surrounding_space(std::string_view utf8);
// A date and time of ISO 8601 in its extended form, with `Z` or an offset; seconds and a fraction
// of up to nine digits may be left out. Digits beyond the millisecond are cut.
[[nodiscard]] std::optional<WallTime> parse_time(std::string_view text);

}  // namespace sluice::simulator
