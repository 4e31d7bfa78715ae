#include <iostream>

#include <sluice/cli/cli.hpp>
#include <sluice/config/load.hpp>

#include "commands.hpp"

namespace sluice::cli {

int check(const std::string& config_file) {
  const auto config = load_config(config_file);
  if (!config) {
    return config.error();
  }
  std::cout << "# " << config->file << " is valid; with all defaults it says:\n"
            << config::to_yaml_masked(*config);
  return exit_ok;
}

int version() {
  std::cout << "sluice " SLUICE_VERSION "\n";
  return exit_ok;
}

}  // namespace sluice::cli
