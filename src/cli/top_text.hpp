// What `sluice top` shows, as text. No I/O.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/base/clock.hpp>
#include <sluice/base/result.hpp>

namespace sluice::cli {

struct TopWorkspace {
  std::string name;
  std::string state;  // parked and why, the circuit if it is not closed, or "delivering"
  std::uint64_t delivered = 0;
  std::uint64_t buffered = 0;
  double oldest_s = 0;
  double pressure = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t concurrency_limit = 0;
  double clock_skew_s = 0;  // how far its clock is ahead of the upstream's
};

struct TopState {
  MonoTime at{};
  std::string version;
  std::string not_ready;  // why; empty when ready
  double uptime_s = 0;
  std::uint64_t accepted = 0;
  std::uint64_t rejected = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t dead_letters = 0;
  std::uint64_t connections = 0;
  std::vector<TopWorkspace> workspaces;
};

// Of what /status answers.
[[nodiscard]] Result<TopState> parse_status(std::string_view json, MonoTime at);

// So many lines and columns at most. With the state before, counts are also rates.
[[nodiscard]] std::string top_text(const TopState& now, const std::optional<TopState>& before,
                                   std::size_t lines_max, std::size_t columns_max);

}  // namespace sluice::cli
