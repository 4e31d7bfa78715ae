#include "plan.hpp"

#include <cmath>

#include <sluice/base/assert.hpp>

namespace sluice::load {
namespace {

// Uniform in (0, 1].
double uniform(Rng& rng) { return static_cast<double>((rng() >> 11) + 1) * 0x1p-53; }

}  // namespace

Plan::Plan(const Options& options)
    : options_(options), rng_(options.seed ^ (options.worker << 32)) {
  SLUICE_ASSERT(options.worker < options.workers);
  if (options.requests) {
    const std::uint64_t remainder = *options.requests % options.workers;
    left_ = *options.requests / options.workers + (options.worker < remainder ? 1 : 0);
  }
  if (open_loop() && options.poisson) {
    advance();
  } else if (open_loop()) {
    next_s_ = static_cast<double>(options.worker) / options.rate_per_s;
  }
}

std::optional<MonoTime> Plan::take(MonoTime now) {
  std::optional<MonoTime> due = next_due();
  if (!due || *due > now || exhausted(now)) {
    return {};
  }
  if (open_loop()) {
    advance();
  } else {
    due = now;
  }
  ++taken_;
  if (left_) {
    --*left_;
  }
  return due;
}

std::optional<MonoTime> Plan::next_due() const {
  if (left_ == std::uint64_t{0}) {
    return {};
  }
  const MonoTime due = options_.start + std::chrono::duration_cast<std::chrono::nanoseconds>(
                                            std::chrono::duration<double>(next_s_));
  return options_.end && due >= *options_.end ? std::optional<MonoTime>{} : due;
}

bool Plan::exhausted(MonoTime now) const {
  return !next_due() || (!open_loop() && options_.end && now >= *options_.end);
}

std::uint64_t Plan::abandon(MonoTime now) {
  std::uint64_t due = open_loop() ? 0 : left_.value_or(0);
  while (open_loop() && take(now)) {
    ++due;
  }
  left_ = 0;
  return due;
}

void Plan::advance() {
  const auto workers = static_cast<double>(options_.workers);
  if (options_.poisson) {
    next_s_ -= std::log(uniform(rng_)) * workers / options_.rate_per_s;
  } else {
    // Computed afresh: summed up, the gaps would drift.
    next_s_ = (static_cast<double>(options_.worker) + static_cast<double>(taken_ + 1) * workers) /
              options_.rate_per_s;
  }
}

}  // namespace sluice::load
