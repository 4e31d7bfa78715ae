// Saving what an open database still holds when its files are gone.
#pragma once

#include <functional>
#include <set>
#include <string>

#include <rocksdb/db.h>

namespace sluice::store {

// Writes all that can still be read of the one into the other, which is empty, and syncs it: tables
// that are not open any more are passed over. `workspaces` are the keys `A` that were ever seen in
// it; of others, what stands among the keys of such a table may be missed. What is missing is found
// missing, and counted, when it is read. An error is that of writing.
[[nodiscard]] rocksdb::Status copy_database(rocksdb::DB& from, rocksdb::DB& into,
                                            const std::set<std::string, std::less<>>& workspaces);

}  // namespace sluice::store
