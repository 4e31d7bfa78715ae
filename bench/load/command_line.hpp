// The command line of sluice-load.
#pragma once

#include <expected>

#include "settings.hpp"

namespace sluice::load {

// The settings, or the exit code: of --help, which was printed, or of a mistake, which was told.
[[nodiscard]] std::expected<Settings, int> parse_command_line(int argc, const char* const* argv);

}  // namespace sluice::load
