#include "reserve.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <sluice/base/log.hpp>
#include <sluice/store/store.hpp>

namespace sluice::store {
namespace {

// What opening writes, and the removal of what has ended until tables can go, fits into the least;
// more than the most is of no use.
constexpr std::uint64_t reserve_share = 16;
constexpr std::uint64_t reserve_bytes_min = 4U << 20;
constexpr std::uint64_t reserve_bytes_max = 64U << 20;

// Makes a file of that size, with blocks behind all of it, that survives a crash; 0 or what failed.
int allocate(const std::string& path, std::uint64_t bytes) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
  if (file < 0) {
    return errno;
  }
  int error = ::posix_fallocate(file, 0, static_cast<off_t>(bytes));
  if (error == 0 && ::fsync(file) != 0) {
    error = errno;
  }
  ::close(file);
  return error;
}

}  // namespace

std::optional<FileSystemRoom> room_on(const std::string& path) {
  struct statvfs stats{};
  for (std::filesystem::path at = path;; at = at.parent_path()) {
    const std::string place = at.empty() ? "." : at.string();
    if (::statvfs(place.c_str(), &stats) == 0) {
      return FileSystemRoom{.size_bytes = std::uint64_t{stats.f_blocks} * stats.f_frsize,
                            .free_bytes = std::uint64_t{stats.f_bavail} * stats.f_frsize};
    }
    if (errno != ENOENT || at.empty() || at == at.parent_path()) {
      return std::nullopt;
    }
  }
}

std::optional<std::uint64_t> room_for_store(const std::string& path) {
  namespace fs = std::filesystem;
  const auto room = room_on(path);
  if (!room) {
    return std::nullopt;
  }
  std::uint64_t bytes = room->free_bytes;
  std::error_code error;
  if (const auto reserve = fs::file_size(path + "/reserve", error); !error) {
    bytes += reserve;
  }
  for (fs::directory_iterator at(path + "/db", error), end; !error && at != end;
       at.increment(error)) {
    std::error_code gone;
    if (const auto size = at->file_size(gone); !gone) {
      bytes += size;
    }
  }
  return bytes;
}

Reserve::Reserve(std::string path) : path_(std::move(path)) {
  const auto room = path_.empty() ? std::nullopt : room_on(path_);
  if (!room) {
    return;
  }
  size_bytes_ = std::clamp(room->size_bytes / reserve_share, reserve_bytes_min, reserve_bytes_max);
  std::error_code error;
  const std::uint64_t found = std::filesystem::file_size(path_, error);
  if (error) {
    return;
  }
  held_bytes_.store(found, std::memory_order_relaxed);
  if (found != size_bytes_) {  // of a file system that had another size, or half made
    give_back();
  }
}

bool Reserve::try_take() {
  if (is_held()) {
    return true;
  }
  const auto room = room_on(path_);
  if (!room || room->free_bytes < 2 * size_bytes_) {
    return false;
  }
  const int error = allocate(path_, size_bytes_);
  if (error == 0) {
    held_bytes_.store(size_bytes_, std::memory_order_relaxed);
    return true;
  }
  give_back();
  if (error != ENOSPC && error != EDQUOT) {
    SLUICE_LOG(warn,
               "no room can be kept for the time when the disk is full: keep other writers off the "
               "buffer's file system",
               {"path", path_}, {"error", std::generic_category().message(error)});
    size_bytes_ = 0;
  }
  return is_held();
}

void Reserve::give_back() {
  std::error_code error;
  std::filesystem::remove(path_, error);
  held_bytes_.store(0, std::memory_order_relaxed);
}

}  // namespace sluice::store
