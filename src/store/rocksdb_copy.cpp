#include "rocksdb_copy.hpp"

#include <memory>

#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>

#include <sluice/base/log.hpp>

namespace sluice::store {
namespace {

constexpr std::size_t copied_at_once_bytes = 1U << 20;

}  // namespace

rocksdb::Status copy_database(rocksdb::DB& from, rocksdb::DB& into) {
  rocksdb::ReadOptions how;
  how.fill_cache = false;
  how.ignore_range_deletions = true;
  const std::unique_ptr<rocksdb::Iterator> iterator(from.NewIterator(how));
  rocksdb::WriteBatch batch;
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
    rocksdb::Status status = batch.Put(iterator->key(), iterator->value());
    if (status.ok() && batch.GetDataSize() >= copied_at_once_bytes) {
      status = into.Write({}, &batch);
      batch.Clear();
    }
    if (!status.ok()) {
      return status;
    }
  }
  if (!iterator->status().ok()) {
    // What is missing is found missing, and counted, when it is read.
    SLUICE_LOG(error, "a part of what the disk buffer held cannot be saved",
               {"error", iterator->status().ToString()});
  }
  rocksdb::WriteOptions synced;
  synced.sync = true;
  return into.Write(synced, &batch);
}

}  // namespace sluice::store
