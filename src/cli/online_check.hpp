// Looks at what a configuration needs of the world: the upstreams, and with `listens` what the
// gateway itself takes of this machine.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include <sluice/config/config.hpp>
#include <sluice/deliver/upstream.hpp>

#include "findings.hpp"

namespace sluice::cli {

// Asks each workspace's upstream, all at once, with requests that store nothing. Takes as long as
// the slowest; each step has the configuration's time-outs.
[[nodiscard]] std::vector<Finding> check_upstreams(const config::Config& config);

// Whether the addresses can be listened on and the folders be written to. Leaves nothing behind.
[[nodiscard]] std::vector<Finding> check_listening(const config::Config& config);

// What an upstream's answer says about the permission for a path, when an empty batch was posted
// there: judged as a delivery's is. `accept_statuses` as of deliver::judge().
[[nodiscard]] Finding judge_empty_batch(const std::string& path,
                                        const deliver::UpstreamAnswer& answer,
                                        std::span<const unsigned> accept_statuses);
// `Date` has whole seconds: less than two are no skew.
[[nodiscard]] Finding judge_clock(std::chrono::milliseconds ahead);

}  // namespace sluice::cli
