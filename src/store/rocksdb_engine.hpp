// The engine in production: RocksDB, in a folder of its own.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include <sluice/store/engine.hpp>

namespace rocksdb {
class Env;
}

namespace sluice::store {

struct RocksDbOptions {
  std::string path;             // the folder; its parent exists
  bool read_only = false;       // nothing is changed, also not to recover; writes fail
  rocksdb::Env* env = nullptr;  // outlives the engine; none: the system's
  std::size_t write_buffer_bytes = 32U << 20;
  std::size_t table_bytes = 32U << 20;  // of a table in which there are others' keys
  int open_files_max = 64;              // tables, and ten; at least 20
  bool is_tight = false;                // every byte counts: tables are compressed at once
  std::string reserve_path = {};        // see Reserve; empty: may fill the disk, and keeps no room
  // Makes the folder above again when it is gone; empty: nothing is made again.
  std::function<Result<void>()> restore_folder = nullptr;
  // Whether it can be opened without harm to the process; asked before it is opened again after a
  // failure. May be empty.
  std::function<Result<void>()> trial = nullptr;
  // For stats(): it was built anew of an earlier one, in which nothing was found.
  bool is_rebuilt = false;
  bool is_empty_rebuilt = false;
};

// Opens it as it is, or fails. On a full disk it gives its reserve back, and writes no more than
// that; if even that does not do, it can be read, writes fail with Errc::disk_full, and reopen()
// tries again. What cannot be opened may also end the process: open_database() in door.hpp sees to
// that.
[[nodiscard]] Result<std::unique_ptr<Engine>> open_rocksdb(const RocksDbOptions& options);

}  // namespace sluice::store
