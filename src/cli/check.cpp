#include <algorithm>
#include <iterator>
#include <vector>

#include <sluice/base/log.hpp>
#include <sluice/cli/cli.hpp>
#include <sluice/config/load.hpp>
#include <sluice/config/schema.hpp>

#include "commands.hpp"
#include "findings.hpp"
#include "online_check.hpp"

namespace sluice::cli {

int check(const std::string& config_file, const CheckOptions& options) {
  const auto config = load_config(config_file);
  if (!config) {
    return config.error();
  }
  if (options.online || options.listens) {
    log::configure(log::Level::off, config->log.format);  // what is found is said here
    std::vector<Finding> findings;
    if (options.listens) {
      findings = check_listening(*config);
    }
    if (options.online) {
      std::ranges::move(check_upstreams(*config), std::back_inserter(findings));
    }
    say(options.json ? to_json(findings) : to_lines(findings));
    return exit_code_of(findings);
  }
  say("# " + config->file + " is valid; with all defaults it says:\n" +
      config::to_yaml_masked(*config));
  return exit_ok;
}

int schema() {
  say(config::json_schema());
  return exit_ok;
}

int version() {
  say("sluice " SLUICE_VERSION "\n");
  return exit_ok;
}

}  // namespace sluice::cli
