// How much of an ingest thread's time each producer's bodies take. One that takes more than its
// share while others come as well has its bodies read where the large ones are: many that are
// small hold up a thread like a large one.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <sluice/base/clock.hpp>

namespace sluice::ingest {

// Of one thread. A share is kept as a rate is (RateLimit): by when the producer's time will have
// been its share of all time.
class Shares {
 public:
  // One part in so many is a producer's.
  static constexpr int parts = 4;
  // So much it may take at once.
  static constexpr std::chrono::milliseconds burst{2};
  // Another producer's request is remembered so long.
  static constexpr std::chrono::seconds memory{1};

  // A request of the producer (0: nobody's in particular) has come.
  void note(std::uint32_t producer, MonoTime now) {
    if (last_ != producer) {
      contended_until_ = last_ ? now + memory : contended_until_;
      last_ = producer;
    }
  }
  // Whether the producer has had its share, and others come as well.
  [[nodiscard]] bool is_used_up(std::uint32_t producer, MonoTime now) const {
    return now < contended_until_ && producer < taken_.size() &&
           taken_[producer].paid_at > now + parts * burst;
  }
  // Whether what it was charged for last was in vain.
  [[nodiscard]] bool was_in_vain(std::uint32_t producer) const {
    return producer < taken_.size() && taken_[producer].was_in_vain;
  }
  // It has had this time, until now.
  void charge(std::uint32_t producer, std::chrono::nanoseconds time, MonoTime now, bool in_vain) {
    if (producer >= taken_.size()) {
      taken_.resize(producer + 1);
    }
    Taken& taken = taken_[producer];
    taken.paid_at = std::max(taken.paid_at, now - time) + parts * time;
    taken.was_in_vain = in_vain;
  }

 private:
  struct Taken {
    MonoTime paid_at{};
    bool was_in_vain = false;
  };

  std::vector<Taken> taken_;  // by producer
  std::optional<std::uint32_t> last_;
  MonoTime contended_until_{};
};

}  // namespace sluice::ingest
