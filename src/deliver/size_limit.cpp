#include <algorithm>

#include <sluice/base/assert.hpp>
#include <sluice/deliver/size_limit.hpp>

namespace sluice::deliver {

SizeLimit::SizeLimit(const batch::Limits& configured, std::chrono::nanoseconds memory)
    : configured_(configured), current_(configured), memory_(memory) {
  SLUICE_ASSERT(configured_.events_max > 0);
  SLUICE_ASSERT(configured_.bytes_max > 0);
}

const batch::Limits& SizeLimit::at(MonoTime now) {
  if (now >= relax_at_) {
    current_.events_max = std::min(configured_.events_max, 2 * current_.events_max);
    current_.bytes_max = std::min(configured_.bytes_max, 2 * current_.bytes_max);
    const bool restored = current_.events_max == configured_.events_max &&
                          current_.bytes_max == configured_.bytes_max;
    relax_at_ = restored ? MonoTime::max() : now + memory_;
  }
  return current_;
}

void SizeLimit::on_too_large(std::size_t events, std::size_t bytes, MonoTime now) {
  SLUICE_ASSERT(events > 1);
  const bool by_events = events * configured_.bytes_max >= bytes * configured_.events_max;
  if (by_events) {
    current_.events_max = std::min(current_.events_max, events / 2);
  } else {
    current_.bytes_max = std::min(current_.bytes_max, bytes / 2);
  }
  relax_at_ = now + memory_;
}

void SizeLimit::adopt(const SizeLimit& copy) {
  current_.events_max = std::min(current_.events_max, copy.current_.events_max);
  current_.bytes_max = std::min(current_.bytes_max, copy.current_.bytes_max);
  relax_at_ = copy.relax_at_;
}

}  // namespace sluice::deliver
