#include <algorithm>

#include <sluice/base/assert.hpp>
#include <sluice/buffer/admission.hpp>

namespace sluice::buffer {

Admission::Admission(const Limits& limits) : shares_(limits.producers) { set_limits(limits); }

void Admission::set_limits(const Limits& limits) {
  SLUICE_ASSERT(limits.low_watermark > 0 && limits.low_watermark < limits.high_watermark &&
                limits.high_watermark <= 1);
  bytes_max_.store(limits.bytes_max, relaxed);
  events_max_.store(limits.events_max, relaxed);
  high_watermark_.store(limits.high_watermark, relaxed);
  low_watermark_.store(limits.low_watermark, relaxed);
  producer_share_.store(limits.producer_share, relaxed);
}

bool Admission::try_admit(std::uint64_t events, std::uint64_t bytes, std::size_t producer) {
  if (!try_admit_to_share(bytes, producer)) {
    return false;
  }
  const std::uint64_t events_before = events_.fetch_add(events, std::memory_order_relaxed);
  const std::uint64_t bytes_before = bytes_.fetch_add(bytes, std::memory_order_relaxed);
  if (events_before == 0) {
    closed_.store(false, std::memory_order_relaxed);
    return true;
  }
  if (closed_.load(std::memory_order_relaxed) &&
      level(events_before, bytes_before) < low_watermark()) {
    closed_.store(false, std::memory_order_relaxed);
  }
  if (!closed_.load(std::memory_order_relaxed) &&
      level(events_before + events, bytes_before + bytes) <= high_watermark()) {
    return true;
  }
  closed_.store(true, std::memory_order_relaxed);
  release_events(events);
  release_bytes(bytes, producer);
  return false;
}

bool Admission::try_admit_to_share(std::uint64_t bytes, std::size_t producer) {
  if (producer == 0) {
    return true;
  }
  Share& share = shares_[producer - 1];
  const std::uint64_t before = share.bytes.fetch_add(bytes, relaxed);
  const bool was_closed = share.closed.load(relaxed);
  const bool stays_closed =
      was_closed && static_cast<double>(before) >= share_bytes(low_watermark());
  const bool fits =
      !stays_closed && static_cast<double>(before + bytes) <= share_bytes(high_watermark());
  if (before == 0 || bytes_max() == 0 || fits) {
    if (was_closed) {
      share.closed.store(false, relaxed);
    }
    return true;
  }
  share.closed.store(true, relaxed);
  share.bytes.fetch_sub(bytes, relaxed);
  return false;
}

double Admission::share_bytes(double watermark) const {
  return producer_share_.load(relaxed) * watermark * static_cast<double>(bytes_max());
}

void Admission::release_events(std::uint64_t events) {
  const std::uint64_t before = events_.fetch_sub(events, std::memory_order_relaxed);
  SLUICE_ASSERT(before >= events);
}

void Admission::release_bytes(std::uint64_t bytes, std::size_t producer) {
  const std::uint64_t before = bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  SLUICE_ASSERT(before >= bytes);
  if (producer != 0) {
    const std::uint64_t held = shares_[producer - 1].bytes.fetch_sub(bytes, relaxed);
    SLUICE_ASSERT(held >= bytes);
  }
}

bool Admission::must_refuse(std::size_t producer) const {
  if (closed_.load(relaxed) && level(events(), bytes()) >= low_watermark()) {
    return true;
  }
  if (producer == 0 || bytes_max() == 0) {
    return false;
  }
  const Share& share = shares_[producer - 1];
  return share.closed.load(relaxed) &&
         static_cast<double>(share.bytes.load(relaxed)) >= share_bytes(low_watermark());
}

double Admission::events_to_leave(std::size_t producer) const {
  double share_to_leave = 0;
  if (closed_.load(relaxed)) {
    share_to_leave = 1 - low_watermark() / std::max(level(events(), bytes()), low_watermark());
  }
  if (producer != 0 && shares_[producer - 1].closed.load(relaxed)) {
    const double low = share_bytes(low_watermark());
    const auto held = static_cast<double>(shares_[producer - 1].bytes.load(relaxed));
    share_to_leave = std::max(share_to_leave, held > low ? 1 - low / held : 0);
  }
  return share_to_leave * static_cast<double>(events());
}

double Admission::pressure() const {
  return std::min(1.0, level(events(), bytes()) / high_watermark());
}

double Admission::level(std::uint64_t events, std::uint64_t bytes) const {
  const auto share = [](std::uint64_t value, std::uint64_t limit) {
    return limit == 0 ? 0.0 : static_cast<double>(value) / static_cast<double>(limit);
  };
  return std::max(share(events, events_max()), share(bytes, bytes_max()));
}

}  // namespace sluice::buffer
