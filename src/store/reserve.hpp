// Room that is kept for the time when there is no other: a store on a full disk can be opened, read
// back and rid of what has ended only if something can still be written.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

namespace sluice::store {

struct FileSystemRoom {
  std::uint64_t size_bytes = 0;
  std::uint64_t free_bytes = 0;  // for this process
};
// Of the file system of the path, or of the nearest folder above it that exists; nothing if it
// cannot be told.
[[nodiscard]] std::optional<FileSystemRoom> room_on(const std::string& path);

// A file that takes the room. Belongs to one thread, but for held_bytes().
class Reserve {
 public:
  // `path` is the file; empty: nothing is kept. Nothing is touched but a file of another size,
  // which goes.
  explicit Reserve(std::string path);

  // A sixteenth of the file system, 4 to 64 MiB; 0: nothing is kept.
  [[nodiscard]] std::uint64_t size_bytes() const { return size_bytes_; }
  // What of it is there.
  [[nodiscard]] std::uint64_t held_bytes() const {
    return held_bytes_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] bool is_held() const { return held_bytes() == size_bytes_; }
  // Takes it, synced, if as much again is free besides; whether it is held now. A file system that
  // cannot keep room is said once, and counts as one without.
  bool try_take();
  void give_back();

 private:
  const std::string path_;
  std::uint64_t size_bytes_ = 0;
  std::atomic<std::uint64_t> held_bytes_{0};
};

}  // namespace sluice::store
