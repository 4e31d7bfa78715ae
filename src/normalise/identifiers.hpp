// The syntax of profile identifiers. Sources: Synerise/php-sdk v0.5.1 (patterns, forbidden
// characters) and the vendor's notice of July 2026 on surrounding white space.
#pragma once

#include <string_view>

namespace sluice::normalise {

// Whether the e-mail has the usual form local@domain.tld; quoted local parts and bracketed IPv4
// domains are allowed.
[[nodiscard]] bool is_email(std::string_view text);
// Whether the text is 8-4-4-4-12 hexadecimal digits, of either case.
[[nodiscard]] bool is_uuid(std::string_view text);
// Whether the text is an integer that fits 64 bits, signed.
[[nodiscard]] bool is_int64(std::string_view number);
// Whether the UTF-8 text holds a character that the API forbids in identifiers: CR, LF, NUL,
// U+2028, U+2029, U+00AD, U+FE00 to U+FE0F, or one beyond the basic plane.
[[nodiscard]] bool holds_forbidden_character(std::string_view utf8);
// The text without the white space (of Unicode) around it.
[[nodiscard]] std::string_view trim(std::string_view utf8);

}  // namespace sluice::normalise
