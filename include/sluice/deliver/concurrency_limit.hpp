// How many requests of a workspace may be in flight: found by trying, as TCP finds its window
// (additive increase, multiplicative decrease: RFC 5681), with latency as a signal beside refusals
// (the gradient against the best latency seen, as in TCP Vegas and Netflix's concurrency-limits).
//
// It starts at one and doubles each round trip (slow start) up to where it was last cut back, then
// grows by one per round trip; only while it is what holds sending back, because an unused limit
// proves nothing. It halves at most once per round trip: the answers to what was in flight before a
// cut say nothing about after it.
//
// Latency is judged by averages, the present one against the best: single answers of an upstream
// may differ by far without any congestion. Where one request at a time is slow too, it is not our
// requests that make it slow: that latency is the new measure. Not thread-safe; reads no clock.
#pragma once

#include <chrono>

#include <sluice/base/clock.hpp>

namespace sluice::deliver {

class ConcurrencyLimit {
 public:
  explicit ConcurrencyLimit(unsigned max);

  // From 1 to the maximum.
  [[nodiscard]] unsigned limit() const { return static_cast<unsigned>(limit_); }

  // Where it will be in some round trips, if it is used: it doubles with each up to there.
  [[nodiscard]] double soon() const;
  // Of a request that is accepted, on average; 0: none was yet.
  [[nodiscard]] std::chrono::nanoseconds latency() const;

  // A request was accepted. `in_flight` counts it.
  void on_accepted(std::chrono::nanoseconds latency, unsigned in_flight, MonoTime sent_at,
                   MonoTime now);
  // A request was throttled, timed out or failed.
  void on_congested(MonoTime sent_at, MonoTime now);
  // After an outage: begins at one again, and measures latency anew.
  void restart();

 private:
  [[nodiscard]] bool is_slow() const;

  double max_;
  double limit_ = 1;
  double slow_start_until_;
  double best_latency_ns_ = 0;  // of the averages; 0: none measured yet
  double smoothed_latency_ns_ = 0;
  unsigned to_measure_ = 0;  // answers to requests that are alone, before the limit grows again
  MonoTime cut_at_ = MonoTime::min();
};

}  // namespace sluice::deliver
