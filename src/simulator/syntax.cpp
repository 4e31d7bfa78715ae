#include "syntax.hpp"

#include <algorithm>
#include <array>
#include <chrono>

#include <sluice/base/ascii.hpp>

namespace sluice::simulator {
namespace {

using namespace std::string_view_literals;

bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// Calls `visit` for each part between separators; whether it was true for all.
template <class Visit>
bool all_parts(std::string_view text, char separator, Visit visit) {
  for (;;) {
    const std::size_t end = text.find(separator);
    if (!visit(text.substr(0, end))) {
      return false;
    }
    if (end == std::string_view::npos) {
      return true;
    }
    text.remove_prefix(end + 1);
  }
}

bool is_local_part(std::string_view text) {
  if (text.size() > 2 && text.front() == '"' && text.back() == '"') {
    return true;
  }
  return all_parts(text, '.', [](std::string_view atom) {
    return !atom.empty() && atom.find_first_of("<>()[]\\,;:@\" \t\r\n\v\f") == atom.npos;
  });
}

bool is_bracketed_ipv4(std::string_view text) {
  if (!text.starts_with('[') || !text.ends_with(']')) {
    return false;
  }
  text = text.substr(1, text.size() - 2);
  return std::ranges::count(text, '.') == 3 && all_parts(text, '.', [](std::string_view part) {
           return !part.empty() && part.size() <= 3 && std::ranges::all_of(part, is_digit);
         });
}

bool is_domain(std::string_view text) {
  const std::size_t dot = text.rfind('.');
  if (dot == text.npos) {
    return false;
  }
  const std::string_view top = text.substr(dot + 1);
  return top.size() >= 2 && std::ranges::all_of(top, is_letter) &&
         all_parts(text.substr(0, dot), '.', [](std::string_view label) {
           return !label.empty() && std::ranges::all_of(label, [](char c) {
             return is_digit(c) || is_letter(c) || c == '-';
           });
         });
}

// Reads text from its front; each step fails for good once one has failed.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  int digits(std::size_t count) {
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (rest_.empty() || !is_digit(rest_.front())) {
        failed_ = true;
        return 0;
      }
      value = value * 10 + (rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    return value;
  }
  bool skip(char c) {
    if (!rest_.starts_with(c)) {
      return false;
    }
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char c) { failed_ = !skip(c) || failed_; }
  // Of a fraction of a second, of any precision up to nanoseconds.
  int fraction_ms() {
    const auto end = std::ranges::find_if_not(rest_, is_digit);
    const auto count = static_cast<std::size_t>(end - rest_.begin());
    if (count == 0 || count > 9) {
      failed_ = true;
      return 0;
    }
    int value = digits(std::min<std::size_t>(count, 3));
    for (std::size_t i = count; i < 3; ++i) {
      value *= 10;
    }
    rest_.remove_prefix(count > 3 ? count - 3 : 0);
    return value;
  }
  [[nodiscard]] bool next_is_digit() const { return !rest_.empty() && is_digit(rest_.front()); }
  [[nodiscard]] bool complete() const { return !failed_ && rest_.empty(); }
  void fail() { failed_ = true; }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

// Z, +02, +0200 or +02:00
std::chrono::minutes read_offset(Reader& reader) {
  if (reader.skip('Z')) {
    return {};
  }
  const bool minus = reader.skip('-');
  if (!minus) {
    reader.expect('+');
  }
  const int hours = reader.digits(2);
  const int minutes = reader.skip(':') || reader.next_is_digit() ? reader.digits(2) : 0;
  if (hours > 18 || minutes > 59) {
    reader.fail();
  }
  const std::chrono::minutes offset = std::chrono::hours(hours) + std::chrono::minutes(minutes);
  return minus ? -offset : offset;
}

}  // namespace

bool is_email(std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (at == text.npos) {
    return false;
  }
  const std::string_view domain = text.substr(at + 1);
  return is_local_part(text.substr(0, at)) && (is_domain(domain) || is_bracketed_ipv4(domain));
}

bool is_uuid(std::string_view text) {
  constexpr std::string_view pattern = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  return std::ranges::equal(text, pattern,
                            [](char c, char p) { return p == '-' ? c == '-' : is_hex(c); });
}

bool is_action(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return is_digit(c) || is_letter(c) || c == '.' || c == '-' || c == '_';
  });
}

