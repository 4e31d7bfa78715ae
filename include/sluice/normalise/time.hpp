// Times as text: what producers write is read in all its usual forms, what goes upstream is written
// in one. Pure functions, without allocation, for the event path; thread-safe.
//
// The instants that exist for Sluice are those of the years 1970 to 9999.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <sluice/base/clock.hpp>
#include <sluice/base/result.hpp>

namespace sluice {

enum class TimeError : std::uint8_t {
  syntax,        // not in a form that is known
  out_of_range,  // the form is right, the date or time does not exist, or lies outside 1970 to 9999
};

struct ParsedTime {
  WallTime time;              // in UTC; without a zone: the local time, as if it were in UTC
  bool has_zone = false;      // `Z` or an offset was there, or the text was an epoch
  bool is_canonical = false;  // the text is what format_time() writes
  bool has_three_digit_seconds = false;  // `:000`, as in an example of the vendor's
};

// Reads ISO 8601 as it occurs in the wild, or an epoch (see parse_epoch) when `text` is a plain
// number:
//   2010-12-01T08:26:00.123456Z   2010-12-01 08:26 +01:00   2010-12-01t08:26:00,5-0530
//   20101201T082600+01
// The date and the time are there, seconds may be left out; what is finer than a millisecond is cut
// off. Seconds of `000` are 0. A second of 60 (a leap second) is the last millisecond of its
// minute, as no later stage knows it.
[[nodiscard]] Result<ParsedTime, TimeError> parse_time(std::string_view text);

// Reads the time since 1970-01-01T00:00:00Z, an integer or a decimal without sign and exponent. The
// size tells the unit: below 1e11 seconds (until the year 5138), below 1e14 milliseconds, below
// 1e17 microseconds, from there nanoseconds. Instants before March 1973 are therefore taken in
// seconds only.
[[nodiscard]] Result<WallTime, TimeError> parse_epoch(std::string_view number_text);

inline constexpr std::size_t time_text_size = 24;

// Writes `2010-12-01T08:26:00.000Z` to out[0, time_text_size), with no terminating zero, and
// returns the end. What is outside the years 1970 to 9999 is written as the nearest time inside.
char* format_time(WallTime time, char* out);

}  // namespace sluice
