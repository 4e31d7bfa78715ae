#include "histogram.hpp"

#include <algorithm>
#include <cmath>

#include <sluice/base/assert.hpp>

namespace sluice::load {

using std::chrono::nanoseconds;

void Histogram::merge(const Histogram& other) {
  for (std::size_t i = 0; i < bucket_count; ++i) {
    counts_[i] += other.counts_[i];
  }
  count_ += other.count_;
  sum_ns_ += other.sum_ns_;
  max_ns_ = std::max(max_ns_, other.max_ns_);
}

nanoseconds Histogram::max() const { return nanoseconds(static_cast<std::int64_t>(max_ns_)); }

nanoseconds Histogram::mean() const {
  return count_ == 0
             ? nanoseconds{0}
             : nanoseconds(static_cast<std::int64_t>(sum_ns_ / static_cast<double>(count_)));
}

nanoseconds Histogram::quantile(double share) const {
  SLUICE_ASSERT(share >= 0 && share <= 1);
  const auto rank = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < bucket_count; ++i) {
    seen += counts_[i];
    if (seen >= rank && seen > 0) {
      return nanoseconds(static_cast<std::int64_t>(std::min(last_of(i), max_ns_)));
    }
  }
  return nanoseconds{0};
}

std::uint64_t Histogram::last_of(std::size_t bucket) {
  constexpr std::size_t octave = std::size_t{1} << precision_bits;
  if (bucket < 2 * octave) {
    return bucket;
  }
  const std::size_t shift = (bucket >> precision_bits) - 1;
  const std::size_t leading = bucket - (shift << precision_bits);
  return ((static_cast<std::uint64_t>(leading) + 1) << shift) - 1;
}

}  // namespace sluice::load
