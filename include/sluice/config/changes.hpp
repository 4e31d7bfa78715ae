// What differs between the configuration that runs and another one, key by key. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <sluice/config/config.hpp>

namespace sluice::config {

// What a reload does about a key that has another value. Each key says it where it is described.
enum class OnReload : std::uint8_t {
  take,      // takes it over
  restart,   // leaves it as it is, until a restart
  quietly,   // takes it over without a word: it says only what a configuration may ask for
  each_key,  // of a section: as each of its keys says
};

// Whether a value is taken over. `key` is its path in the file ("ingest.threads"); those of a
// workspace come behind its name ("workspace shop: auth.method").
using Takes = std::function<bool(const std::string& key, OnReload on_reload)>;

// Asks for each key whose value differs, in the order of the file, and copies into `running` what
// is taken. A section that is taken or left as a whole is asked for once, by its own name; so is
// the list of the workspaces' names, when it differs. Workspaces are told apart by their names.
void reconcile(Config& running, const Config& wanted, const Takes& takes);

}  // namespace sluice::config
