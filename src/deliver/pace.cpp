#include <algorithm>
#include <cmath>
#include <utility>

#include <sluice/deliver/pace.hpp>

namespace sluice::deliver {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr double rate_min = 1;
// Of what was accepted lately; but not more at once, as right after a hold little was.
constexpr double cut_share = 0.85;
constexpr double cut_most = 0.5;
// T in the header: the dearer a throttled answer is, the more seldom it is risked.
constexpr Seconds growth_time_min{4};
constexpr Seconds growth_time_max{15};
constexpr double growth_times_per_hold = 14;
constexpr double requests_per_growth_time = 50;
// Acceptances are counted by the second.
constexpr Seconds span{1};
constexpr Seconds span_min{0.1};
constexpr double accepted_min = 5;  // fewer tell no rate
constexpr Seconds lately{2};
// A timer's lateness is made up for.
constexpr std::chrono::milliseconds timer_slack{2};

MonoTime::duration floor(Seconds time) { return std::chrono::floor<MonoTime::duration>(time); }

}  // namespace

void Pace::on_sent(MonoTime now) {
  if (rate_ > 0) {
    next_at_ = std::max(next_at_, now - timer_slack) + floor(Seconds(1 / rate_at(now)));
  }
}

void Pace::on_accepted(MonoTime sent_at, MonoTime now) {
  const Seconds passed = now - span_began_at_;
  if (passed >= span) {
    const double last = std::exchange(accepted_, 0);
    accepted_before_ = passed < 2 * span ? last : 0;
    span_began_at_ = now;
  }
  ++accepted_;
  accepted_at_ = now;
  if (sent_at >= cut_at_) {
    note(false, now);
  }
}

bool Pace::is_noise(MonoTime sent_at, MonoTime now) {
  if (sent_at < cut_at_) {
    return false;
  }
  note(true, now);
  return !noise_.says_load(phase(now), now);
}

// What is found to be noise was no reason for a limit.
void Pace::note(bool refused, MonoTime now) {
  noise_.on_answer(refused, phase(now), now);
  if (phase(now) != RefusalNoise::Rate::trial) {
    return;
  }
  const RefusalNoise::Finding finding = noise_.finding();
  if (finding == RefusalNoise::Finding::is_noise) {
    rate_ = 0;
    next_at_ = now;
  } else if (finding == RefusalNoise::Finding::likely) {
    cut(RefusalNoise::second_cut * rate_at(now), now, now);
  }
}

void Pace::on_throttled(MonoTime sent_at, MonoTime now, MonoTime held_until) {
  if (sent_at >= cut_at_) {
    const double accepted = cut_share * accepted_rate(now) / (1 - noise_.share(now));
    const double present = rate_at(now);
    cut(has_let_go(now) ? accepted : std::min(present, std::max(accepted, cut_most * present)), now,
        held_until);
  }
  held_until_ = next_at_ = held_until;
}

void Pace::cut(double rate, MonoTime now, MonoTime held_until) {
  rate_ = std::max(rate, rate_min);
  cut_at_ = now;
  held_until_ = held_until;
  noise_.on_cut(now);
  const Seconds growth_time = std::max(growth_times_per_hold * Seconds(held_until - now),
                                       Seconds(requests_per_growth_time / rate_));
  growth_time_ =
      rate == 0 ? growth_time_min : std::clamp(growth_time, growth_time_min, growth_time_max);
}

std::optional<double> Pace::limit(MonoTime now) const {
  return has_let_go(now) ? std::nullopt : std::optional(rate_at(now));
}

bool Pace::has_let_go(MonoTime now) const {
  return rate_ == 0 || now - held_until_ > 2 * growth_time_;
}

RefusalNoise::Rate Pace::phase(MonoTime now) const {
  if (has_let_go(now)) {
    return RefusalNoise::Rate::free;
  }
  return cut_share * rate_at(now) < rate_ ? RefusalNoise::Rate::trial : RefusalNoise::Rate::growing;
}

bool Pace::has_accepted_lately(MonoTime now) const { return now - accepted_at_ < lately; }

double Pace::rate_at(MonoTime now) const {
  const Seconds since = std::max(now - held_until_, MonoTime::duration{});
  return rate_ * std::exp2(std::pow(since / growth_time_, 3));
}

double Pace::accepted_rate(MonoTime now) const {
  if (accepted_ < accepted_min) {
    return accepted_before_ / span.count();
  }
  const Seconds passed = std::max<Seconds>(now - span_began_at_, span_min);
  return accepted_before_ == 0 ? accepted_ / passed.count()
                               : (accepted_before_ + accepted_) / (span + passed).count();
}

}  // namespace sluice::deliver
