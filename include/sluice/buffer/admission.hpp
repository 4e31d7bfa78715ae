// The bound on what a workspace may hold: nothing is acknowledged before it was admitted here.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sluice::buffer {

// Above the high watermark everything is refused until the level has fallen below the low one, so
// that a full buffer does not flap. Thread-safe; all values are of one moment each, not of one
// moment together.
class Admission {
 public:
  struct Limits {
    std::uint64_t bytes_max = 0;   // 0: no limit of this kind
    std::uint64_t events_max = 0;  // likewise
    double high_watermark = 0.95;  // shares of the limits
    double low_watermark = 0.80;
    // Of the bytes below the high watermark, the share that one producer may hold, so that it
    // cannot fill the buffer for the others. One that was refused for it is refused until it holds
    // less than this share of the bytes below the low watermark.
    double producer_share = 1;
    std::size_t producers = 0;  // that are told apart: from 1; 0 stands for all others
  };

  explicit Admission(const Limits& limits);

  // Other limits from now on; how many producers are told apart stays as it was. What was admitted
  // stays, even if it is more than the new limits allow.
  void set_limits(const Limits& limits);

  // Takes so much out of the budget, or nothing. An empty buffer takes whatever comes, and so it is
  // with a producer of whom it holds nothing and its share: no configuration can refuse a request
  // for ever.
  [[nodiscard]] bool try_admit(std::uint64_t events, std::uint64_t bytes, std::size_t producer = 0);
  // Gives back what was admitted.
  void release_events(std::uint64_t events);
  void release_bytes(std::uint64_t bytes, std::size_t producer = 0);

  [[nodiscard]] std::uint64_t events() const { return events_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] double low_watermark() const { return low_watermark_.load(relaxed); }
  [[nodiscard]] double high_watermark() const { return high_watermark_.load(relaxed); }
  [[nodiscard]] std::uint64_t bytes_max() const { return bytes_max_.load(relaxed); }
  [[nodiscard]] std::uint64_t events_max() const { return events_max_.load(relaxed); }
  // How near the high watermark is: 0 is empty, 1 is at it or above.
  [[nodiscard]] double pressure() const;
  // About how many events have to leave before the next try_admit() takes something in again, if
  // they are of one size and everyone's leave alike; 0 if it would now.
  [[nodiscard]] double events_to_leave(std::size_t producer = 0) const;
  // Whether the next try_admit() would refuse whatever it is asked: lets a request be refused
  // before its body is read.
  [[nodiscard]] bool must_refuse(std::size_t producer = 0) const;

 private:
  // What the buffer holds of one producer.
  struct Share {
    std::atomic<std::uint64_t> bytes{0};
    std::atomic<bool> closed{false};  // as closed_, for this producer alone
  };

  // The larger of the two levels, as a share of its limit.
  [[nodiscard]] double level(std::uint64_t events, std::uint64_t bytes) const;
  [[nodiscard]] bool try_admit_to_share(std::uint64_t bytes, std::size_t producer);
  // What a producer may hold below one of the watermarks.
  [[nodiscard]] double share_bytes(double watermark) const;

  static constexpr auto relaxed = std::memory_order_relaxed;

  // Relaxed throughout: these only count and limit, and order no other memory.
  std::atomic<std::uint64_t> bytes_max_;
  std::atomic<std::uint64_t> events_max_;
  std::atomic<double> high_watermark_;
  std::atomic<double> low_watermark_;
  std::atomic<double> producer_share_;
  alignas(64) std::atomic<std::uint64_t> events_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<bool> closed_{false};
  std::vector<Share> shares_;  // of the producers that are told apart
};

}  // namespace sluice::buffer
