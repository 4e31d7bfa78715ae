// When a producer that was refused because the buffer is full should come again: when so much of it
// has left that there is room.
//
// That follows from what delivery can take, as it stands, and not from what has left lately, which
// after a quiet time is nothing. The delivery thread says how it stands; ingest threads ask.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include <sluice/base/clock.hpp>

namespace sluice::deliver {

// What delivery can take.
struct Capacity {
  double requests_per_s = 0;  // once it is under way; more than 0
  MonoTime from;              // when it will be: the next probe of an outage, the end of a hold
};

// What a refused producer is told: whole seconds, and within reason, as the estimate is rough.
inline constexpr std::chrono::seconds retry_after_shortest{1};
inline constexpr std::chrono::seconds retry_after_longest{60};

// How long it takes from now on until so many events have left.
[[nodiscard]] std::chrono::seconds time_to_leave(double events, double events_per_s, MonoTime from,
                                                 MonoTime now);

// Shared by the threads. The two values are of one moment each, not of one moment together.
class Outlook {
 public:
  // The delivery thread.
  void publish(double events_per_s, MonoTime from);
  // Any thread: when to come again if so many events have to leave before there is room.
  [[nodiscard]] std::chrono::seconds retry_after(double events, MonoTime now) const;

 private:
  // Relaxed: they order no other memory.
  std::atomic<double> events_per_s_{1};
  std::atomic<std::int64_t> from_ns_{0};  // of the monotonic clock
};

}  // namespace sluice::deliver
