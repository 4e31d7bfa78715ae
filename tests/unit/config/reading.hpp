// What the tests of this module share: a made-up world of variables and files, and the text of
// mistakes.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/config/load.hpp>

namespace sluice::config {

struct World {
  std::map<std::string, std::string> variables;
  std::map<std::string, std::string> files;

  // Holds a copy of this world.
  [[nodiscard]] Environment environment() const {
    return {.variable = [all = variables](const std::string& name) -> std::optional<std::string> {
              const auto found = all.find(name);
              return found == all.end() ? std::nullopt : std::optional(found->second);
            },
            .read_file = [all = files](const std::string& path) -> Result<std::string> {
              const auto found = all.find(path);
              if (found != all.end()) return found->second;
              return failure(std::errc::no_such_file_or_directory, "No such file or directory");
            }};
  }
};

// The smallest file, on lines 1 to 3; tests write what they are about below it.
inline constexpr std::string_view small_file =
    "workspaces:\n"
    "  - name: default\n"
    "    auth: {method: jwt, api_key: workspace-key}\n";

inline std::vector<std::string> mistakes_in(const std::string& text, const World& world = {}) {
  const auto config = parse(text, "sluice.yaml", world.environment());
  std::vector<std::string> texts;
  if (!config) {
    for (const Mistake& mistake : config.error()) texts.push_back(mistake.to_string());
  }
  return texts;
}

// The configuration of a text without mistakes.
inline Config config_of(const std::string& text, const World& world = {}) {
  auto config = parse(text, "sluice.yaml", world.environment());
  if (config) return *std::move(config);
  for (const Mistake& mistake : config.error()) ADD_FAILURE() << mistake.to_string();
  return {};
}

}  // namespace sluice::config
