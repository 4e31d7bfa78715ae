// How many requests per second a workspace sends to an upstream that throttles. A limit of
// concurrency alone cannot keep a rate: one request at a time is too many if answers are quick.
//
// Without a throttled answer there is no limit. Each one that says load and not noise
// (refusal_noise.hpp), once per round trip, sets it to a part of what was accepted lately. From
// then on it grows as 2^(t/T)^3 with the time t since the end of the hold that the answer asked
// for: it stays near what was found for a while, then lets go, so that what the upstream gives back
// is used within seconds (the shape is that of CUBIC, RFC 9438). T is some seconds; longer after
// long holds and at low rates, where a throttled answer is dear. Not thread-safe; reads no clock.
#pragma once

#include <chrono>
#include <optional>

#include <sluice/base/clock.hpp>
#include <sluice/deliver/refusal_noise.hpp>

namespace sluice::deliver {

class Pace {
 public:
  // The earliest time at which the next request may be sent.
  [[nodiscard]] MonoTime admits_at() const { return next_at_; }

  void on_sent(MonoTime now);
  void on_accepted(MonoTime sent_at, MonoTime now);
  // A request was throttled. Whether that is noise: then sending goes on as before, but for what
  // was refused, and as long as the answer asked for.
  [[nodiscard]] bool is_noise(MonoTime sent_at, MonoTime now);
  // A request was throttled, not by noise, and nothing is sent before `held_until`.
  void on_throttled(MonoTime sent_at, MonoTime now, MonoTime held_until);
  // Requests per second that are sent at most, for now; nullopt: as many as there are.
  [[nodiscard]] std::optional<double> limit(MonoTime now) const;
  // Whether the upstream is at work: it accepted a request in the last two seconds.
  [[nodiscard]] bool has_accepted_lately(MonoTime now) const;
  // After an outage: nothing is known any more.
  void lift() { *this = Pace(); }

 private:
  [[nodiscard]] bool has_let_go(MonoTime now) const;
  [[nodiscard]] RefusalNoise::Rate phase(MonoTime now) const;
  void note(bool refused, MonoTime now);
  void cut(double rate, MonoTime now, MonoTime held_until);
  [[nodiscard]] double rate_at(MonoTime now) const;
  [[nodiscard]] double accepted_rate(MonoTime now) const;

  double rate_ = 0;  // requests per second, at held_until_; 0: no limit
  std::chrono::duration<double> growth_time_{1};
  MonoTime cut_at_ = MonoTime::min();
  MonoTime held_until_{};
  MonoTime next_at_ = MonoTime::min();
  RefusalNoise noise_;

  MonoTime accepted_at_{};  // the last one
  MonoTime span_began_at_{};
  double accepted_ = 0;         // since then
  double accepted_before_ = 0;  // in the span before, if that was just before
};

}  // namespace sluice::deliver
