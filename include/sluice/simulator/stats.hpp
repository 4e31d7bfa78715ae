// What the simulator has seen and done: a snapshot of counters.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace sluice::simulator {

// Mean and largest of a series.
struct Series {
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
  std::uint64_t max = 0;

  void add(std::uint64_t value);
  [[nodiscard]] double mean() const;
};

struct Stats {
  // By path, then by status; 0 stands for a request that got no answer. Unknown paths share
  // "other".
  std::map<std::string, std::map<unsigned, std::uint64_t>, std::less<>> requests;
  Series batch_events;  // of batch requests whose array was read, accepted or not
  Series batch_bytes;
  std::uint64_t events_accepted = 0;
  std::uint64_t events_refused =
      0;  // those found invalid; what they took down with them is not in it
  std::uint64_t future_times_replaced = 0;
  // Accepted events whose salt came before with another profile or action: a salt is one event's.
  std::uint64_t salt_conflicts = 0;
  std::uint64_t logins = 0;                           // tokens issued, refreshed ones included
  std::map<std::string, std::uint64_t> faults_fired;  // by action
  std::uint64_t connections_accepted = 0;
  std::uint64_t in_flight_max = 0;  // requests read and not yet answered, at one time

  [[nodiscard]] std::uint64_t requests_total() const;
  [[nodiscard]] std::uint64_t faults_fired_total() const;
};

// The JSON document of GET /sim/stats.
[[nodiscard]] std::string to_json(const Stats& stats);

}  // namespace sluice::simulator
