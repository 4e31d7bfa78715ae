// The rules that a workspace's events are normalised by, as its configuration has them.
#pragma once

#include <sluice/config/config.hpp>
#include <sluice/normalise/normaliser.hpp>

namespace sluice::runtime {

[[nodiscard]] normalise::Rules rules_of(const config::Config& config,
                                        const config::Workspace& workspace);

}  // namespace sluice::runtime
