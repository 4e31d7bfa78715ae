#include "identifiers.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>

namespace sluice::normalise {
namespace {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// Dot-separated, each part at least one character long and free of the specials and spaces.
bool is_dot_atom(std::string_view local) {
  constexpr std::string_view specials = "<>()[]\\.,;:@\" \t\r\n\f\v";
  bool part_is_empty = true;
  for (const char c : local) {
    if (c == '.') {
      if (part_is_empty) {
        return false;
      }
      part_is_empty = true;
    } else if (specials.find(c) != std::string_view::npos) {
      return false;
    } else {
      part_is_empty = false;
    }
  }
  return !part_is_empty;
}

bool is_bracketed_ipv4(std::string_view domain) {
  if (domain.size() < 2 || domain.front() != '[' || domain.back() != ']') {
    return false;
  }
  domain = domain.substr(1, domain.size() - 2);
  int numbers = 1;
  int digits = 0;
  for (const char c : domain) {
    if (c == '.') {
      if (digits == 0) {
        return false;
      }
      ++numbers;
      digits = 0;
    } else if (!is_digit(c) || ++digits > 3) {
      return false;
    }
  }
  return numbers == 4 && digits > 0;
}

// Labels of letters, digits and hyphens; the last one is at least two letters.
bool is_domain_name(std::string_view domain) {
  const std::size_t last_dot = domain.rfind('.');
  if (last_dot == std::string_view::npos || last_dot == 0) {
    return false;
  }
  const std::string_view top = domain.substr(last_dot + 1);
  if (top.size() < 2 || !std::ranges::all_of(top, is_letter)) {
    return false;
  }
  bool label_is_empty = true;
  for (const char c : domain.substr(0, last_dot)) {
    if (c == '.') {
      if (label_is_empty) {
        return false;
      }
      label_is_empty = true;
    } else if (!is_letter(c) && !is_digit(c) && c != '-') {
      return false;
    } else {
      label_is_empty = false;
    }
  }
  return !label_is_empty;
}

// The code point at the start of valid UTF-8, and its length.
struct CodePoint {
  std::uint32_t value;
  std::size_t length;
};
CodePoint decode(std::string_view utf8) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(utf8[i]); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) {
    return {lead, 1};
  }
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (utf8.size() < length) {
    return {lead, 1};
  }
  std::uint32_t value = lead & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    value = (value << 6) | (byte(i) & 0x3FU);
  }
  return {value, length};
}

// The property White_Space of Unicode, and the byte order mark.
bool is_white_space(std::uint32_t c) {
  return c == ' ' || (c >= 0x09 && c <= 0x0D) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000 || c == 0xFEFF;
}

}  // namespace

bool is_email(std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0) {
    return false;
  }
  const std::string_view local = text.substr(0, at);
  const std::string_view domain = text.substr(at + 1);
  const bool quoted = local.size() > 2 && local.front() == '"' && local.back() == '"';
  return (quoted || is_dot_atom(local)) && (is_domain_name(domain) || is_bracketed_ipv4(domain));
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) {
    return false;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
    if (hyphen ? text[i] != '-' : !is_hex(text[i])) {
      return false;
    }
  }
  return true;
}

bool is_int64(std::string_view number) {
  std::int64_t value = 0;
  const char* const end = number.data() + number.size();
  const auto [stopped, error] = std::from_chars(number.data(), end, value);
  return error == std::errc{} && stopped == end;
}

bool is_plain_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7F; });
}

bool holds_forbidden_character(std::string_view utf8) {
  while (!utf8.empty()) {
    const CodePoint c = decode(utf8);
    if (c.value == '\r' || c.value == '\n' || c.value == 0 || c.value == 0x2028 ||
        c.value == 0x2029 || c.value == 0xAD || (c.value >= 0xFE00 && c.value <= 0xFE0F) ||
        c.value > 0xFFFF) {
      return true;
    }
    utf8.remove_prefix(c.length);
  }
  return false;
}

std::string_view trim(std::string_view utf8) {
  while (!utf8.empty()) {
    const CodePoint c = decode(utf8);
    if (!is_white_space(c.value)) {
      break;
    }
    utf8.remove_prefix(c.length);
  }
  while (!utf8.empty()) {
    std::size_t start = utf8.size() - 1;
    while (start > 0 && (static_cast<std::uint8_t>(utf8[start]) & 0xC0U) == 0x80U) {
      --start;
    }
    if (!is_white_space(decode(utf8.substr(start)).value)) {
      break;
    }
    utf8 = utf8.substr(0, start);
  }
  return utf8;
}

}  // namespace sluice::normalise
