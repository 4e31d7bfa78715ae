// Whether a workspace's delivery is parked, and what is being done about it: see dispatcher.hpp for
// what parking is for. A state machine without I/O: reads no clock; not thread-safe.
//
//   open ─► waiting ─► refreshing ─► ready ─► probing ─► open, if the probe went through,
//              ▲                                 │       or else waiting (ready: the next event of
//              └─────────────────────────────────┘       the same profile, at once)
//
// A first 401 only puts the credentials in doubt. That waits for nothing, and nobody is told,
// unless its probe fails too: then the workspace is parked.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <sluice/base/clock.hpp>
#include <sluice/base/rng.hpp>
#include <sluice/deliver/backoff.hpp>
#include <sluice/deliver/circuit_breaker.hpp>

namespace sluice::deliver {

enum class ParkReason : std::uint8_t {
  unauthorised,  // 401 or 403 with new credentials too, or none to be had
  misrouted,     // the address is wrong, or not an events API
  all_refused,   // event after event was refused, and none accepted
};
inline constexpr std::array<std::string_view, 3> park_reason_names = {"unauthorised", "misrouted",
                                                                      "all_refused"};

class Parking {
 public:
  // `probe`: the intervals between probes.
  explicit Parking(const BackoffPolicy& probe) : probe_(probe) {}

  // Whether only a probe is sent: parked, or in doubt.
  [[nodiscard]] bool holds() const { return standing_ != Standing::open; }
  // Why it is parked; nullopt: it is not, or not yet.
  [[nodiscard]] std::optional<ParkReason> parked() const;
  [[nodiscard]] bool all_refused() const { return holds() && reason_ == ParkReason::all_refused; }
  // Why it holds; while it does.
  [[nodiscard]] ParkReason reason() const { return reason_; }
  [[nodiscard]] bool may_send() const { return !holds() || step_ == Step::ready; }
  // The only lane that may send the probe, or that is to end what it has begun; nullopt: any.
  [[nodiscard]] std::optional<std::size_t> lane() const { return lane_; }
  [[nodiscard]] bool is_probe(AttemptId attempt) const {
    return holds() && step_ == Step::probing && attempt_ == attempt;
  }
  // Whether the attempt was sent with credentials that are no more.
  [[nodiscard]] bool is_stale(AttemptId attempt) const { return attempt < fresh_from_; }
  // When the next probe is due; nullopt: none is waited for.
  [[nodiscard]] std::optional<MonoTime> probe_at() const;

  // The credentials are in doubt; what was refused is to be sent once more by that lane.
  void doubt(std::size_t lane, MonoTime now);
  // It is parked, and the first probe is due after a while. From open, or for another reason than
  // before: then what is out is no probe of this kind.
  void park(ParkReason reason, MonoTime now, Rng& rng);
  // The probe that is out was refused for another reason.
  void correct(ParkReason reason) { reason_ = reason; }
  // What was in doubt is parked: false if that was so already.
  [[nodiscard]] bool confirm();
  // It goes on. Whether it had been parked.
  bool resume(MonoTime now);

  // The steps of a probe.
  [[nodiscard]] bool is_due(MonoTime now) const { return probe_at() && now >= *probe_at(); }
  void refresh();
  // If there are no new credentials, probe_later() is next. Attempts from `next` on have them.
  void on_refreshed(bool refreshed, AttemptId next);
  void on_sent(AttemptId attempt);
  // Another one, at once, by that lane.
  void probe_again(std::size_t lane);
  // Another one, after a while; by that lane, if it has to end what it has begun.
  void probe_later(MonoTime now, Rng& rng);
  void leave_to(std::size_t lane) { lane_ = lane; }

 private:
  enum class Standing : std::uint8_t {
    open,      // events are delivered
    in_doubt,  // a first 401
    parked,    // and told
  };
  enum class Step : std::uint8_t {
    waiting,     // for the time of the next probe
    refreshing,  // the credentials, before it
    ready,       // to send it
    probing,     // it is out
  };
  void set_status(Standing standing, Step step);
  void begin(ParkReason reason, MonoTime now);

  BackoffPolicy probe_;
  Standing standing_ = Standing::open;
  Step step_ = Step::waiting;
  ParkReason reason_{};
  MonoTime probe_at_{};  // while waiting
  std::optional<std::size_t> lane_;
  AttemptId attempt_ = 0;  // while probing
  AttemptId fresh_from_ = 1;
  unsigned probes_in_a_row_ = 0;
  MonoTime resumed_at_ = MonoTime::min();
};

}  // namespace sluice::deliver
