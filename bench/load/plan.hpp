// When a worker may send: the arrivals of its share of the load, and the end of the run. Pure: it
// is told the time.
//
// Open loop (a rate is given): requests fall due at instants that do not depend on the answers. One
// that finds no free connection stays due, and its latency counts from its due time, so that a slow
// server cannot hide its queue (no "coordinated omission"). Nothing is stored for those that wait:
// the plan merely does not advance.
// Closed loop (no rate): from the start on, a request is due whenever a connection is free.
#pragma once

#include <cstdint>
#include <optional>

#include <sluice/base/clock.hpp>
#include <sluice/base/rng.hpp>

namespace sluice::load {

class Plan {
 public:
  struct Options {
    MonoTime start;
    std::optional<MonoTime> end;            // nothing falls due from then on
    std::optional<std::uint64_t> requests;  // of all workers together
    double rate_per_s = 0;                  // of all workers together; 0: closed loop
    bool poisson = false;                   // exponential gaps instead of equal ones
    std::uint64_t seed = 1;
    std::uint64_t worker = 0;  // this one of `workers`
    std::uint64_t workers = 1;
  };

  explicit Plan(const Options& options);

  // Takes the next request if it is due: the instant from which its latency counts.
  [[nodiscard]] std::optional<MonoTime> take(MonoTime now);
  // When the next one falls due; the past when one is due already, none when none will be.
  [[nodiscard]] std::optional<MonoTime> next_due() const;
  // Whether nothing will fall due any more.
  [[nodiscard]] bool exhausted(MonoTime now) const;
  // How many were due by then and not taken. The plan ends here.
  [[nodiscard]] std::uint64_t abandon(MonoTime now);

 private:
  [[nodiscard]] bool open_loop() const { return options_.rate_per_s > 0; }
  void advance();

  Options options_;
  Rng rng_;
  std::optional<std::uint64_t> left_;  // this worker's share of `requests`
  std::uint64_t taken_ = 0;
  double next_s_ = 0;  // since the start
};

}  // namespace sluice::load
