// The zone in which a time is read that does not say its own.
#pragma once

#include <string>

#include <sluice/base/clock.hpp>
#include <sluice/base/result.hpp>

namespace date {
class time_zone;  // NOLINT(readability-identifier-naming): the library's name
}

namespace sluice::normalise {

// A zone of the IANA database, which lives for the whole process; UTC unless it was found by name.
// Immutable, cheap to copy, thread-safe.
class TimeZone {
 public:
  // Fails with errc::invalid_argument and what to write instead.
  [[nodiscard]] static Result<TimeZone> find(const std::string& name);
  // A local time that occurs twice (clocks go back) is the earlier of the two; one that never
  // occurs (clocks go forward) is shifted by the gap.
  [[nodiscard]] WallTime to_utc(WallTime local) const;

 private:
  const date::time_zone* zone_ = nullptr;  // null: UTC
};

}  // namespace sluice::normalise
