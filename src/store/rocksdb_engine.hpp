// The engine in production: RocksDB, in a folder of its own.
#pragma once

#include <cstddef>
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
};

// Comes up whenever it can: with a write-ahead log that is damaged, by repair, and in the last
// resort with nothing, what was there being renamed to corrupt-<time> beside it (not if
// `read_only`).
[[nodiscard]] Result<std::unique_ptr<Engine>> open_rocksdb(const RocksDbOptions& options);

// Renames a RocksDB that is not open to corrupt-<time> beside it. Its new path.
[[nodiscard]] Result<std::string> set_database_aside(const std::string& path);

}  // namespace sluice::store
