// Latencies in fixed memory: a log-linear histogram, after the idea of HdrHistogram. Each power of
// two is cut into 128 equal buckets, so that a quantile is at most 1/128 (0.8%) above the true one,
// whatever its size. Not thread-safe: one per thread, merged at the end.
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace sluice::load {

class Histogram {
 public:
  // A negative value counts as zero.
  void record(std::chrono::nanoseconds value) {
    const std::uint64_t ns = value.count() < 0 ? 0 : static_cast<std::uint64_t>(value.count());
    ++counts_[bucket_of(ns)];
    ++count_;
    sum_ns_ += static_cast<double>(ns);
    max_ns_ = ns > max_ns_ ? ns : max_ns_;
  }
  void merge(const Histogram& other);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  // Exact; zero when nothing was recorded, as are the two below.
  [[nodiscard]] std::chrono::nanoseconds max() const;
  [[nodiscard]] std::chrono::nanoseconds mean() const;
  // The value that the given share of all values, in [0, 1], does not exceed; rounded up to its
  // bucket's end, never beyond max().
  [[nodiscard]] std::chrono::nanoseconds quantile(double share) const;

 private:
  static constexpr unsigned precision_bits = 7;
  static constexpr std::size_t bucket_count = (64 - precision_bits + 1) << precision_bits;

  // Values below 2^8 have a bucket each; above, the leading eight bits choose it.
  static std::size_t bucket_of(std::uint64_t ns) {
    const auto width = static_cast<unsigned>(std::bit_width(ns));
    const unsigned shift = width > precision_bits + 1 ? width - precision_bits - 1 : 0;
    return (std::size_t{shift} << precision_bits) + static_cast<std::size_t>(ns >> shift);
  }
  static std::uint64_t last_of(std::size_t bucket);

  std::array<std::uint64_t, bucket_count> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ns_ = 0;
  double sum_ns_ = 0;
};

}  // namespace sluice::load
