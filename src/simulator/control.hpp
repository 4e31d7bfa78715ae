// The simulator's own endpoints, below /sim/: ledger, statistics and faults of the running process.
#pragma once

#include <string_view>

#include "api_model.hpp"

namespace sluice::simulator {

inline constexpr std::string_view control_prefix = "/sim/";

// Answers a request whose path begins with the prefix.
[[nodiscard]] Answer answer_control(World& world, const Request& request);

}  // namespace sluice::simulator
