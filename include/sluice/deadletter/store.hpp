// The store of dead letters: a folder of files with one letter per line, written for people too.
//
//   dead-letters-00000001.jsonl    segments, in the order of their numbers and of the letters' ids
//   LOCK                           held by the process that may write
//   *.jsonl.new                    a segment that was being rewritten; removed at the next start
//
// What was appended is on disk before anybody is told. A line that a crash cut off is removed at
// the next start: it had not been acknowledged to anyone. Any other line that is no letter is kept,
// counted and skipped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <sluice/base/result.hpp>
#include <sluice/deadletter/letter.hpp>
#include <sluice/deadletter/query.hpp>

namespace sluice::deadletter {

// A step of a removal.
struct Removal {
  std::uint64_t letters = 0;
  std::optional<LetterId> next;  // there may be more behind this one
};

// Thread-safe: calls take turns. Blocks for the disk; not for a thread that has other work.
class Store {
 public:
  virtual ~Store() = default;
  // All letters are on disk, synced, when this returns without an error. None counts as stored
  // after an error: the disk's, or `bytes_max` being reached (std::errc::no_space_on_device). An
  // empty store takes whatever comes, so that no limit can hold a lane for ever.
  virtual Result<void> append(std::span<const Letter> letters) = 0;
  [[nodiscard]] virtual Result<Page> read(const Query& query) = 0;
  // Removes, oldest first, what is selected behind `after` and up to `last`. On disk when it
  // returns; after an error, part of it may have been removed. Only what is left of a segment is
  // written again, which takes that much room on the disk for the moment.
  [[nodiscard]] virtual Result<Removal> remove(const Selection& selection, LetterId after,
                                               LetterId last) = 0;

  // Without waiting for a call that is under way.
  [[nodiscard]] virtual std::uint64_t size_bytes() const = 0;
  [[nodiscard]] virtual std::uint64_t letters() const = 0;
  [[nodiscard]] virtual std::uint64_t unreadable_lines() const = 0;
  [[nodiscard]] virtual LetterId last_id() const = 0;  // that was given
};

struct StoreOptions {
  std::string folder;  // created where it is missing
  std::uint64_t bytes_max = 0;
  std::size_t segment_bytes_max = 16U << 20;  // from which on the next one is begun
};

// Reads all files once. A `dead-letters.jsonl` of an earlier version is taken over. Fails when
// another process has the store open, and when the folder cannot be used.
[[nodiscard]] Result<std::unique_ptr<Store>> open_store(const StoreOptions& options);
[[nodiscard]] inline Result<std::unique_ptr<Store>> open_store(const std::string& folder,
                                                               std::uint64_t bytes_max) {
  return open_store({.folder = folder, .bytes_max = bytes_max});
}

}  // namespace sluice::deadletter
