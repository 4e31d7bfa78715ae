// Times as the API writes them.
#pragma once

#include <string>

#include <sluice/base/clock.hpp>

namespace sluice::simulator {

// 2026-03-01T12:00:00.000Z
[[nodiscard]] std::string iso_time(WallTime time);

}  // namespace sluice::simulator
