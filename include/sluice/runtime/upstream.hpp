// How a workspace's upstream is reached, as its configuration says.
#pragma once

#include <sluice/config/config.hpp>
#include <sluice/transport/http_upstream.hpp>

namespace sluice::runtime {

[[nodiscard]] transport::UpstreamOptions upstream_options_of(const config::Config& config,
                                                             const config::Workspace& workspace);

}  // namespace sluice::runtime
