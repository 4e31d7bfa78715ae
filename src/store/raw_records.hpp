// Finding our records in the bytes of RocksDB's files without RocksDB: for a store that it does not
// open, or that it would end the process over.
//
// Nothing of the files has to be right: the checksum of each record says whether it is one. Where
// their structure is intact, records are found by it; where it is not, by how they look. Removals
// have no checksum of their own: they count where that of the batch or block around them is right.
//
// A file is read a piece at a time. Held at once are 64 KiB of it and the largest record in it
// (looked for in a damaged place: of 32 MiB at most), which was in memory when it was written, too;
// of a table also its index, a thousandth of it, and one block.
//
// Sources: docs of RocksDB, "Write Ahead Log File Format" and "Rocksdb BlockBasedTable Format".
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "raw_file.hpp"

namespace sluice::store {

// An entry of a file; valid during the call.
struct RawEntry {
  std::string_view key;
  std::string_view value;  // whose checksum is right; of a removal: empty
  // RocksDB's number of the write. In a damaged place it is that of the last one before it, or a
  // little more.
  std::uint64_t sequence = 0;
  bool is_removal = false;
  // Of the file: all that is before has been given, but for what may come once more from there on.
  std::uint64_t offset = 0;
};
using RawSink = std::function<void(const RawEntry&)>;

// The lowest and the highest of a file, by what is intact of it; none: first > last.
struct Sequences {
  std::uint64_t first = ~std::uint64_t{0};
  std::uint64_t last = 0;
  // The lowest with which a batch of a log begins, whether or not all of it is there.
  std::uint64_t head = ~std::uint64_t{0};
  bool has_gaps = false;  // of a table a part could not be read as such

  [[nodiscard]] bool any() const { return first <= last; }
  void add(std::uint64_t from, std::uint64_t to) {
    first = from < first ? from : first;
    last = to > last ? to : last;
  }
};

// In a write-ahead log, in the order in which they were written, but for the removals of a batch,
// which come at its end.
Sequences find_in_log(RawBytes& bytes, const RawSink& sink);
// In a table; keys ascend, unless something is damaged. Of several versions of a key the newest.
Sequences find_in_table(RawBytes& bytes, const RawSink& sink);
// Whether it ends as a table does.
[[nodiscard]] bool is_table(RawBytes& bytes);

}  // namespace sluice::store
