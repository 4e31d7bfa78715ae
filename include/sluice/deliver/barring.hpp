// Which kinds of writes are parked while others are delivered, and which endpoints are known to
// work: a state for each kind. See dispatcher.hpp for what barring is for. Reads no clock; not
// thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <sluice/base/clock.hpp>
#include <sluice/base/rng.hpp>
#include <sluice/deliver/backoff.hpp>
#include <sluice/deliver/parking.hpp>
#include <sluice/event/kind.hpp>

namespace sluice::deliver {

class Barring {
 public:
  // `again`: the intervals after which a barred kind is tried again.
  explicit Barring(const BackoffPolicy& again) : again_(again), endpoints_(kinds().size()) {}

  // Whether events of the kind are put aside.
  [[nodiscard]] bool is_barred(EventKind kind) const { return of(kind).status == Status::barred; }
  // Whether the endpoint of another kind works, as its last telling answer said.
  [[nodiscard]] bool another_works(EventKind kind) const;
  // Whether a kind is barred, or is being tried again.
  [[nodiscard]] bool bars_any() const { return first_barred().has_value(); }
  // The first of those kinds, and why it is barred.
  [[nodiscard]] std::optional<EventKind> first_barred() const;
  [[nodiscard]] ParkReason reason(EventKind kind) const { return of(kind).reason; }

  // The kind's endpoint took what was sent, or looked at it. Whether that ends its bar.
  [[nodiscard]] bool on_works(EventKind kind);
  // It refused whatever might have been sent there.
  void on_refused(EventKind kind);
  // What was refused says nothing of one endpoint, but of all.
  void forget_what_works();
  // False: it was barred before, and its trial has failed.
  [[nodiscard]] bool bar(EventKind kind, ParkReason reason, MonoTime now, Rng& rng);
  // Whether there was a bar to end.
  [[nodiscard]] bool end_all();

  // When the next kind is to be tried again; nullopt: none is barred.
  [[nodiscard]] std::optional<MonoTime> try_at() const;
  // Tries again what it is time for: whether there is any.
  [[nodiscard]] bool try_again(MonoTime now);

 private:
  enum class Status : std::uint8_t {
    unknown,   // nothing sent yet, or what was last sent there was refused
    works,     // as far as is known
    barred,    // its events are put aside until `until`
    on_trial,  // since then: they are sent again, and not yet known to go through
  };
  struct Endpoint {
    Status status = Status::unknown;
    ParkReason reason{};  // while barred or on trial
    MonoTime until{};     // while barred
    unsigned bars_in_a_row = 0;
  };

  static void set_status(Endpoint& endpoint, Status status);
  [[nodiscard]] const Endpoint& of(EventKind kind) const {
    return endpoints_[static_cast<std::size_t>(kind)];
  }
  [[nodiscard]] Endpoint& of(EventKind kind) { return endpoints_[static_cast<std::size_t>(kind)]; }

  BackoffPolicy again_;
  std::vector<Endpoint> endpoints_;  // per kind
};

}  // namespace sluice::deliver
