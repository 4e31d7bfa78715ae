// How large a batch the upstream takes: what is configured, or less, once it has answered 413.
//
// A 413 does not say whether it was the number of events or their bytes. The one that was the
// nearer to its configured limit is taken to be the cause, and half of what was refused becomes its
// limit; if that was the wrong one, the next 413 tells. It is remembered for a while, then doubled
// step by step, until it is back at what is configured or refused again. Not thread-safe; reads no
// clock.
#pragma once

#include <chrono>
#include <cstddef>

#include <sluice/base/clock.hpp>
#include <sluice/batch/limits.hpp>

namespace sluice::deliver {

class SizeLimit {
 public:
  SizeLimit(const batch::Limits& configured, std::chrono::nanoseconds memory);

  [[nodiscard]] const batch::Limits& at(MonoTime now);
  // A batch of more than one event was refused. The limit is now below its size.
  void on_too_large(std::size_t events, std::size_t bytes, MonoTime now);
  // What a copy has found out holds here too.
  void adopt(const SizeLimit& copy);

 private:
  batch::Limits configured_;
  batch::Limits current_;
  std::chrono::nanoseconds memory_;
  MonoTime relax_at_ = MonoTime::max();
};

}  // namespace sluice::deliver
