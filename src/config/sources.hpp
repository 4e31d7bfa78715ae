// Reads the rules of mapped sources.
#pragma once

#include <memory>
#include <vector>

#include <sluice/config/config.hpp>

#include "place.hpp"

namespace sluice::config {

[[nodiscard]] std::vector<std::shared_ptr<const mapping::Source>> read_sources(
    const Place& sources, const std::vector<Workspace>& workspaces);

// Whether this member of an event or a transaction is an object by nature, whose members are
// written without `object:` above them.
[[nodiscard]] bool is_plain_object(std::string_view member);

}  // namespace sluice::config
