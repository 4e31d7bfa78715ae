#include "reload.hpp"

#include <algorithm>
#include <map>

#include <sluice/config/changes.hpp>

namespace sluice::runtime {
namespace {

bool runs(const config::Config& config, const std::string& workspace) {
  return std::ranges::find(config.workspaces, workspace, &config::Workspace::name) !=
         config.workspaces.end();
}

// Keys that could be taken over, and this time need a restart all the same; with what is said of
// them behind their names.
std::map<std::string, std::string, std::less<>> held_back(const config::Config& running,
                                                          const config::Config& wanted) {
  std::map<std::string, std::string, std::less<>> keys;
  if (running.ingest.tls.has_value() != wanted.ingest.tls.has_value()) {
    keys["ingest.tls"] = "";
  }
  constexpr const char* no_workspace = " (of a workspace that does not run yet)";
  const bool producers_fit = std::ranges::all_of(
      wanted.ingest.producers,
      [&](const config::Producer& producer) { return runs(running, producer.workspace); });
  if (!producers_fit) {
    keys["ingest.producers"] = no_workspace;
  }
  const bool sources_fit = std::ranges::all_of(
      wanted.sources, [&](const auto& source) { return runs(running, source->workspace); });
  if (!sources_fit) {
    keys["sources"] = no_workspace;
  }
  return keys;
}

// The key of another account comes into use together with the account, and is no change of its own.
void leave_keys_of_other_accounts(const config::Config& running, config::Config& wanted) {
  for (config::Workspace& workspace : wanted.workspaces) {
    const auto now =
        std::ranges::find(running.workspaces, workspace.name, &config::Workspace::name);
    if (now != running.workspaces.end() &&
        (now->auth.method != workspace.auth.method ||
         now->auth.workspace_guid != workspace.auth.workspace_guid ||
         now->base_url != workspace.base_url)) {
      workspace.auth.api_key = now->auth.api_key;
    }
  }
}

}  // namespace

ReloadPlan plan_reload(const config::Config& running, const config::Config& wanted) {
  ReloadPlan plan{.next = running, .taken_over = {}, .needs_restart = {}};
  config::Config target = wanted;
  leave_keys_of_other_accounts(running, target);
  const auto held = held_back(running, wanted);
  config::reconcile(plan.next, target, [&](const std::string& key, config::OnReload on_reload) {
    const auto why = held.find(key);
    if (on_reload == config::OnReload::restart || why != held.end()) {
      plan.needs_restart.push_back(why == held.end() ? key : key + why->second);
      return false;
    }
    if (on_reload != config::OnReload::quietly) {
      plan.taken_over.push_back(key);
    }
    return true;
  });
  plan.next.buffer.max_bytes_given = wanted.buffer.max_bytes_given;
  return plan;
}

}  // namespace sluice::runtime
