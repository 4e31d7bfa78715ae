// The pieces of a written time, for the reader of ISO 8601 and for the one of configured formats.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

#include <sluice/base/ascii.hpp>
#include <sluice/base/clock.hpp>
#include <sluice/base/result.hpp>
#include <sluice/normalise/time.hpp>

namespace sluice {

// Date and time of day as read, not validated.
struct TimeFields {
  int year = 0;
  int month = 1;
  int day = 1;
  int hour = 0;
  int minute = 0;
  int second = 0;  // 60: a leap second
  int ms = 0;
};

// The instant that has these fields in UTC, or out_of_range when there is no such date or time.
[[nodiscard]] Result<WallTime, TimeError> to_time(const TimeFields& fields);
// Refuses an instant outside the years 1970 to 9999.
[[nodiscard]] Result<WallTime, TimeError> in_range(WallTime time);

// A place in a text that is consumed from the left. Whatever answers false leaves the place
// undefined.
class TimeCursor {
 public:
  explicit TimeCursor(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool done() const { return rest_.empty(); }
  [[nodiscard]] std::string_view rest() const { return rest_; }
  [[nodiscard]] bool at_digit() const { return !rest_.empty() && is_digit(rest_.front()); }
  void skip(std::size_t count) { rest_.remove_prefix(count); }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // Reads as many digits as there are, `count_max` at most (nine or fewer).
  bool number(std::size_t count_min, std::size_t count_max, int& value) {
    std::size_t count = 0;
    value = 0;
    for (; count < count_max && count < rest_.size() && is_digit(rest_[count]); ++count) {
      value = value * 10 + (rest_[count] - '0');
    }
    rest_.remove_prefix(count);
    return count >= count_min;
  }
  // Reads the digits after a decimal mark, at least one.
  bool fraction(int& ms);
  // Reads `Z`, `+01`, `+0100` or `+01:00`.
  bool offset(std::chrono::minutes& offset);

 private:
  std::string_view rest_;
};

}  // namespace sluice
