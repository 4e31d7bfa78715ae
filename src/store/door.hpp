// The way to a database that may be damaged: it is tried in a process of its own, and built anew of
// what our checksums vouch for where it cannot be opened.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>

#include <sluice/base/result.hpp>
#include <sluice/store/engine.hpp>
#include <sluice/store/store.hpp>

#include "folder.hpp"
#include "rocksdb_engine.hpp"
#include "tally.hpp"

namespace sluice::store {

struct Door {
  std::string program;  // as of Options::program; empty: nothing is tried
  // A file that is there while it is opened, and after a process that ended in it, or by an
  // assertion or a fault later: then all of it is tried. Empty: none.
  std::string mark;
  Tally tally;                    // what is to be in it
  std::uint64_t trial_bytes = 0;  // of memory that trying it may take; 0: any
  TellOpening tell = nullptr;     // may be empty
  std::stop_token stopped = {};   // then nobody waits for a trial
};

// Comes up whenever it can: fails when the device does, when there is no room, and when the process
// may not use the files. `door.mark` stays if that ends the process; mark_opened() removes it.
[[nodiscard]] Result<std::unique_ptr<Engine>> open_database(const RocksDbOptions& options,
                                                            const Door& door);
void mark_opened(const Door& door);
// From now on, a process that an assertion or a fault ends makes the mark. Once per process.
void mark_at_abnormal_end(const Door& door);

// All that a store has on disk, for the process that uses it.
struct Files {
  std::shared_ptr<Folder> folder;
  TallyFile tally;
  Door door;  // mark_opened() once the store works
  std::unique_ptr<Engine> engine;
};
[[nodiscard]] Result<Files> open_files(const Options& options, std::stop_token stopped = {});

// A database that is only looked at: as it is, or a copy of what can be found in it, which is
// beside it, or, where there is no room, in the folder for temporary files.
class LookedAt {
 public:
  [[nodiscard]] static Result<LookedAt> open(const std::string& database, const Door& door);
  LookedAt(LookedAt&& other) noexcept = default;
  LookedAt& operator=(LookedAt&&) = delete;
  // Removes the copy.
  ~LookedAt();

  [[nodiscard]] Engine& engine() const { return *engine_; }
  // Why it is a copy; empty: it is none.
  [[nodiscard]] const std::string& doubt() const { return doubt_; }

 private:
  [[nodiscard]] static Result<LookedAt> open_copy(const std::string& database, const Door& door,
                                                  std::string doubt);
  LookedAt(std::unique_ptr<Engine> engine, std::string copy, std::string doubt)
      : engine_(std::move(engine)), copy_(std::move(copy)), doubt_(std::move(doubt)) {}

  std::unique_ptr<Engine> engine_;
  std::string copy_;
  std::string doubt_;
};

}  // namespace sluice::store
