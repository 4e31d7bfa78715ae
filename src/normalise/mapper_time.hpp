// Reads times in a configured strptime-like format and zone.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <date/tz.h>

#include <sluice/base/clock.hpp>
#include <sluice/base/result.hpp>
#include <sluice/normalise/mapping_spec.hpp>
#include <sluice/normalise/time.hpp>

namespace sluice::mapping {

// The offset that was looked up last, and the local times for which it holds without doubt: events
// come in the order of time, so that a zone's table is searched twice a year instead of once per
// event.
struct ZoneSpan {
  const date::time_zone* zone = nullptr;
  WallTime local_from;
  WallTime local_until;
  std::chrono::seconds offset{0};
};

// One piece of a format.
struct TimeField {
  enum class Kind : std::uint8_t {
    year,             // %Y
    year_in_century,  // %y: 69 to 99 are 1969 to 1999, as in POSIX
    month,            // %m
    month_name,       // %b %B %h: English, short or in full
    weekday_name,     // %a %A: likewise, read and ignored
    day,              // %d %e
    hour,             // %H
    hour_of_half,     // %I
    half,             // %p
    minute,           // %M
    second,           // %S in a format that has %f
    decimal_second,   // %S elsewhere: takes a fraction as well
    fraction,         // %f
    offset,           // %z
    space,            // white space, any or none
    literal,
  };
  Kind kind{};
  char character = '\0';  // of a literal
};

// A compiled TimeFormat; immutable.
class TimeReader {
 public:
  // Fails with a message that says what is wrong with the format or the zone.
  [[nodiscard]] static Result<TimeReader> make(const TimeFormat& format);

  // A local time that occurs twice (clocks go back) is the earlier of the two; one that never
  // occurs (clocks go forward) is shifted by the gap, which is what the clock on the wall then
  // shows.
  [[nodiscard]] Result<WallTime, TimeError> read(std::string_view text, ZoneSpan& span) const;
  [[nodiscard]] const std::string& format() const { return format_; }

 private:
  [[nodiscard]] Result<ParsedTime, TimeError> read_local(std::string_view text) const;

  std::string format_;
  std::vector<TimeField> fields_;
  const date::time_zone* zone_ = nullptr;  // null: UTC; the database lives for the whole process
};

}  // namespace sluice::mapping
