// Tells an upstream that refuses because it is sent too much from one that refuses a random share
// of what it is sent, at whatever rate.
//
// What tells them apart is a cut: of the load, a share goes that is known beforehand; of noise,
// nothing. So each cut of the rate begins a trial, while the rate is below what had been accepted.
// If something is refused all the same, a second one at less still tells: the share is noise if it
// fell by less than half of what load would have. Half a minute later that is doubted again. Noise
// that is known needs no second trial: what it does not explain was load, and went with the cut.
//
// Refusals say load if more come than noise explains (a CUSUM: E. S. Page, "Continuous Inspection
// Schemes", Biometrika, 1954). At a rate that was cut and has grown beyond what was accepted, the
// first one does, unless there is noise. During a trial only most of the answers do: then the
// upstream bears less than it did before. Not thread-safe; reads no clock.
#pragma once

#include <chrono>
#include <cstdint>

#include <sluice/base/clock.hpp>

namespace sluice::deliver {

class RefusalNoise {
 public:
  enum class Rate : std::uint8_t {
    free,     // there is no limit
    trial,    // below what was accepted when it was cut
    growing,  // above that
  };
  enum class Finding : std::uint8_t {
    none,      // the trial goes on, or nothing new was refused in it
    likely,    // it is over, and something was refused: cut the rate once more, to second_cut of it
    is_noise,  // the share did not fall with the rate
  };

  static constexpr double second_cut = 0.75;

  // The answer to a request that was sent after the last cut.
  void on_answer(bool refused, Rate rate, MonoTime now);
  // Whether a refusal now says that the upstream is sent too much.
  [[nodiscard]] bool says_load(Rate rate, MonoTime now) const;
  // What the trial has shown.
  [[nodiscard]] Finding finding() const { return finding_; }
  // The rate was cut, and a trial begins.
  void on_cut(MonoTime now);
  // Of all requests, what is refused at any rate; 0 if there is no noise.
  [[nodiscard]] double share(MonoTime now) const;

 private:
  struct Trial {
    MonoTime began_at{};
    MonoTime ended_at{};
    double answers = 0;
    double refused = 0;

    [[nodiscard]] bool is_over() const;
    [[nodiscard]] double share() const { return answers == 0 ? 0 : refused / answers; }
  };
  void conclude();

  Trial first_;  // if there is a second one
  Trial trial_;  // since the last cut
  Finding finding_ = Finding::none;
  double share_ = 0;
  double excess_ = 0;  // of refusals over what is tolerated
  MonoTime cut_at_ = MonoTime::min();
};

}  // namespace sluice::deliver
