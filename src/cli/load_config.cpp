#include <iostream>

#include <sluice/cli/cli.hpp>
#include <sluice/config/load.hpp>
#include <sluice/runtime/gateway.hpp>

#include "commands.hpp"

namespace sluice::cli {

Result<config::Config, int> load_config(const std::string& config_file) {
  const config::Environment& environment = config::process_environment();
  const auto file = config::find_file(config_file, environment);
  if (!file) {
    std::cerr << "sluice: " << file.error().message << '\n';
    return std::unexpected(exit_configuration);
  }
  auto loaded = config::load(*file, environment);
  if (!loaded) {
    for (const config::Mistake& mistake : loaded.error()) {
      std::cerr << mistake.to_string() << '\n';
    }
    return std::unexpected(exit_configuration);
  }
  if (const auto supported = runtime::check_supported(*loaded); !supported) {
    std::cerr << loaded->file << ": " << supported.error().message << '\n';
    return std::unexpected(exit_configuration);
  }
  return std::move(*loaded);
}

}  // namespace sluice::cli
