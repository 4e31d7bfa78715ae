#include <iostream>

#include <sluice/cli/cli.hpp>

#include "admin_client.hpp"
#include "commands.hpp"

namespace sluice::cli {

int health(const std::string& config_file, std::chrono::milliseconds timeout) {
  const auto config = load_config(config_file);
  if (!config) {
    return config.error();
  }
  constexpr unsigned status_ok = 200;
  const auto answer = AdminClient(config->admin, timeout).get("/readyz");
  if (!answer) {
    std::cerr << "sluice health: " << answer.error().message << '\n';
    return exit_failure;
  }
  if (answer->status != status_ok) {
    std::cerr << "sluice health: " << answer->body.substr(0, answer->body.find('\n')) << '\n';
    return exit_failure;
  }
  return exit_ok;
}

}  // namespace sluice::cli
