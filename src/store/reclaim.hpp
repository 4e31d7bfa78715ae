// When the files of a workspace have so much in them that was released that it is worth while to
// give space back.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "codec.hpp"

namespace sluice::store {

class Reclaim {
 public:
  // Whole files go as soon as this much was released.
  static constexpr std::uint64_t files_bytes_min = 32U << 20;
  // Once a backlog of this much has drained, the rest goes too.
  static constexpr std::uint64_t backlog_bytes_min = 64U << 20;

  explicit Reclaim(std::uint64_t backlog_bytes) : backlog_bytes_peak_(backlog_bytes) {}

  // The commit thread: where a workspace stands. Whether there is something to do for the read
  // thread.
  bool update(const Position& low, const Position& next) {
    const std::uint64_t backlog_bytes = next.before.minus(low.before).payload_bytes;
    backlog_bytes_peak_ = std::max(backlog_bytes_peak_, backlog_bytes);
    const bool drained = low.ticket == next.ticket && backlog_bytes_peak_ >= backlog_bytes_min;
    if (!drained && low.before.payload_bytes - released_bytes_ < files_bytes_min) {
      return false;
    }
    released_bytes_ = low.before.payload_bytes;
    if (drained) {
      backlog_bytes_peak_ = 0;
      thoroughly_.store(true, std::memory_order_relaxed);
    }
    to_.store(low.ticket, std::memory_order_release);
    return true;
  }

  struct Job {
    Ticket to = 0;  // 0: nothing to do
    bool thoroughly = false;
  };
  // The read thread.
  [[nodiscard]] Job take() {
    const Ticket to = to_.exchange(0, std::memory_order_acquire);
    return {.to = to,
            .thoroughly = to != 0 && thoroughly_.exchange(false, std::memory_order_relaxed)};
  }

 private:
  std::uint64_t backlog_bytes_peak_;
  std::uint64_t released_bytes_ = 0;  // when it was last worth while
  std::atomic<Ticket> to_{0};         // pairs with take(): who sees it sees thoroughly_
  std::atomic<bool> thoroughly_{false};
};

}  // namespace sluice::store
