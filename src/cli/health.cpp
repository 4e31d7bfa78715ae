#include <sluice/cli/cli.hpp>

#include "admin_client.hpp"
#include "commands.hpp"

namespace sluice::cli {

int health(const std::string& config_file, std::chrono::milliseconds timeout) {
  const auto config = load_config(config_file);
  if (!config) {
    return config.error();
  }
  const auto answer = AdminClient(config->admin, timeout).get("/readyz");
  if (!answer) {
    return fail("health", answer.error().message);
  }
  if (answer->status != status_ok) {
    return fail("health", answer->body.substr(0, answer->body.find('\n')));
  }
  return exit_ok;
}

}  // namespace sluice::cli
