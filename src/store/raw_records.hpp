// Finding our records in the bytes of RocksDB's files without RocksDB: for a store that it does not
// open, or that it would end the process over.
//
// Nothing of the files has to be right: the checksum of each record says whether it is one. Where
// their structure is intact, records are found by it; where it is not, by how they look. Removals
// are not looked for: what was released is known from the records `L` and `R`.
//
// Sources: docs of RocksDB, "Write Ahead Log File Format" and "Rocksdb BlockBasedTable Format".
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace sluice::store {

// Takes a record whose checksum is right; valid during the call.
using RecordSink = std::function<void(std::string_view key, std::string_view value)>;

// In a write-ahead log, in the order in which they were written.
void find_in_log(std::string bytes, const RecordSink& sink);
// In a table; keys ascend, unless something is damaged.
void find_in_table(std::string_view bytes, const RecordSink& sink);
// Whether it ends as a table does.
[[nodiscard]] bool is_table(std::string_view bytes);

}  // namespace sluice::store
