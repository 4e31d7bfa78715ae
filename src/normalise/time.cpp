#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include <sluice/base/calendar.hpp>
#include <sluice/normalise/time.hpp>

#include "time_fields.hpp"

namespace sluice {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr int year_min = 1970;
constexpr int year_max = 9999;

constexpr auto digit_pairs = [] {
  std::array<char, 200> pairs{};
  for (std::size_t i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}();

void put_pair(char* out, std::uint32_t below_100) {
  std::memcpy(out, &digit_pairs[2 * std::size_t{below_100}], 2);
}

// Reads the commonest form in one go: 2010-12-01T08:26:00Z or 2010-12-01T08:26:00.000Z. False: it
// is another one.
bool read_common_form(std::string_view text, TimeFields& fields) {
  const bool has_fraction = text.size() == time_text_size;
  if (!has_fraction && text.size() != time_text_size - 4) return false;
  bool digits_only = true;
  const auto digit = [&](std::size_t at) {
    const int value = text[at] - '0';
    digits_only &= value >= 0 && value <= 9;
    return value;
  };
  const auto pair = [&](std::size_t at) { return 10 * digit(at) + digit(at + 1); };
  fields = {.year = 100 * pair(0) + pair(2),
            .month = pair(5),
            .day = pair(8),
            .hour = pair(11),
            .minute = pair(14),
            .second = pair(17),
            .ms = has_fraction ? 100 * digit(20) + pair(21) : 0};
  return digits_only && text[4] == '-' && text[7] == '-' && text[10] == 'T' && text[13] == ':' &&
         text[16] == ':' && (!has_fraction || text[19] == '.') && text.back() == 'Z';
}

bool read_date_and_time(TimeCursor& in, TimeFields& fields, bool& three_digit_seconds) {
  if (!in.number(4, 4, fields.year)) return false;
  const bool extended = in.take('-');
  if (!in.number(2, 2, fields.month) || (extended && !in.take('-'))) return false;
  if (!in.number(2, 2, fields.day)) return false;
  if (!in.take('T') && !in.take(' ') && !in.take('t')) return false;
  if (!in.number(2, 2, fields.hour) || (extended && !in.take(':'))) return false;
  if (!in.number(2, 2, fields.minute)) return false;
  const bool has_seconds = extended ? in.take(':') : in.at_digit();
  if (!has_seconds) return true;
  if (!in.number(2, 2, fields.second)) return false;
  if (extended && fields.second == 0 && in.take('0')) {
    three_digit_seconds = true;
    return true;
  }
  return (!in.take('.') && !in.take(',')) || in.fraction(fields.ms);
}

}  // namespace

bool TimeCursor::fraction(int& ms) {
  const std::size_t before = rest_.size();
  if (!number(1, 3, ms)) return false;
  for (std::size_t count = before - rest_.size(); count < 3; ++count) ms *= 10;
  while (at_digit()) skip(1);
  return true;
}

bool TimeCursor::offset(minutes& offset) {
  offset = minutes(0);
  if (take('Z') || take('z')) return true;
  const bool east = take('+');
  if (!east && !take('-')) return false;
  int hour = 0;
  int minute = 0;
  if (!number(2, 2, hour)) return false;
  const bool has_minutes = take(':') || at_digit();
  if (has_minutes && !number(2, 2, minute)) return false;
  if (hour > 23 || minute > 59) return false;
  offset = hours(hour) + minutes(minute);
  if (!east) offset = -offset;
  return true;
}

Result<WallTime, TimeError> in_range(WallTime time) {
  if (time != in_calendar(time)) return std::unexpected(TimeError::out_of_range);
  return time;
}

Result<WallTime, TimeError> to_time(const TimeFields& fields) {
  const std::chrono::year_month_day date(std::chrono::year(fields.year),
                                         std::chrono::month(static_cast<unsigned>(fields.month)),
                                         std::chrono::day(static_cast<unsigned>(fields.day)));
  const bool exists = fields.year >= year_min && fields.year <= year_max && date.ok() &&
                      fields.hour <= 23 && fields.minute <= 59 && fields.second <= 60;
  if (!exists) return std::unexpected(TimeError::out_of_range);
  const WallTime minute = std::chrono::sys_days(date) + hours(fields.hour) + minutes(fields.minute);
  if (fields.second == 60) return minute + minutes(1) - milliseconds(1);
  return minute + seconds(fields.second) + milliseconds(fields.ms);
}

Result<ParsedTime, TimeError> parse_time(std::string_view text) {
  TimeFields fields;
  if (read_common_form(text, fields)) {
    const auto time = to_time(fields);
    if (!time) return std::unexpected(time.error());
    return ParsedTime{
        .time = *time,
        .has_zone = true,
        .is_canonical = text.size() == time_text_size && fields.second < 60,
    };
  }
  const auto number_end = std::ranges::find_if_not(text, is_digit);
  if (number_end == text.end() || *number_end == '.') {
    const auto time = parse_epoch(text);
    if (!time) return std::unexpected(time.error());
    return ParsedTime{.time = *time, .has_zone = true};
  }
  TimeCursor in(text);
  fields = {};
  bool three_digit_seconds = false;
  if (!read_date_and_time(in, fields, three_digit_seconds))
    return std::unexpected(TimeError::syntax);
  const bool has_zone = !in.done();
  minutes offset(0);
  if (has_zone) {
    in.take(' ');
    if (!in.offset(offset) || !in.done()) return std::unexpected(TimeError::syntax);
  }
  const auto local = to_time(fields);
  if (!local) return std::unexpected(local.error());
  const auto time = in_range(*local - offset);
  if (!time) return std::unexpected(time.error());
  return ParsedTime{
      .time = *time, .has_zone = has_zone, .has_three_digit_seconds = three_digit_seconds};
}

Result<WallTime, TimeError> parse_epoch(std::string_view number_text) {
  const auto number_end = std::ranges::find_if_not(number_text, is_digit);
  const std::string_view integer(number_text.begin(), number_end);
  TimeCursor in(std::string_view(number_end, number_text.end()));
  int fraction_ms = 0;
  const bool well_formed =
      !integer.empty() && (!in.take('.') || in.fraction(fraction_ms)) && in.done();
  if (!well_formed) return std::unexpected(TimeError::syntax);

  std::int64_t count = 0;
  const auto read = std::from_chars(integer.data(), integer.data() + integer.size(), count);
  if (read.ec != std::errc{}) return std::unexpected(TimeError::out_of_range);
  if (count < 100'000'000'000) {
    return in_range(WallTime(seconds(count)) + milliseconds(fraction_ms));
  }
  if (count < 100'000'000'000'000) return in_range(WallTime(milliseconds(count)));
  if (count < 100'000'000'000'000'000) {
    return in_range(WallTime(std::chrono::floor<milliseconds>(microseconds(count))));
  }
  return in_range(WallTime(std::chrono::floor<milliseconds>(nanoseconds(count))));
}

char* format_time(WallTime time, char* out) {
  time = in_calendar(time);
  const auto day = std::chrono::floor<days>(time);
  const std::chrono::year_month_day date(day);
  const auto year = static_cast<std::uint32_t>(static_cast<int>(date.year()));
  const auto day_ms = static_cast<std::uint32_t>((time - day).count());
  const std::uint32_t day_s = day_ms / 1'000;
  const std::uint32_t ms = day_ms % 1'000;

  std::memcpy(out, "0000-00-00T00:00:00.000Z", time_text_size);
  put_pair(out, year / 100);
  put_pair(out + 2, year % 100);
  put_pair(out + 5, static_cast<unsigned>(date.month()));
  put_pair(out + 8, static_cast<unsigned>(date.day()));
  put_pair(out + 11, day_s / 3'600);
  put_pair(out + 14, day_s / 60 % 60);
  put_pair(out + 17, day_s % 60);
  put_pair(out + 20, ms / 10);
  out[22] = static_cast<char>('0' + ms % 10);
  return out + time_text_size;
}

}  // namespace sluice
