// Time, behind a seam: nothing below the runtime reads a clock; it is handed the time or a Clock.
#pragma once

#include <chrono>

namespace sluice {

// Wall-clock time at the precision that the upstream stores (UTC, milliseconds).
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;
// Monotonic time, for deadlines and durations; unaffected by clock steps.
using MonoTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual WallTime wall_now() const = 0;
  [[nodiscard]] virtual MonoTime mono_now() const = 0;
};

// The operating system's clocks. Thread-safe; lives for the whole process.
[[nodiscard]] const Clock& system_clock();

}  // namespace sluice
