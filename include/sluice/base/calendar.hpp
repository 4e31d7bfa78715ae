// The bounds within which what a clock shows can be worked with.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>

#include <sluice/base/clock.hpp>

namespace sluice {

// The times that have a text form: those of the years 1970 to 9999.
inline constexpr WallTime wall_time_min{};
inline constexpr WallTime wall_time_max =
    WallTime(std::chrono::sys_days(std::chrono::year(10'000) / std::chrono::January / 1)) -
    std::chrono::milliseconds(1);

// A clock may show anything: what has no text form is the nearest time that has one.
[[nodiscard]] constexpr WallTime in_calendar(WallTime time) {
  return std::clamp(time, wall_time_min, wall_time_max);
}

// Of a clock that nothing has been held against yet, in the place of milliseconds.
inline constexpr std::int64_t clock_skew_unknown = std::numeric_limits<std::int64_t>::min();

// A clock that shows an earlier time than this is wrong: this version was written later. Goes with
// the releases.
inline constexpr WallTime clock_not_before =
    std::chrono::sys_days(std::chrono::year(2026) / std::chrono::November / 1);

// How old something is, by two readings of a clock that may have been set in between: never
// negative, and little enough to be counted in nanoseconds.
[[nodiscard]] constexpr std::chrono::milliseconds age_at(WallTime now, WallTime then) {
  constexpr std::chrono::milliseconds age_max = std::chrono::years(100);
  return std::clamp(in_calendar(now) - in_calendar(then), std::chrono::milliseconds(0), age_max);
}

}  // namespace sluice
