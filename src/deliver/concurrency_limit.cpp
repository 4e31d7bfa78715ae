#include <algorithm>

#include <sluice/base/assert.hpp>
#include <sluice/deliver/concurrency_limit.hpp>

namespace sluice::deliver {
namespace {

// Latency varies with the size of a batch alone; only what is far outside of that is congestion.
constexpr double slow_factor = 4;
constexpr double slow_margin_ns = 50e6;
// A few slow answers are noise: the average of about sixteen counts; of fewer while one request at
// a time is measured.
constexpr double smoothing = 1.0 / 16;
constexpr double smoothing_alone = 1.0 / 4;
constexpr unsigned answers_alone = 8;

}  // namespace

ConcurrencyLimit::ConcurrencyLimit(unsigned max)
    : max_(static_cast<double>(max)), slow_start_until_(max_) {
  SLUICE_ASSERT(max > 0);
}

double ConcurrencyLimit::soon() const { return std::max(limit_, slow_start_until_); }

std::chrono::nanoseconds ConcurrencyLimit::latency() const {
  return std::chrono::nanoseconds(static_cast<std::chrono::nanoseconds::rep>(smoothed_latency_ns_));
}

void ConcurrencyLimit::on_accepted(std::chrono::nanoseconds latency, unsigned in_flight,
                                   MonoTime sent_at, MonoTime now) {
  const auto latency_ns = static_cast<double>(latency.count());
  if (best_latency_ns_ == 0) {
    best_latency_ns_ = smoothed_latency_ns_ = latency_ns;
  }
  const bool was_alone = limit_ < 2 && sent_at >= cut_at_;
  smoothed_latency_ns_ +=
      (latency_ns - smoothed_latency_ns_) * (was_alone ? smoothing_alone : smoothing);
  best_latency_ns_ =
      was_alone ? smoothed_latency_ns_ : std::min(best_latency_ns_, smoothed_latency_ns_);
  if (is_slow()) {
    on_congested(sent_at, now);
    to_measure_ = limit_ < 2 ? answers_alone : 0;
    return;
  }
  if (was_alone && to_measure_ > 0) {
    --to_measure_;
    return;
  }
  // Half of it counts as used: answers that come together are looked at one after the other.
  if (2 * in_flight >= limit()) {
    limit_ = std::min(max_, limit_ + (limit_ < slow_start_until_ ? 1 : 1 / limit_));
  }
}

void ConcurrencyLimit::on_congested(MonoTime sent_at, MonoTime now) {
  if (sent_at < cut_at_) {
    return;
  }
  cut_at_ = now;
  limit_ = std::max(1.0, limit_ / 2);
  slow_start_until_ = limit_;
}

void ConcurrencyLimit::restart() {
  limit_ = 1;
  slow_start_until_ = max_;
  best_latency_ns_ = smoothed_latency_ns_ = 0;
  to_measure_ = 0;
}

bool ConcurrencyLimit::is_slow() const {
  return smoothed_latency_ns_ > slow_factor * best_latency_ns_ + slow_margin_ns;
}

}  // namespace sluice::deliver