bool has_forbidden_character(std::string_view utf8) {
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const char c = utf8[i];
    if (c >= ' ' &&
        c <= '~') {  // ASCII, where nothing printable is forbidden; as are most identifiers
      continue;
    }
    const std::string_view rest = utf8.substr(i);
    // Four bytes, from F0 on, encode what lies beyond the basic plane.
    if (c == '\r' || c == '\n' || c == '\0' || static_cast<unsigned char>(c) >= 0xF0) {
      return true;
    }
    if (rest.starts_with("\xC2\xAD") || rest.starts_with("\xE2\x80\xA8") ||
        rest.starts_with("\xE2\x80\xA9")) {
      return true;
    }
    if (rest.starts_with("\xEF\xB8") && rest.size() > 2 &&
        static_cast<unsigned char>(rest[2]) <= 0x8F) {
      return true;
    }
  }
  return false;
}

bool is_number(std::string_view text) {
  return text.find_first_of("-0123456789") == 0 &&
         text.find_first_not_of("+-.0123456789eE") == std::string_view::npos;
}

bool has_surrounding_space(std::string_view utf8) {
  // The characters with the property White_Space.
  static constexpr std::array spaces{"\t"sv,           "\n"sv,           "\v"sv,
                                     "\f"sv,           "\r"sv,           " "sv,
                                     "\xC2\x85"sv,     "\xC2\xA0"sv,     "\xE1\x9A\x80"sv,
                                     "\xE2\x80\x80"sv, "\xE2\x80\x81"sv, "\xE2\x80\x82"sv,
                                     "\xE2\x80\x83"sv, "\xE2\x80\x84"sv, "\xE2\x80\x85"sv,
                                     "\xE2\x80\x86"sv, "\xE2\x80\x87"sv, "\xE2\x80\x88"sv,
                                     "\xE2\x80\x89"sv, "\xE2\x80\x8A"sv, "\xE2\x80\xA8"sv,
                                     "\xE2\x80\xA9"sv, "\xE2\x80\xAF"sv, "\xE2\x81\x9F"sv,
                                     "\xE3\x80\x80"sv};
  const auto is_plain = [](char c) { return c > ' ' && c < '\x7F'; };
  if (utf8.empty() || (is_plain(utf8.front()) && is_plain(utf8.back()))) {
    return false;
  }
  return std::ranges::any_of(spaces, [&](std::string_view space) {
    return utf8.starts_with(space) || utf8.ends_with(space);
  });
}

std::optional<WallTime> parse_time(std::string_view text) {
  Reader reader(text);
  const std::chrono::year year(reader.digits(4));
  reader.expect('-');
  const std::chrono::month month(static_cast<unsigned>(reader.digits(2)));
  reader.expect('-');
  const std::chrono::day day(static_cast<unsigned>(reader.digits(2)));
  reader.expect('T');
  const int hour = reader.digits(2);
  reader.expect(':');
  const int minute = reader.digits(2);
  const int second = reader.skip(':') ? reader.digits(2) : 0;
  const int fraction_ms = reader.skip('.') ? reader.fraction_ms() : 0;
  const std::chrono::minutes offset = read_offset(reader);
  const std::chrono::year_month_day date(year, month, day);
  if (!reader.complete() || !date.ok() || hour > 23 || minute > 59 || second > 59) {
    return std::nullopt;
  }
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second) + std::chrono::milliseconds(fraction_ms) - offset;
}

}  // namespace sluice::simulator
