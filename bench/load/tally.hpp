// What a worker counts, and what all of them counted together.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

#include <sluice/base/clock.hpp>

#include "histogram.hpp"
#include "response_parser.hpp"

namespace sluice::load {

// Why a request that was sent has no answer.
enum class Loss : std::uint8_t {
  cut,        // the connection ended first
  timed_out,  // no answer within the time-out; the connection was given up
  malformed,  // what came is not an answer that we read
};
inline constexpr std::size_t loss_count = 3;

[[nodiscard]] std::string_view to_string(Loss loss);

// One thread at a time.
class Tally {
 public:
  // Throughput over time is kept in slots of this length.
  static constexpr std::chrono::milliseconds slot{100};
  static constexpr std::size_t status_end = 600;

  // Requests due from then on are measured; earlier ones are warm-up. Losses always count.
  void measure_from(MonoTime time) { measured_from_ = time; }
  [[nodiscard]] MonoTime measured_from() const { return measured_from_; }

  void answered(MonoTime due, MonoTime now, std::uint32_t events, const Answer& answer);
  void lost(Loss loss, std::uint64_t requests) {
    losses_[static_cast<std::size_t>(loss)] += requests;
  }
  void connect_failed() { ++connects_failed_; }
  void never_sent(std::uint64_t requests) { never_sent_ += requests; }

  // Both must measure from the same time.
  void merge(const Tally& other);

  [[nodiscard]] std::uint64_t requests() const { return latency_.count(); }
  [[nodiscard]] std::uint64_t events() const { return events_; }
  [[nodiscard]] const Histogram& latency() const { return latency_; }
  [[nodiscard]] std::uint64_t answers_with(unsigned status) const { return by_status_[status]; }
  [[nodiscard]] const Counts& counts() const { return counts_; }
  [[nodiscard]] std::uint64_t losses(Loss loss) const {
    return losses_[static_cast<std::size_t>(loss)];
  }
  [[nodiscard]] std::uint64_t connects_failed() const { return connects_failed_; }
  [[nodiscard]] std::uint64_t never_sent() const { return never_sent_; }
  [[nodiscard]] MonoTime last_answer() const { return last_answer_; }
  // Events by the slot in which their answer came, since measured_from().
  [[nodiscard]] const std::vector<std::uint64_t>& events_by_slot() const { return events_by_slot_; }
  // Whether every request, warm-up included, was sent and answered.
  [[nodiscard]] bool complete() const;

 private:
  MonoTime measured_from_{};
  MonoTime last_answer_{};
  Histogram latency_;
  std::uint64_t events_ = 0;
  std::array<std::uint64_t, status_end> by_status_{};
  Counts counts_;
  std::array<std::uint64_t, loss_count> losses_{};
  std::uint64_t connects_failed_ = 0;
  std::uint64_t never_sent_ = 0;
  std::vector<std::uint64_t> events_by_slot_;
};

}  // namespace sluice::load
