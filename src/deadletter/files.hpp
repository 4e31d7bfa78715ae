// The files of the store: their names, and operations on them that last.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <unistd.h>

#include <sluice/base/result.hpp>
#include <sluice/deadletter/letter.hpp>

namespace sluice::deadletter {

// "cannot open …: Permission denied"
[[nodiscard]] std::unexpected<Error> failed(const std::string& doing, const std::string& path,
                                            int error);

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  Descriptor(Descriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~Descriptor() {
    if (descriptor_ >= 0) {
      ::close(descriptor_);
    }
  }
  [[nodiscard]] int get() const { return descriptor_; }
  explicit operator bool() const { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
};

struct SegmentFile {
  std::uint32_t number = 0;
  std::string path;
};
[[nodiscard]] std::string segment_path(const std::string& folder, std::uint32_t number);
// In ascending order; none for a folder that is not there.
[[nodiscard]] Result<std::vector<SegmentFile>> list_segments(const std::string& folder);

// The file's text, with padding for the parser behind it; empty when it is not there.
struct SegmentText {
  std::string padded;
  std::size_t size = 0;

  [[nodiscard]] std::string_view view() const { return std::string_view(padded).substr(0, size); }
};
[[nodiscard]] Result<SegmentText> read_segment(const std::string& path);
// The id of the segment's first letter as far as its first bytes tell; 0: they do not.
[[nodiscard]] LetterId first_id(const std::string& path);

// Writes all of it; not synced.
[[nodiscard]] Result<void> write_all(int file, std::string_view text, const std::string& path);
// Names that were made, changed or removed in the folder last.
[[nodiscard]] Result<void> sync_folder(const std::string& folder);
// The file has this text, or after an error still the one before; whichever it is, whole. Its
// folder is not synced.
[[nodiscard]] Result<void> replace_file(const std::string& path, std::string_view text);
inline constexpr std::string_view draft_suffix = ".new";

// Calls `use` with each whole line, without its line break.
template <class Use>
void for_each_line(std::string_view text, Use&& use) {
  for (std::size_t end = text.find('\n'); end != text.npos; end = text.find('\n')) {
    use(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
}

}  // namespace sluice::deadletter
