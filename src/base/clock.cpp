#include <algorithm>
#include <cstdint>
#include <ctime>

#include <sluice/base/calendar.hpp>
#include <sluice/base/clock.hpp>

namespace sluice {
namespace {

constexpr std::int64_t seconds_max =
    std::chrono::ceil<std::chrono::seconds>(wall_time_max.time_since_epoch()).count();

class SystemClock final : public Clock {
 public:
  [[nodiscard]] WallTime wall_now() const override {
    // Not by std::chrono::system_clock, whose nanoseconds end in the year 2262.
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const auto seconds = std::clamp<std::int64_t>(now.tv_sec, -1, seconds_max);
    return in_calendar(WallTime(std::chrono::seconds(seconds) +
                                std::chrono::milliseconds(now.tv_nsec / 1'000'000)));
  }
  [[nodiscard]] MonoTime mono_now() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

}  // namespace sluice
