// A circuit breaker (Michael Nygard, "Release It!"): leaves an upstream alone that has stopped
// working.
//
// closed --so many failures in a row--> open --after a time that grows--> half open: one probe is
// out
//    ^-----------------------------------------------------the probe is answered------|  |
//                                      open <-----------------the probe fails------------|
//
// An answer of any status that the upstream itself gave (a refusal too) shows that it works.
// Answers to attempts from before the breaker opened tell nothing about now: while it is not
// closed, only the probe counts. Not thread-safe; reads no clock.
#pragma once

#include <cstdint>

#include <sluice/base/clock.hpp>
#include <sluice/base/rng.hpp>
#include <sluice/deliver/backoff.hpp>

namespace sluice::deliver {

// Identifies one request of a dispatcher; they only grow.
using AttemptId = std::uint64_t;

// The values of the gauge circuit_state.
enum class CircuitState : std::uint8_t {
  closed = 0,     // requests flow
  half_open = 1,  // one probe is out
  open = 2,       // nothing is sent
};

struct CircuitBreakerOptions {
  unsigned failures_max = 5;  // in a row, over all lanes
  BackoffPolicy open_for{.initial = std::chrono::seconds{1}, .max = std::chrono::seconds{15}};
};

class CircuitBreaker {
 public:
  explicit CircuitBreaker(const CircuitBreakerOptions& options);

  [[nodiscard]] CircuitState state() const { return state_; }
  // Whether a request may be sent; when open, from admits_at() on, as the one probe.
  [[nodiscard]] bool admits(MonoTime now) const;
  // The earliest time at which admits() holds; not while half open, when it is an answer that
  // decides.
  [[nodiscard]] MonoTime admits_at() const;

  void on_sent(AttemptId attempt);
  // Whether this answer closed the breaker: an outage is over.
  [[nodiscard]] bool on_answered(AttemptId attempt);
  void on_failed(AttemptId attempt, MonoTime now, Rng& rng);

 private:
  void set_state(CircuitState state);
  void open(MonoTime now, Rng& rng);

  CircuitBreakerOptions options_;
  CircuitState state_ = CircuitState::closed;
  unsigned failures_in_a_row_ = 0;
  unsigned openings_in_a_row_ = 0;
  MonoTime open_until_ = MonoTime::min();
  AttemptId probe_ = 0;
};

}  // namespace sluice::deliver
