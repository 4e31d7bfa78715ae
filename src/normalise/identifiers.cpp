#include "identifiers.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif
#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <sluice/base/ascii.hpp>

namespace sluice::normalise {
namespace {

// What a character may be part of, a bit each.
enum CharClass : std::uint8_t { hex = 1, atom = 2, label = 4 };
constexpr auto char_classes = [] {
  constexpr std::string_view specials = "<>()[]\\.,;:@\" \t\r\n\f\v";
  std::array<std::uint8_t, 256> classes{};
  for (std::size_t i = 0; i < classes.size(); ++i) {
    const char c = static_cast<char>(i);
    const bool is_hex = is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    const bool is_label = is_letter(c) || is_digit(c) || c == '-';
    const bool is_atom = specials.find(c) == std::string_view::npos;
    classes[i] = static_cast<std::uint8_t>((is_hex ? hex : 0) | (is_atom ? atom : 0) |
                                           (is_label ? label : 0));
  }
  return classes;
}();
bool is_in(CharClass wanted, char c) {
  return (char_classes[static_cast<std::uint8_t>(c)] & wanted) != 0;
}

// Dot-separated, each part at least one character long and of this class.
bool is_dotted(std::string_view text, CharClass wanted) {
  bool part_is_empty = true;
  for (const char c : text) {
    if (is_in(wanted, c)) {
      part_is_empty = false;
    } else if (c == '.' && !part_is_empty) {
      part_is_empty = true;
    } else {
      return false;
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
  return is_dotted(domain.substr(0, last_dot), label);
}

#if defined(__SSE2__)
// Which of 64 characters are what, a bit each.
struct EmailMap {
  std::uint64_t letters = 0;
  std::uint64_t labels = 0;  // letters, digits and hyphens
  std::uint64_t atoms = 0;   // those, underscores and plus signs
  std::uint64_t dots = 0;
  std::uint64_t ats = 0;
};

EmailMap map_characters(std::string_view text) {
  std::array<char, 64> padded{};
  std::memcpy(padded.data(), text.data(), text.size());
  EmailMap map;
  for (std::size_t at = 0; at < text.size(); at += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(&padded[at]));
    const auto mask = [at](__m128i matches) {
      return static_cast<std::uint64_t>(_mm_movemask_epi8(matches)) << at;
    };
    const auto is = [block](char c) { return _mm_cmpeq_epi8(block, _mm_set1_epi8(c)); };
    const auto within = [](__m128i bytes, char first, char last) {
      return _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8(static_cast<char>(first - 1))),
                           _mm_cmplt_epi8(bytes, _mm_set1_epi8(static_cast<char>(last + 1))));
    };
    const __m128i letters = within(_mm_or_si128(block, _mm_set1_epi8(0x20)), 'a', 'z');
    const __m128i labels = _mm_or_si128(letters, _mm_or_si128(within(block, '0', '9'), is('-')));
    map.letters |= mask(letters);
    map.labels |= mask(labels);
    map.atoms |= mask(_mm_or_si128(labels, _mm_or_si128(is('_'), is('+'))));
    map.dots |= mask(is('.'));
    map.ats |= mask(is('@'));
  }
  return map;
}

// Whether it is an e-mail address that has no uncommon characters, decided without a loop over
// them: what a loop does with one address tells the processor little about the next.
bool is_common_email(std::string_view text) {
  if (text.size() < 6 || text.size() > 63) {
    return false;
  }
  const EmailMap map = map_characters(text);
  if (!std::has_single_bit(map.ats)) {
    return false;
  }
  const std::uint64_t all = (std::uint64_t{1} << text.size()) - 1;
  const std::uint64_t local = map.ats - 1;
  const std::uint64_t domain = all & ~(local | map.ats);
  const std::uint64_t last_dot = std::bit_floor(map.dots & domain);
  const std::uint64_t top = all & ~((last_dot << 1) - 1);
  // Parts begin at the start and behind each dot and @, and end before them and at the end.
  const std::uint64_t breaks = map.dots | map.ats;
  const bool has_empty_part = (breaks & ((breaks << 1) | 1)) != 0;
  return !has_empty_part && last_dot != 0 && (local & ~(map.atoms | map.dots)) == 0 &&
         (domain & ~(map.labels | map.dots)) == 0 && (top & ~map.letters) == 0 &&
         (top & (top - 1)) != 0;  // two letters at least
}
#else
bool is_common_email(std::string_view) { return false; }
#endif

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
  if (is_common_email(text)) {
    return true;
  }
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0) {
    return false;
  }
  const std::string_view local = text.substr(0, at);
  const std::string_view domain = text.substr(at + 1);
  const bool quoted = local.size() > 2 && local.front() == '"' && local.back() == '"';
  return (quoted || is_dotted(local, atom)) &&
         (is_domain_name(domain) || is_bracketed_ipv4(domain));
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) {
    return false;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
    if (hyphen ? text[i] != '-' : !is_in(hex, text[i])) {
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
