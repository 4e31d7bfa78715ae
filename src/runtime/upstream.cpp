#include <sluice/runtime/upstream.hpp>

namespace sluice::runtime {

transport::UpstreamOptions upstream_options_of(const config::Config& config,
                                               const config::Workspace& workspace) {
  return {.workspace = workspace.name,
          .base_url = workspace.base_url,
          .ca_file = workspace.ca_file,
          .auth = workspace.auth,
          .connect_timeout = config.delivery.connect_timeout,
          .timeout = config.delivery.timeout};
}

}  // namespace sluice::runtime
