// When the files of a workspace have so much in them that was released that it is worth while to
// give space back. Files go for good: not before the releases are on stable storage, or a machine
// that dies would find neither the groups nor that they were released.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>

#include "codec.hpp"

namespace sluice::store {

class Reclaim {
 public:
  struct Job {
    Ticket to = 0;  // 0: nothing to do
    bool thoroughly = false;
  };

  // Whole files go as soon as `bytes_min` were released. Once a backlog of twice as much has
  // drained, the rest goes too.
  Reclaim(std::uint64_t bytes_min, std::uint64_t backlog_bytes)
      : bytes_min_(bytes_min), backlog_bytes_peak_(backlog_bytes) {}

  // The commit thread: where a workspace stands once the batch is written. Whether there is
  // something to do when that is on stable storage.
  bool update(const Position& low, const Position& next) {
    const std::uint64_t backlog_bytes = next.before.minus(low.before).payload_bytes;
    backlog_bytes_peak_ = std::max(backlog_bytes_peak_, backlog_bytes);
    const bool drained = low.ticket == next.ticket && backlog_bytes_peak_ >= 2 * bytes_min_;
    if (drained || low.before.payload_bytes - released_bytes_ >= bytes_min_) {
      released_bytes_ = low.before.payload_bytes;
      next_.to = low.ticket;
      next_.thoroughly = next_.thoroughly || drained;
      backlog_bytes_peak_ = drained ? 0 : backlog_bytes_peak_;
    }
    return next_.to != 0;
  }
  // The commit thread: what update() has seen is on stable storage. Whether there is something to
  // do for the read thread.
  bool synced() {
    const Job job = std::exchange(next_, {});
    if (job.to == 0) {
      return false;
    }
    if (job.thoroughly) {
      thoroughly_.store(true, std::memory_order_relaxed);
    }
    to_.store(job.to, std::memory_order_release);
    return true;
  }

  // The read thread.
  [[nodiscard]] Job take() {
    const Ticket to = to_.exchange(0, std::memory_order_acquire);
    return {.to = to,
            .thoroughly = to != 0 && thoroughly_.exchange(false, std::memory_order_relaxed)};
  }

 private:
  const std::uint64_t bytes_min_;
  std::uint64_t backlog_bytes_peak_;
  std::uint64_t released_bytes_ = 0;  // when it was last worth while
  Job next_;                          // not on stable storage yet
  std::atomic<Ticket> to_{0};         // pairs with take(): who sees it sees thoroughly_
  std::atomic<bool> thoroughly_{false};
};

}  // namespace sluice::store
