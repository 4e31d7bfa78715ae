// What a running gateway can take over of another configuration, and what needs a restart. No I/O.
#pragma once

#include <string>
#include <vector>

#include <sluice/config/config.hpp>

namespace sluice::runtime {

struct ReloadPlan {
  config::Config next;  // the running configuration with what is taken over
  std::vector<std::string> taken_over;
  std::vector<std::string> needs_restart;
};

[[nodiscard]] ReloadPlan plan_reload(const config::Config& running, const config::Config& wanted);

}  // namespace sluice::runtime
