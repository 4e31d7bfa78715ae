#include <algorithm>
#include <cmath>

#include <sluice/base/assert.hpp>
#include <sluice/deliver/outlook.hpp>

namespace sluice::deliver {

std::chrono::seconds time_to_leave(double events, double events_per_s, MonoTime from,
                                   MonoTime now) {
  SLUICE_ASSERT(events_per_s > 0);
  const std::chrono::duration<double> stalled = std::max(from - now, MonoTime::duration{});
  const double seconds = std::ceil(stalled.count() + events / events_per_s);
  const auto bounded = std::clamp(seconds, static_cast<double>(retry_after_shortest.count()),
                                  static_cast<double>(retry_after_longest.count()));
  return std::chrono::seconds(static_cast<std::chrono::seconds::rep>(bounded));
}

void Outlook::publish(double events_per_s, MonoTime from) {
  events_per_s_.store(events_per_s, std::memory_order_relaxed);
  from_ns_.store(from.time_since_epoch().count(), std::memory_order_relaxed);
}

std::chrono::seconds Outlook::retry_after(double events, MonoTime now) const {
  const MonoTime from{MonoTime::duration(from_ns_.load(std::memory_order_relaxed))};
  return time_to_leave(events, events_per_s_.load(std::memory_order_relaxed), from, now);
}

}  // namespace sluice::deliver
