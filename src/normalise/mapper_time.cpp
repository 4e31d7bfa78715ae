#include "mapper_time.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>

#include <fmt/format.h>

#include <sluice/base/ascii.hpp>
#include <sluice/normalise/mapper.hpp>

#include "time_fields.hpp"

namespace sluice::mapping {
namespace {

using Kind = TimeField::Kind;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::array<std::string_view, 12> month_names{
    "january", "february", "march",     "april",   "may",      "june",
    "july",    "august",   "september", "october", "november", "december"};
constexpr std::array<std::string_view, 7> weekday_names{
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"};

constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool take_ignoring_case(TimeCursor& in, std::string_view word) {
  const bool is_there = equals_ignoring_case(in.rest().substr(0, word.size()), word);
  if (is_there) in.skip(word.size());
  return is_there;
}

// Takes a name or its first three letters, and says which of the names it was.
std::optional<int> take_name(TimeCursor& in, std::span<const std::string_view> names) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (take_ignoring_case(in, names[i].substr(0, 3))) {
      take_ignoring_case(in, names[i].substr(3));
      return static_cast<int>(i);
    }
  }
  return std::nullopt;
}

// What is read besides the plain fields.
struct Reading {
  TimeFields fields;
  bool has_half = false;
  bool afternoon = false;
  std::optional<minutes> offset;
};

bool take_number(TimeCursor& in, int& value) { return in.number(1, 2, value); }

bool take_half(TimeCursor& in, Reading& reading) {
  reading.has_half = true;
  reading.afternoon = take_ignoring_case(in, "pm");
  return reading.afternoon || take_ignoring_case(in, "am");
}

bool take_field(TimeCursor& in, const TimeField& field, Reading& reading) {
  TimeFields& fields = reading.fields;
  switch (field.kind) {
    case Kind::year:
      return in.number(1, 4, fields.year);
    case Kind::year_in_century:
      if (!take_number(in, fields.year)) return false;
      fields.year += fields.year < 69 ? 2000 : 1900;
      return true;
    case Kind::month:
      return take_number(in, fields.month);
    case Kind::month_name: {
      const auto month = take_name(in, month_names);
      fields.month = month.value_or(0) + 1;
      return month.has_value();
    }
    case Kind::weekday_name:
      return take_name(in, weekday_names).has_value();
    case Kind::day:
      return take_number(in, fields.day);
    case Kind::hour:
    case Kind::hour_of_half:
      return take_number(in, fields.hour);
    case Kind::half:
      return take_half(in, reading);
    case Kind::minute:
      return take_number(in, fields.minute);
    case Kind::second:
      return take_number(in, fields.second);
    case Kind::decimal_second:
      return take_number(in, fields.second) && (!in.take('.') || in.fraction(fields.ms));
    case Kind::fraction:
      return in.fraction(fields.ms);
    case Kind::offset:
      return in.offset(reading.offset.emplace());
    case Kind::space:
      while (!in.done() && is_space(in.rest().front())) in.skip(1);
      return true;
    case Kind::literal:
      return in.take(field.character);
  }
  return false;
}

// The conversions that stand for several others.
std::string_view expansion(char conversion) {
  switch (conversion) {
    case 'D':
      return "%m/%d/%y";
    case 'F':
      return "%Y-%m-%d";
    case 'R':
      return "%H:%M";
    case 'T':
      return "%H:%M:%S";
    default:
      return {};
  }
}

std::optional<Kind> kind_of(char conversion) {
  switch (conversion) {
    case 'Y':
      return Kind::year;
    case 'y':
      return Kind::year_in_century;
    case 'm':
      return Kind::month;
    case 'b':
    case 'B':
    case 'h':
      return Kind::month_name;
    case 'a':
    case 'A':
      return Kind::weekday_name;
    case 'd':
    case 'e':
      return Kind::day;
    case 'H':
      return Kind::hour;
    case 'I':
      return Kind::hour_of_half;
    case 'p':
      return Kind::half;
    case 'M':
      return Kind::minute;
    case 'S':
      return Kind::decimal_second;
    case 'f':
      return Kind::fraction;
    case 'z':
      return Kind::offset;
    case 'n':
    case 't':
      return Kind::space;
    case '%':
      return Kind::literal;
    default:
      return std::nullopt;
  }
}

// Appends the pieces of the format, or answers the conversion that is not known.
std::optional<std::string_view> append_fields(std::string_view format,
                                              std::vector<TimeField>& fields) {
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      const Kind kind = is_space(format[i]) ? Kind::space : Kind::literal;
      fields.push_back({.kind = kind, .character = format[i]});
      continue;
    }
    const char conversion = ++i < format.size() ? format[i] : '\0';
    if (const auto kind = kind_of(conversion)) {
      fields.push_back({.kind = *kind, .character = conversion});
    } else if (const std::string_view several = expansion(conversion); !several.empty()) {
      append_fields(several, fields);
    } else {
      return format.substr(i - 1, 2);
    }
  }
  return std::nullopt;
}

