// Which file a path leads to, to see that it is still the same one.
#pragma once

#include <optional>
#include <string>

#include <sys/stat.h>

namespace sluice::store {

struct FileIdentity {
  dev_t device;
  ino_t inode;

  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

// Nothing if there is none.
[[nodiscard]] inline std::optional<FileIdentity> identity_of(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) {
    return std::nullopt;
  }
  return FileIdentity{.device = found.st_dev, .inode = found.st_ino};
}
[[nodiscard]] inline std::optional<FileIdentity> identity_of(int file) {
  struct stat found{};
  if (::fstat(file, &found) != 0) {
    return std::nullopt;
  }
  return FileIdentity{.device = found.st_dev, .inode = found.st_ino};
}

}  // namespace sluice::store
