// The seam between the disk buffer and what keeps its bytes: a few operations on an ordered
// key-value store. RocksDB in production; an engine in memory that loses what was not synced in
// tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <sluice/base/result.hpp>

namespace sluice::store {

// What is wrong with a store.
enum class Errc : std::uint8_t {
  failed = 1,  // the device or the file system refuses; may work again later
  disk_full,   // no space is left, or a quota is exhausted
  corrupt,     // what is there is not what was written; will not mend itself
  locked,      // another process has it open
  format,      // written in a format that this version does not read
  unreadable,  // the device refuses to read this, and perhaps nothing else; may work again
  gone,  // its files are not where they were: deleted, renamed, or something mounted over them
};
[[nodiscard]] std::error_code make_error_code(Errc code);

// What is written as one: all of it or nothing, in this order.
class Batch {
 public:
  enum class Kind : std::uint8_t {
    put,
    remove,
    remove_range,  // from `key` up to, and without, `value`; costs as much as reading what is there
  };
  struct Operation {
    Kind kind;
    std::string_view key;
    std::string_view value;
  };

  void put(std::string_view key, std::string_view value) { add(Kind::put, key, value); }
  void remove(std::string_view key) { add(Kind::remove, key, {}); }
  void remove_range(std::string_view from, std::string_view to) {
    add(Kind::remove_range, from, to);
  }
  void clear() {
    bytes_.clear();
    places_.clear();
  }
  [[nodiscard]] bool empty() const { return places_.empty(); }
  [[nodiscard]] std::size_t size_bytes() const { return bytes_.size(); }
  [[nodiscard]] std::size_t size() const { return places_.size(); }
  // Valid until the batch changes.
  [[nodiscard]] Operation operator[](std::size_t index) const {
    const Place& place = places_[index];
    const std::string_view all = bytes_;
    return {.kind = place.kind,
            .key = all.substr(place.offset, place.key_size),
            .value = all.substr(place.offset + place.key_size, place.value_size)};
  }

 private:
  struct Place {
    Kind kind;
    std::uint32_t key_size;
    std::uint32_t value_size;
    std::size_t offset;
  };
  void add(Kind kind, std::string_view key, std::string_view value) {
    places_.push_back({.kind = kind,
                       .key_size = static_cast<std::uint32_t>(key.size()),
                       .value_size = static_cast<std::uint32_t>(value.size()),
                       .offset = bytes_.size()});
    bytes_ += key;
    bytes_ += value;
  }

  std::string bytes_;
  std::vector<Place> places_;
};

// Keys are ordered by their bytes. write(), sync(), has_room(), make_room(), reopen() and close()
// belong to one thread, the others may be called on any, also meanwhile. Every failure is one of
// Errc.
class Engine {
 public:
  // Takes an entry, valid during the call. False: enough.
  using Sink = std::function<bool(std::string_view key, std::string_view value)>;

  struct Stats {
    std::uint64_t disk_bytes = 0;         // that its files take
    std::uint64_t written_bytes = 0;      // since it was opened: log, tables, and tables rewritten
    std::uint64_t log_dropped_bytes = 0;  // of the write-ahead log, unreadable when it was opened
    std::uint64_t repairs = 0;            // stores that had to be built anew
    std::uint64_t set_aside = 0;          // of them: nothing was found in
    std::uint64_t reserve_bytes = 0;      // kept for when the disk is full; 0: given back, or none
    std::uint64_t free_bytes = 0;         // on its file system
    std::uint64_t stray_tables = 0;       // files that it does not know, when opened to be read
  };

  virtual ~Engine() = default;

  // Visible to reads when it returns without an error, and, with `sync`, on stable storage, where
  // the next start finds it. After
  // an error the batch may be there in part or whole, now or after the next reopen().
  virtual Result<void> write(const Batch& batch, bool sync) = 0;
  // What was written before is on stable storage.
  virtual Result<void> sync() = 0;
  // The two fail with Errc::unreadable where the device does.
  //
  // Gives the entries from `from` up to, and without, `to`, in ascending order. An error
  // Errc::corrupt means that it cannot go on behind the last given one, or from `from`: something
  // there, or further on, is unreadable. get() may still find entries there.
  virtual Result<void> read(std::string_view from, std::string_view to, const Sink& sink) = 0;
  // The value of one key; nothing if it is not there.
  virtual Result<std::optional<std::string>> get(std::string_view key) = 0;
  // Gives space back to the file system: everything in that range was removed, which is on stable
  // storage. `thoroughly` may take long.
  virtual void reclaim(std::string_view from, std::string_view to, bool thoroughly) = 0;
  // Whether more may be taken in: what it takes to open the store again, and to remove what has
  // ended, stays free then. Cheap: asked before each commit.
  [[nodiscard]] virtual bool has_room() = 0;
  // There is none: gives back what was removed, as far as that is worth while and works on a full
  // disk. So many bytes are not removed, at most. May take long; an error means that reopen() has
  // to follow.
  virtual Result<void> make_room(std::uint64_t live_bytes) = 0;
  // Closes and opens again, after failures. After Errc::gone it does so when the files are back;
  // where their folder can be made again instead, what can still be read is saved there. Until then
  // it fails with Errc::gone, and what can be read stays so.
  virtual Result<void> reopen() = 0;
  // Nothing but stats() is called afterwards.
  virtual void close() = 0;
  [[nodiscard]] virtual Stats stats() const = 0;
};

}  // namespace sluice::store

template <>
struct std::is_error_code_enum<sluice::store::Errc> : std::true_type {};