bool has(const std::vector<TimeField>& fields, std::initializer_list<Kind> kinds) {
  return std::ranges::find_first_of(fields, kinds, {}, &TimeField::kind) != fields.end();
}

// What is missing from a format for it to tell an instant, or what contradicts what.
std::string_view fault_of(const std::vector<TimeField>& fields, bool has_zone) {
  if (!has(fields, {Kind::year, Kind::year_in_century})) return "has no year: add %Y or %y";
  if (!has(fields, {Kind::month, Kind::month_name})) return "has no month: add %m or %b";
  if (!has(fields, {Kind::day})) return "has no day: add %d";
  if (has(fields, {Kind::hour_of_half}) != has(fields, {Kind::half})) {
    return "has one of %I and %p without the other: use both, or %H";
  }
  if (has(fields, {Kind::offset}) && has_zone) {
    return "reads an offset with %z beside a zone: keep one of the two";
  }
  return {};
}

std::unexpected<Error> invalid(std::string message) {
  return failure(std::errc::invalid_argument, std::move(message));
}

WallTime to_utc(const date::time_zone* zone, WallTime local, ZoneSpan& span) {
  if (zone == span.zone && local >= span.local_from && local < span.local_until) {
    return local - span.offset;
  }
  const date::local_seconds local_s(std::chrono::floor<seconds>(local).time_since_epoch());
  const date::local_info info = zone->get_info(local_s);
  // In a gap as in an overlap, the offset from before the change gives what read() promises.
  const seconds offset = info.first.offset;
  if (info.result == date::local_info::unique) {
    // No change of offset reaches further than a day to either side of the instant it happens at.
    constexpr std::chrono::days margin(1);
    span = {.zone = zone,
            .local_from = info.first.begin + offset + margin,
            .local_until = info.first.end + offset - margin,
            .offset = offset};
  }
  return local - offset;
}

}  // namespace

Result<TimeReader> TimeReader::make(const TimeFormat& format) {
  TimeReader reader;
  reader.format_ = format.format;
  if (const auto unknown = append_fields(format.format, reader.fields_)) {
    return invalid(
        fmt::format("the format \"{}\" has {}, which is not known: use %Y %y %m %b %d %a %H "
                    "%I %p %M %S %f %z %D %F %R %T %%",
                    format.format, *unknown));
  }
  if (const std::string_view fault = fault_of(reader.fields_, !format.zone.empty());
      !fault.empty()) {
    return invalid(fmt::format("the format \"{}\" {}", format.format, fault));
  }
  if (has(reader.fields_, {Kind::fraction})) {
    for (TimeField& field : reader.fields_) {
      if (field.kind == Kind::decimal_second) field.kind = Kind::second;
    }
  }
  if (!format.zone.empty()) {
    try {
      reader.zone_ = date::locate_zone(format.zone);
    } catch (const std::runtime_error&) {
      return invalid(
          fmt::format("the zone \"{}\" is not known: write an IANA name such as "
                      "Europe/London; the package tzdata has them",
                      format.zone));
    }
  }
  return reader;
}

Result<void> check_time_format(const TimeFormat& format) {
  const auto reader = TimeReader::make(format);
  if (!reader) return std::unexpected(reader.error());
  return {};
}

Result<ParsedTime, TimeError> TimeReader::read_local(std::string_view text) const {
  TimeCursor in(text);
  Reading reading;
  for (const TimeField& field : fields_) {
    if (!take_field(in, field, reading)) return std::unexpected(TimeError::syntax);
  }
  if (!in.done()) return std::unexpected(TimeError::syntax);
  if (reading.has_half) {
    int& hour = reading.fields.hour;
    if (hour < 1 || hour > 12) return std::unexpected(TimeError::out_of_range);
    hour = hour % 12 + (reading.afternoon ? 12 : 0);
  }
  const auto local = to_time(reading.fields);
  if (!local) return std::unexpected(local.error());
  return ParsedTime{.time = *local - reading.offset.value_or(minutes(0)),
                    .has_zone = reading.offset.has_value()};
}

Result<WallTime, TimeError> TimeReader::read(std::string_view text, ZoneSpan& span) const {
  const auto parsed = read_local(text);
  if (!parsed) return std::unexpected(parsed.error());
  const bool is_utc = parsed->has_zone || zone_ == nullptr;
  return in_range(is_utc ? parsed->time : to_utc(zone_, parsed->time, span));
}

}  // namespace sluice::mapping
