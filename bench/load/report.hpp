// The result of a run, as text and as JSON.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "settings.hpp"
#include "tally.hpp"

namespace sluice::load {

struct ServerUse {
  std::chrono::nanoseconds cpu{};  // over the measured period
  std::uint64_t events = 0;        // answered in it
  std::uint64_t resident_bytes = 0;
  std::uint64_t resident_bytes_max = 0;
};

struct Report {
  Settings settings;
  Tally tally;
  std::chrono::nanoseconds measured{};  // the period, without warm-up
  std::optional<ServerUse> server;
  // The CPU time of this process over the measured period. When it nears a whole CPU per thread, it
  // is the generator that was measured and not the server.
  std::chrono::nanoseconds generator_cpu{};

  [[nodiscard]] double requests_per_s() const;
  [[nodiscard]] double events_per_s() const;
};

[[nodiscard]] std::string to_text(const Report& report);
[[nodiscard]] std::string to_json(const Report& report);

// "412 us": three digits, and the unit that suits.
[[nodiscard]] std::string to_text(std::chrono::nanoseconds duration);

}  // namespace sluice::load
