#include <sluice/base/printable.hpp>
#include <sluice/cli/cli.hpp>
#include <sluice/config/load.hpp>

#include "commands.hpp"

namespace sluice::cli {

Result<config::Config, std::vector<std::string>> read_config(const std::string& config_file) {
  const config::Environment& environment = config::process_environment();
  const auto file = config::find_file(config_file, environment);
  if (!file) {
    return std::unexpected(std::vector{file.error().message});
  }
  auto loaded = config::load(*file, environment);
  if (!loaded) {
    std::vector<std::string> mistakes;
    for (const config::Mistake& mistake : loaded.error()) {
      mistakes.push_back(mistake.to_string());
    }
    return std::unexpected(std::move(mistakes));
  }
  return std::move(*loaded);
}

Result<config::Config, int> load_config(const std::string& config_file) {
  auto loaded = read_config(config_file);
  if (!loaded) {
    for (const std::string& mistake : loaded.error()) {
      complain(printable(mistake) + "\n");
    }
    return std::unexpected(exit_configuration);
  }
  return std::move(*loaded);
}

}  // namespace sluice::cli
