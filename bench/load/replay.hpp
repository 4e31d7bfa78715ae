// Requests recorded in a file, one JSON object per line: {"path":"/v4/events/batch","body":...}.
// The body's bytes are sent as they stand.
#pragma once

#include <filesystem>
#include <string_view>

#include <sluice/base/result.hpp>

#include "request_pool.hpp"

namespace sluice::load {

// In the order of the lines; empty lines are passed over. The error names the line.
[[nodiscard]] Result<RequestPool> parse_replay(std::string_view text, const Framing& framing);
[[nodiscard]] Result<RequestPool> read_replay(const std::filesystem::path& file,
                                              const Framing& framing);

}  // namespace sluice::load
