// The report drawn: latency by percentile, and throughput over time.
#pragma once

#include <string>

#include "report.hpp"

namespace sluice::load {

// A complete SVG document.
[[nodiscard]] std::string to_svg(const Report& report);

}  // namespace sluice::load
