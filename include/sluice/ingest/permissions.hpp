// What a workspace's key may do upstream, for integrations that ask for it at the ingest address
// when their settings are saved.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <vector>

#include <sluice/deliver/permissions.hpp>

namespace sluice::ingest {

// Why nobody knows.
struct PermissionTrouble {
  bool is_refused = false;  // the upstream has answered, and not as it should; else it is away
  std::string why;
};
using PermissionAnswer = std::expected<deliver::Permissions, PermissionTrouble>;

// Asks for these names. Any thread; `done` is called once, on any thread but not within the call,
// whatever happens, and within seconds.
using AskPermissions =
    std::function<void(std::vector<std::string> names, std::function<void(PermissionAnswer)> done)>;

}  // namespace sluice::ingest
