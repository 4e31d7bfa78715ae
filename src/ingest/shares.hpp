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

// Of one thread.
class Shares {
 public:
  // A producer's share of each window.
  static constexpr std::chrono::milliseconds window{8};
  static constexpr std::chrono::milliseconds share{2};
  // Another producer's request is remembered so long.
  static constexpr std::chrono::seconds memory{1};

  // A request of the producer (0: nobody's in particular) has come.
  void note(std::uint32_t producer, MonoTime now) {
    if (last_ != producer) {
      contended_until_ = last_ ? now + memory : contended_until_;
      last_ = producer;
    }
  }
  // Whether the producer has had its share of the window, and others come as well.
  [[nodiscard]] bool is_used_up(std::uint32_t producer, MonoTime now) const {
    return now < contended_until_ && producer < uses_.size() &&
           uses_[producer].window == window_of(now) && uses_[producer].time >= share;
  }
  void charge(std::uint32_t producer, std::chrono::nanoseconds time, MonoTime now) {
    uses_.resize(std::max<std::size_t>(uses_.size(), producer + 1));
    Use& use = uses_[producer];
    if (use.window != window_of(now)) {
      use = {.window = window_of(now)};
    }
    use.time += time;
  }

 private:
  struct Use {
    std::int64_t window = -1;
    std::chrono::nanoseconds time{};
  };
  static std::int64_t window_of(MonoTime now) { return now.time_since_epoch() / window; }

  std::vector<Use> uses_;  // by producer
  std::optional<std::uint32_t> last_;
  MonoTime contended_until_{};
};

}  // namespace sluice::ingest
