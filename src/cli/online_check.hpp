// Looks at what a configuration needs of the world: the upstreams, and with `listens` what the
// gateway itself takes of this machine.
#pragma once

#include <vector>

#include <sluice/config/config.hpp>

#include "findings.hpp"

namespace sluice::cli {

// Asks each workspace's upstream, all at once, with requests that store nothing. Takes as long as
// the slowest; each step has the configuration's time-outs.
[[nodiscard]] std::vector<Finding> check_upstreams(const config::Config& config);

// Whether the addresses can be listened on and the folders be written to. Leaves nothing behind.
[[nodiscard]] std::vector<Finding> check_listening(const config::Config& config);

// What an upstream's status says about the permission for a path, when an empty batch was posted
// there.
[[nodiscard]] Finding judge_empty_batch(const std::string& path, unsigned status);
// `Date` has whole seconds: less than two are no skew.
[[nodiscard]] Finding judge_clock(std::chrono::milliseconds ahead);

}  // namespace sluice::cli
