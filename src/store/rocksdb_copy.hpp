// Saving what an open database still holds when its files are gone.
#pragma once

#include <rocksdb/db.h>

namespace sluice::store {

// Writes all that can still be read of the one into the other, which is empty, and syncs it.
[[nodiscard]] rocksdb::Status copy_database(rocksdb::DB& from, rocksdb::DB& into);

}  // namespace sluice::store
