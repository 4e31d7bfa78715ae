// The cells in which things are counted: written by one thread without contention, read by any.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::metrics {

// A counter with one writer: a plain load and store, no locked instruction. Readers see a recent
// value.
class Counter {
 public:
  void add(std::uint64_t amount = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// A value with one writer that goes up and down.
class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  [[nodiscard]] double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// What a histogram holds at one moment: counts per bucket (not cumulative; the last is above all
// bounds).
struct HistogramSnapshot {
  std::vector<double> bounds;
  std::vector<std::uint64_t> counts;
  double sum = 0;

  // Adds what another thread's histogram of the same bounds holds.
  void add(const HistogramSnapshot& other);
};

// Appends `,"name":{"bounds":[…],"counts":[…]}`.
void append_json(std::string& out, std::string_view name, const HistogramSnapshot& value);

// A histogram with one writer and fixed upper bounds, ascending, in the metric's unit.
template <std::size_t bound_count>
class Histogram {
 public:
  explicit constexpr Histogram(const std::array<double, bound_count>& bounds) : bounds_(bounds) {}

  void observe(double value, std::uint64_t times = 1) {
    const auto bucket = static_cast<std::size_t>(
        std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin());
    counts_[bucket].add(times);
    sum_.set(sum_.value() + value * static_cast<double>(times));
  }
  void observe(std::chrono::nanoseconds duration, std::uint64_t times = 1) {
    observe(std::chrono::duration<double>(duration).count(), times);
  }
  [[nodiscard]] HistogramSnapshot snapshot() const {
    HistogramSnapshot out{
        .bounds = {bounds_.begin(), bounds_.end()}, .counts = {}, .sum = sum_.value()};
    for (const Counter& count : counts_) {
      out.counts.push_back(count.value());
    }
    return out;
  }

 private:
  std::array<double, bound_count> bounds_;
  std::array<Counter, bound_count + 1> counts_;
  Gauge sum_;
};

// Seconds, from what an accept takes to what an outage takes.
inline constexpr std::array<double, 14> accept_seconds{50e-6,  100e-6, 250e-6, 500e-6, 1e-3,
                                                       2.5e-3, 5e-3,   10e-3,  25e-3,  50e-3,
                                                       100e-3, 250e-3, 1.0,    5.0};
inline constexpr std::array<double, 14> delivery_seconds{
    1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1.0, 2.5, 5.0, 10.0, 30.0};
inline constexpr std::array<double, 14> end_to_end_seconds{5e-3,   10e-3,  25e-3,  50e-3,  100e-3,
                                                           250e-3, 500e-3, 1.0,    2.5,    10.0,
                                                           60.0,   600.0,  3600.0, 86400.0};
inline constexpr std::array<double, 10> batch_event_counts{1,   5,   10,  25,  50,
                                                           100, 250, 500, 750, 1000};
inline constexpr std::array<double, 10> batch_byte_counts{1e3,   5e3,   10e3,  25e3,  50e3,
                                                          100e3, 250e3, 500e3, 750e3, 1e6};

}  // namespace sluice::metrics
