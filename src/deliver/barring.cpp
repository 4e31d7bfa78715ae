#include <algorithm>

#include <sluice/base/assert.hpp>
#include <sluice/deliver/barring.hpp>

namespace sluice::deliver {

void Barring::set_status(Endpoint& endpoint, Status status) {
  // There is no trial without a bar before it.
  SLUICE_ASSERT(status != Status::on_trial || endpoint.status == Status::barred);
  endpoint.status = status;
}

bool Barring::another_works(EventKind kind) const {
  return std::ranges::any_of(endpoints_, [&](const Endpoint& endpoint) {
    return &endpoint != &of(kind) && endpoint.status == Status::works;
  });
}

std::optional<EventKind> Barring::first_barred() const {
  for (const KindInfo& row : kinds()) {
    const Status status = of(row.kind).status;
    if (status == Status::barred || status == Status::on_trial) {
      return row.kind;
    }
  }
  return std::nullopt;
}

bool Barring::on_works(EventKind kind) {
  Endpoint& endpoint = of(kind);
  const bool ends = endpoint.status == Status::barred || endpoint.status == Status::on_trial;
  if (ends) {
    endpoint.bars_in_a_row = 0;
  }
  set_status(endpoint, Status::works);
  return ends;
}

void Barring::on_refused(EventKind kind) {
  if (of(kind).status == Status::works) {
    set_status(of(kind), Status::unknown);
  }
}

void Barring::forget_what_works() {
  for (const KindInfo& row : kinds()) {
    on_refused(row.kind);
  }
}

bool Barring::bar(EventKind kind, ParkReason reason, MonoTime now, Rng& rng) {
  Endpoint& endpoint = of(kind);
  const bool is_new = endpoint.status != Status::barred && endpoint.status != Status::on_trial;
  set_status(endpoint, Status::barred);
  endpoint.reason = reason;
  endpoint.until = now + equal_jitter(again_, endpoint.bars_in_a_row++, rng);
  return is_new;
}

bool Barring::end_all() {
  const bool barred_any = bars_any();
  for (Endpoint& endpoint : endpoints_) {
    set_status(endpoint, Status::unknown);
  }
  return barred_any;
}

std::optional<MonoTime> Barring::try_at() const {
  std::optional<MonoTime> earliest;
  for (const Endpoint& endpoint : endpoints_) {
    if (endpoint.status == Status::barred) {
      earliest = std::min(earliest.value_or(endpoint.until), endpoint.until);
    }
  }
  return earliest;
}

bool Barring::try_again(MonoTime now) {
  bool any = false;
  for (Endpoint& endpoint : endpoints_) {
    if (endpoint.status == Status::barred && now >= endpoint.until) {
      set_status(endpoint, Status::on_trial);
      any = true;
    }
  }
  return any;
}

}  // namespace sluice::deliver
