#include <sluice/base/assert.hpp>
#include <sluice/deliver/circuit_breaker.hpp>

namespace sluice::deliver {

CircuitBreaker::CircuitBreaker(const CircuitBreakerOptions& options) : options_(options) {
  SLUICE_ASSERT(options_.failures_max > 0);
}

bool CircuitBreaker::admits(MonoTime now) const {
  return state_ != CircuitState::half_open && now >= open_until_;
}

MonoTime CircuitBreaker::admits_at() const {
  SLUICE_ASSERT(state_ != CircuitState::half_open);
  return open_until_;
}

void CircuitBreaker::on_sent(AttemptId attempt) {
  SLUICE_ASSERT(state_ != CircuitState::half_open);
  if (state_ == CircuitState::open) {
    probe_ = attempt;
    set_state(CircuitState::half_open);
  }
}

bool CircuitBreaker::on_answered(AttemptId attempt) {
  if (state_ == CircuitState::closed) {
    failures_in_a_row_ = 0;
    return false;
  }
  if (state_ != CircuitState::half_open || attempt != probe_) {
    return false;
  }
  set_state(CircuitState::closed);
  return true;
}

void CircuitBreaker::on_failed(AttemptId attempt, MonoTime now, Rng& rng) {
  if (state_ == CircuitState::closed) {
    if (++failures_in_a_row_ >= options_.failures_max) {
      open(now, rng);
    }
  } else if (state_ == CircuitState::half_open && attempt == probe_) {
    open(now, rng);
  }
}

void CircuitBreaker::open(MonoTime now, Rng& rng) {
  open_until_ = now + equal_jitter(options_.open_for, openings_in_a_row_, rng);
  ++openings_in_a_row_;
  set_state(CircuitState::open);
}

// The only place that changes the state, so that what belongs to a state changes with it.
void CircuitBreaker::set_state(CircuitState state) {
  SLUICE_ASSERT(state != state_);
  state_ = state;
  if (state_ == CircuitState::closed) {
    failures_in_a_row_ = 0;
    openings_in_a_row_ = 0;
    open_until_ = MonoTime::min();
  }
}

}  // namespace sluice::deliver
