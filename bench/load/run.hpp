// A run of the load, from the first connect to the report.
#pragma once

#include <iosfwd>

#include <sluice/base/result.hpp>

#include "report.hpp"
#include "settings.hpp"

namespace sluice::load {

// Prepares the requests, connects, sends, and waits for the end or for SIGINT or SIGTERM, which end
// it early and in order. Writes a line of progress each second unless settings.quiet. Fails when
// the run cannot begin: a file that cannot be read, a target that cannot be reached.
[[nodiscard]] Result<Report> run(const Settings& settings, std::ostream& progress);

}  // namespace sluice::load
