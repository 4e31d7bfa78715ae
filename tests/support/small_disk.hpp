// A small file system, for what only a full disk does.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include <sys/mount.h>

namespace sluice::test {

// 64 MiB, mounted at the path, which is made, for its scope. Mounting takes root: see mounted().
class SmallDisk {
 public:
  explicit SmallDisk(std::string path) : path_(std::move(path)) {
    std::filesystem::create_directories(path_);
    mounted_ = ::mount("tmpfs", path_.c_str(), "tmpfs", 0, "size=64m") == 0;
  }
  ~SmallDisk() {
    if (mounted_) {
      ::umount2(path_.c_str(), MNT_DETACH);
    }
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  [[nodiscard]] bool mounted() const { return mounted_; }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  // Takes all the room there is, and gives it back.
  void fill() {
    std::ofstream junk(*this / "junk", std::ios::binary);
    const std::string block(1U << 20, 'x');
    while (junk.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  // Nothing on it is open. Whether it could be done.
  [[nodiscard]] bool make_read_only(bool read_only) {
    return ::mount("tmpfs", path_.c_str(), "tmpfs",
                   static_cast<unsigned long>(MS_REMOUNT) |
                       (read_only ? static_cast<unsigned long>(MS_RDONLY) : 0UL),
                   "size=64m") == 0;
  }
  void empty() { std::filesystem::remove(*this / "junk"); }

 private:
  std::string path_;
  bool mounted_ = false;
};

}  // namespace sluice::test
