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
  std::string reserve_path = {};  // see Reserve; empty: may fill the disk, and keeps no room
  // Makes the folder above again when it is gone; empty: nothing is made again.
  std::function<Result<void>()> restore_folder = nullptr;
};

// Comes up whenever it can: with a write-ahead log that is damaged, by repair, and in the last
// resort with nothing, what was there being renamed to corrupt-<time> beside it (not if
// `read_only`). On a full disk it gives its reserve back, and writes no more than that; if even
// that does not do, it can be read, writes fail with Errc::disk_full, and reopen() tries again.
[[nodiscard]] Result<std::unique_ptr<Engine>> open_rocksdb(const RocksDbOptions& options);

// Renames a RocksDB that is not open to corrupt-<time> beside it. Its new path.
[[nodiscard]] Result<std::string> set_database_aside(const std::string& path);

}  // namespace sluice::store
