// Reading a configuration: YAML with ${VAR} interpolation in, a validated Config out, or every
// mistake in the file at once.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/base/result.hpp>
#include <sluice/config/config.hpp>

namespace sluice::config {

// One mistake. `mend` says what to write instead.
struct Mistake {
  std::string file;
  int line = 0;  // from 1; 0: the file as a whole
  std::string what;
  std::string mend;

  // "sluice.yaml:12: batch.max_events is 5000, above the API's limit of 1000: write 1000 or less"
  [[nodiscard]] std::string to_string() const;
};

// How the loader sees the world outside the text: variables and secret files. Tests hand in their
// own.
struct Environment {
  std::function<std::optional<std::string>(const std::string& name)> variable;
  std::function<Result<std::string>(const std::string& path)> read_file;
};
[[nodiscard]] const Environment& process_environment();

// Parses and validates `text`; `file` names it in mistakes. No I/O but through `environment`.
[[nodiscard]] Result<Config, std::vector<Mistake>> parse(std::string_view text,
                                                         const std::string& file,
                                                         const Environment& environment);
// Reads the file and parses it.
[[nodiscard]] Result<Config, std::vector<Mistake>> load(const std::string& file,
                                                        const Environment& environment);
// The file that a command uses: `asked` when not empty, else $SLUICE_CONFIG, ./sluice.yaml,
// /etc/sluice/sluice.yaml, whichever is there first. The error lists where it looked.
[[nodiscard]] Result<std::string> find_file(const std::string& asked,
                                            const Environment& environment);

// The effective configuration as YAML, every default filled in, every secret as "********".
[[nodiscard]] std::string to_yaml_masked(const Config& config);

}  // namespace sluice::config
