#include <sluice/base/assert.hpp>
#include <sluice/deliver/parking.hpp>

namespace sluice::deliver {

void Parking::set_status(Standing standing, Step step) {
  // What is in doubt has one probe, which is sent at once: then it is open or parked.
  SLUICE_ASSERT(standing != Standing::in_doubt || standing_ != Standing::parked);
  SLUICE_ASSERT(step != Step::refreshing || step_ == Step::waiting || step_ == step);
  SLUICE_ASSERT(step != Step::probing || step_ == Step::ready || step_ == step);
  standing_ = standing;
  step_ = step;
}

std::optional<ParkReason> Parking::parked() const {
  return standing_ == Standing::parked ? std::optional(reason_) : std::nullopt;
}

std::optional<MonoTime> Parking::probe_at() const {
  return holds() && step_ == Step::waiting ? std::optional(probe_at_) : std::nullopt;
}

// Intervals grow on when it had gone through for a moment only.
void Parking::begin(ParkReason reason, MonoTime now) {
  if (now > resumed_at_ + probe_.max) {
    probes_in_a_row_ = 0;
  }
  reason_ = reason;
  lane_.reset();
}

void Parking::doubt(std::size_t lane, MonoTime now) {
  SLUICE_ASSERT(!holds());
  begin(ParkReason::unauthorised, now);
  probe_at_ = now;
  lane_ = lane;
  set_status(Standing::in_doubt, Step::waiting);
}

void Parking::park(ParkReason reason, MonoTime now, Rng& rng) {
  if (!holds()) {
    begin(reason, now);
    set_status(Standing::parked, Step::waiting);
    return probe_later(now, rng);
  }
  reason_ = reason;
  lane_.reset();
  if (step_ == Step::probing) {
    probe_later(now, rng);
  }
}

bool Parking::confirm() {
  SLUICE_ASSERT(holds());
  const bool is_new = standing_ == Standing::in_doubt;
  set_status(Standing::parked, step_);
  return is_new;
}

bool Parking::resume(MonoTime now) {
  SLUICE_ASSERT(holds());
  const bool was_parked = standing_ == Standing::parked;
  if (was_parked) {
    resumed_at_ = now;
  }
  lane_.reset();
  set_status(Standing::open, Step::waiting);
  return was_parked;
}

void Parking::refresh() {
  SLUICE_ASSERT(holds());
  set_status(standing_, Step::refreshing);
}

void Parking::on_refreshed(bool refreshed, AttemptId next) {
  SLUICE_ASSERT(holds() && step_ == Step::refreshing);
  fresh_from_ = next;
  if (refreshed) {
    set_status(standing_, Step::ready);
  }
}

void Parking::on_sent(AttemptId attempt) {
  SLUICE_ASSERT(holds());
  set_status(standing_, Step::probing);
  attempt_ = attempt;
}

void Parking::probe_again(std::size_t lane) {
  SLUICE_ASSERT(holds());
  lane_ = lane;
  set_status(standing_, Step::ready);
}

void Parking::probe_later(MonoTime now, Rng& rng) {
  SLUICE_ASSERT(holds());
  lane_.reset();
  probe_at_ = now + equal_jitter(probe_, probes_in_a_row_++, rng);
  set_status(standing_, Step::waiting);
}

}  // namespace sluice::deliver
