// What a store knows of its workspaces when it is opened. Reads as much whatever the backlog,
// unless something is damaged.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/store/engine.hpp>

#include "codec.hpp"
#include "release_log.hpp"

namespace sluice::store {

struct LoadedWorkspace {
  WorkspaceId id = 0;
  std::string name;  // empty: unreadable
  Position next;     // of the next group
  ReleaseLog releases{0};
  bool has_low = true;  // else before which ticket all was released is what the events suggest
};

// All of these fail on Errc::failed only: what is corrupt is logged, and made up for as well as
// possible.

// The workspace's id: a hash of its name, so that no damage can part the two. Avoids those that are
// taken.
[[nodiscard]] Result<WorkspaceId> id_of(Engine& engine, std::string_view name,
                                        const std::set<WorkspaceId>& taken);
// As it is stored; as new if it is not.
[[nodiscard]] Result<LoadedWorkspace> load_workspace(Engine& engine, WorkspaceId id);
// The ids of all that are stored.
[[nodiscard]] Result<std::set<WorkspaceId>> stored_ids(Engine& engine);

}  // namespace sluice::store
