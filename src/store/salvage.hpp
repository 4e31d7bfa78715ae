// Building a database anew of what our own checksums vouch for in the files of one that cannot be
// opened, or whose reading ends the process.
#pragma once

#include <cstdint>
#include <string>

#include <sluice/base/result.hpp>
#include <sluice/store/engine.hpp>

#include "tally.hpp"

namespace sluice::store {

struct Salvage {
  std::uint64_t files = 0;             // that were looked through
  std::uint64_t records = 0;           // that were found
  std::uint64_t groups = 0;            // of them: with events, and had not been released
  std::uint64_t unreadable_bytes = 0;  // that the device refused to read
};

// Writes to `to`, synced, what is found in the files of the folder `database`, which nobody has
// open and which is not changed. Fails when `to` does, and when the device refuses to read all of
// it.
[[nodiscard]] Result<Salvage> salvage(const std::string& database, const Tally& tally, Engine& to);

// A salvage of the database of a store's folder into a new one, which then is in its place: where
// the old one is kept. After a crash at any time, finish_exchange() ends what was begun.
struct Rebuilt {
  Salvage salvage;
  std::string aside;
};
[[nodiscard]] Result<Rebuilt> rebuild(const std::string& database, const Tally& tally);
// Puts a database that was completed into its place; removes one that was not.
[[nodiscard]] Result<void> finish_exchange(const std::string& database);

}  // namespace sluice::store
