#include <algorithm>
#include <utility>

#include <sluice/deliver/refusal_noise.hpp>

namespace sluice::deliver {
namespace {

// Fewer tell no share; and a limit may be one of requests per second.
constexpr double trial_answers_min = 40;
constexpr std::chrono::seconds trial_time_min{1};
// Less is dealt with as none, and an upstream that refuses more is out of order and not noisy.
constexpr double noise_min = 0.04;
constexpr double noise_max = 0.6;
// How far above noise the share has to be, in proportion to it, before it is taken for load; and
// how many more refusals have to come than that explains.
constexpr double margin_min = 0.05;
constexpr double margin_max = 0.2;
constexpr double excess_max = 4;
constexpr std::chrono::seconds doubted_after{30};

double margin(double share) { return std::clamp(share, margin_min, margin_max); }

}  // namespace

bool RefusalNoise::Trial::is_over() const {
  return answers >= trial_answers_min && ended_at >= began_at + trial_time_min;
}

void RefusalNoise::on_answer(bool refused, Rate rate, MonoTime now) {
  if (rate == Rate::trial && !trial_.is_over()) {
    ++trial_.answers;
    trial_.refused += refused ? 1 : 0;
    trial_.ended_at = now;
    if (trial_.is_over()) {
      conclude();
    }
  }
  const double tolerated = rate == Rate::trial ? noise_max : share(now) + margin(share(now));
  excess_ = std::max(0.0, excess_ + (refused ? 1 : 0) - tolerated);
}

void RefusalNoise::conclude() {
  const double share = trial_.share();
  const double first = first_.share();
  const double known = std::exchange(share_, 0);
  finding_ = Finding::none;
  if (share < noise_min || share > noise_max) {
    return;
  }
  if (known > 0 && share <= known + margin(known)) {
    share_ = share;  // that much was known, and the rest went with the cut
    return;
  }
  finding_ = Finding::likely;
  if (first_.is_over()) {
    // As much as before would have been accepted.
    const double of_load = std::max(0.0, 1 - (1 - first) / second_cut);
    if (share > (first + of_load) / 2) {
      finding_ = Finding::is_noise;
      share_ = (first + share) / 2;
    }
  }
}

bool RefusalNoise::says_load(Rate rate, MonoTime now) const {
  return excess_ > (rate == Rate::growing && share(now) == 0 ? 0 : excess_max);
}

void RefusalNoise::on_cut(MonoTime now) {
  first_ = finding_ == Finding::likely ? trial_ : Trial{};
  if (trial_.is_over() || trial_.answers == 0) {
    trial_ = {.began_at = now};
  }
  finding_ = Finding::none;
  excess_ = 0;
  share_ = share(now);
  cut_at_ = now;
}

double RefusalNoise::share(MonoTime now) const {
  return now < cut_at_ + doubted_after ? share_ : 0;
}

}  // namespace sluice::deliver
