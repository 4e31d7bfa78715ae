// Building a database anew of what our own checksums vouch for in the files of one that cannot be
// opened, or whose reading ends the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include <sluice/base/result.hpp>
#include <sluice/store/engine.hpp>

#include "tally.hpp"

namespace sluice::store {

struct Salvage {
  std::uint64_t files = 0;             // in which something was found
  std::uint64_t records = 0;           // that were found
  std::uint64_t groups = 0;            // of them: with events, and had not been released
  std::uint64_t unreadable_bytes = 0;  // that the device refused to read
};

// Is told how many bytes were read, and how many there are to read in all.
using SalvageProgress = std::function<void(std::uint64_t done, std::uint64_t all)>;

// Writes to `to`, synced, what is found in the files of the folder `database`, which nobody has
// open and which is not changed. Of each key the last thing counts that was done to it, by the
// sequence numbers of RocksDB: what was written and then given up does not come back. Fails when
// `to` does, when the device refuses to read all of it, and when a file cannot be read for another
// reason than the device: nothing is given up for what this process may not or cannot do.
[[nodiscard]] Result<Salvage> salvage(const std::string& database, const Tally& tally, Engine& to,
                                      const SalvageProgress& progress = nullptr);

// Whether there is room beside it for a copy of it.
[[nodiscard]] bool has_room_for_copy(const std::string& database);

// A salvage of the database of a store's folder into a new one, which then is in its place: where
// the old one is kept. Where there is no room for two, what is found is moved instead, a piece at a
// time, and of the old one is kept what the device refuses to read. After a crash at any time, or
// when there is no room even for a piece, finish_exchange() and another rebuild() end what was
// begun. The new one holds up to three times `write_buffer_bytes` in memory while it is written.
struct Rebuilt {
  Salvage salvage;
  std::string aside;  // empty: it was moved
};
[[nodiscard]] Result<Rebuilt> rebuild(const std::string& database, const Tally& tally,
                                      std::size_t write_buffer_bytes,
                                      const SalvageProgress& progress = nullptr);
// Puts a database that was completed into its place, or the part that was saved of one that is
// gone; removes a copy that was not completed.
[[nodiscard]] Result<void> finish_exchange(const std::string& database);

// Where a database is moved to, or saved to while its files are gone (rocksdb_engine.hpp). While it
// is there, it has a part of what there is, and the database another one.
[[nodiscard]] std::string part_of(const std::string& database);
[[nodiscard]] bool is_in_parts(const std::string& database);
// Whether nothing was ever in it: also if it was not made to the end.
[[nodiscard]] bool is_new(const std::string& database);

}  // namespace sluice::store
