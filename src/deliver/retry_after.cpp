#include <algorithm>
#include <array>
#include <cstdint>

#include <sluice/base/ascii.hpp>
#include <sluice/deliver/retry_after.hpp>

namespace sluice::deliver {
namespace {

using std::chrono::milliseconds;

constexpr std::array<std::string_view, 12> month_names = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct DateTime {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  unsigned hour = 0;
  unsigned minute = 0;
  unsigned second = 0;
};

// Reads from the front of a text; once something is not there, everything after it fails too.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool at_end() const { return good_ && rest_.empty(); }
  [[nodiscard]] bool next_is(char c) const { return good_ && rest_.starts_with(c); }

  void literal(std::string_view expected) {
    good_ = good_ && rest_.starts_with(expected);
    advance(expected.size());
  }
  void word() {
    const auto end = std::ranges::find_if_not(rest_, is_letter);
    good_ = good_ && end != rest_.begin();
    advance(static_cast<std::size_t>(end - rest_.begin()));
  }
  unsigned number(std::size_t digits) {
    const std::string_view text = rest_.substr(0, digits);
    good_ = good_ && text.size() == digits && std::ranges::all_of(text, is_digit);
    unsigned value = 0;
    for (const char c : good_ ? text : std::string_view{}) {
      value = value * 10 + static_cast<unsigned>(c - '0');
    }
    advance(digits);
    return value;
  }
  unsigned month() {
    const auto name = std::ranges::find(month_names, rest_.substr(0, 3));
    good_ = good_ && name != month_names.end();
    advance(3);
    return static_cast<unsigned>(name - month_names.begin()) + 1;
  }
  void time_of_day(DateTime& date) {
    date.hour = number(2);
    literal(":");
    date.minute = number(2);
    literal(":");
    date.second = number(2);
  }

 private:
  void advance(std::size_t count) { rest_.remove_prefix(std::min(count, rest_.size())); }

  std::string_view rest_;
  bool good_ = true;
};

// The latest year with these digits that is at most 50 years ahead (RFC 9110, section 5.6.7).
int full_year(unsigned two_digits, WallTime now) {
  const std::chrono::year_month_day today(std::chrono::floor<std::chrono::days>(now));
  const int latest = static_cast<int>(today.year()) + 50;
  return latest - (latest - static_cast<int>(two_digits)) % 100;
}

// Sun Nov  6 08:49:37 1994
DateTime read_asctime(Reader& reader) {
  DateTime date;
  date.month = reader.month();
  reader.literal(" ");
  if (reader.next_is(' ')) {
    reader.literal(" ");
    date.day = reader.number(1);
  } else {
    date.day = reader.number(2);
  }
  reader.literal(" ");
  reader.time_of_day(date);
  reader.literal(" ");
  date.year = static_cast<int>(reader.number(4));
  return date;
}

// Sun, 06 Nov 1994 08:49:37 GMT, or Sunday, 06-Nov-94 08:49:37 GMT
DateTime read_after_comma(Reader& reader, WallTime now) {
  DateTime date;
  reader.literal(", ");
  date.day = reader.number(2);
  if (reader.next_is('-')) {
    reader.literal("-");
    date.month = reader.month();
    reader.literal("-");
    date.year = full_year(reader.number(2), now);
  } else {
    reader.literal(" ");
    date.month = reader.month();
    reader.literal(" ");
    date.year = static_cast<int>(reader.number(4));
  }
  reader.literal(" ");
  reader.time_of_day(date);
  reader.literal(" GMT");
  return date;
}

// Saturates far above the maximum, where more digits change nothing.
milliseconds parse_seconds(std::string_view digits) {
  constexpr std::int64_t enough = 1'000'000;
  std::int64_t seconds = 0;
  for (const char c : digits) {
    seconds = std::min(enough, seconds * 10 + (c - '0'));
  }
  return std::chrono::seconds(seconds);
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view white_space = " \t";
  const std::size_t begin = text.find_first_not_of(white_space);
  return begin == std::string_view::npos
             ? std::string_view{}
             : text.substr(begin, text.find_last_not_of(white_space) - begin + 1);
}

}  // namespace

std::optional<WallTime> parse_http_date(std::string_view text, WallTime now) {
  Reader reader(text);
  reader.word();
  DateTime date;
  if (reader.next_is(',')) {
    date = read_after_comma(reader, now);
  } else {
    reader.literal(" ");
    date = read_asctime(reader);
  }
  const std::chrono::year_month_day day{std::chrono::year(date.year),
                                        std::chrono::month(date.month), std::chrono::day(date.day)};
  // The grammar knows the sixtieth second of a leap.
  if (!reader.at_end() || !day.ok() || date.hour > 23 || date.minute > 59 || date.second > 60) {
    return std::nullopt;
  }
  return std::chrono::sys_days(day) + std::chrono::hours(date.hour) +
         std::chrono::minutes(date.minute) + std::chrono::seconds(date.second);
}

std::optional<milliseconds> parse_retry_after(std::string_view header, WallTime now) {
  const std::string_view value = trim(header);
  if (value.empty()) {
    return std::nullopt;
  }
  milliseconds wait{};
  if (std::ranges::all_of(value, is_digit)) {
    wait = parse_seconds(value);
  } else if (const std::optional<WallTime> date = parse_http_date(value, now)) {
    wait = *date - now;
  } else {
    return std::nullopt;
  }
  return std::clamp(wait, milliseconds{0}, milliseconds{retry_after_max});
}

}  // namespace sluice::deliver
