// Reads the file: its sections by their tables (table.hpp) and, by hand, what looks at more than
// one key.
#pragma once

#include <sluice/config/config.hpp>

#include "place.hpp"

namespace sluice::config {

// Reads the whole file into `config`, whose members hold the defaults.
void read_file(const Place& root, Config& config);

// The workspace that the section's key `workspace` names. Left out it is the only one there is;
// with several it must be said, so that no event ends in the wrong one.
[[nodiscard]] std::string read_workspace_reference(const Section& section,
                                                   const std::vector<Workspace>& workspaces);

// The section's name, which `taken` must not have yet. Without `otherwise` it must be there.
[[nodiscard]] std::string read_unique_name(const Section& section, std::vector<std::string>& taken,
                                           std::optional<std::string> otherwise = {});

}  // namespace sluice::config
