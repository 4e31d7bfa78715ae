// The subcommands. Each returns the exit code; `config_file` is --config, empty when it was not
// given.
#pragma once

#include <string>

#include <sluice/base/result.hpp>
#include <sluice/config/config.hpp>

namespace sluice::cli {

// Finds and loads the configuration; prints every mistake in it to standard error.
[[nodiscard]] Result<config::Config, int> load_config(const std::string& config_file);

[[nodiscard]] int serve(const std::string& config_file);
[[nodiscard]] int check(const std::string& config_file);

struct MapOptions {
  std::string source;  // empty: the only one that is configured
  bool lines = false;  // standard input is NDJSON, whatever it looks like
};
// Raw events on standard input; what the source's rules and the workspace's validation make of them
// on standard output, one line each.
[[nodiscard]] int map(const std::string& config_file, const MapOptions& options);

[[nodiscard]] int version();

}  // namespace sluice::cli
