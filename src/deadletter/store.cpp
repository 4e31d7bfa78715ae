#include <array>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <mutex>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/base/json_text.hpp>
#include <sluice/base/log.hpp>
#include <sluice/base/rng.hpp>
#include <sluice/deadletter/store.hpp>
#include <sluice/normalise/time.hpp>

namespace sluice::deadletter {
namespace {

std::unexpected<Error> failed(const std::string& doing, const std::string& path, int error) {
  const std::error_code code(error, std::generic_category());
  return failure(code, "cannot " + doing + " " + path + ": " + code.message());
}

class Descriptor {
 public:
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

 private:
  int descriptor_;
};

void append_time(std::string& line, WallTime time) {
  std::array<char, time_text_size> text{};
  format_time(time, text.data());
  append_json_string(line, {text.data(), text.size()});
}

std::string to_line(const Letter& letter, std::uint64_t id) {
  std::string line = "{\"id\":\"" + std::to_string(id) + "\",\"workspace\":";
  append_json_string(line, letter.workspace);
  line += ",\"kind\":";
  append_json_string(line, letter.kind);
  line += ",\"reason\":";
  append_json_string(line, letter.reason);
  line += ",\"status\":" + std::to_string(letter.status) + ",\"answer\":";
  append_json_string(line, letter.answer);
  line += ",\"attempts\":" + std::to_string(letter.attempts) + ",\"first_attempt_at\":";
  append_time(line, letter.first_attempt_at);
  line += ",\"last_attempt_at\":";
  append_time(line, letter.last_attempt_at);
  line += ",\"event\":" + letter.event + "}\n";
  return line;
}

class FileStore final : public Store {
 public:
  FileStore(std::string path, Descriptor file, std::uint64_t size, std::uint64_t bytes_max)
      : path_(std::move(path)), file_(std::move(file)), size_(size), bytes_max_(bytes_max) {}

  Result<void> append(std::span<const Letter> letters) override {
    const std::lock_guard lock(mutex_);
    std::string lines;
    for (const Letter& letter : letters) {
      lines += to_line(letter, rng_() >> 1);
    }
    const std::uint64_t size = size_.load(std::memory_order_relaxed);
    if (size + lines.size() > bytes_max_) {
      return failure(
          std::errc::no_space_on_device,
          path_ +
              " would exceed dead_letter.max_bytes: raise it, or move the file away, and restart");
    }
    if (auto written = write(lines); !written) {
      // Half a line must not stay: the next one would be glued to it.
      if (::ftruncate(file_.get(), static_cast<off_t>(size)) != 0) {
        SLUICE_LOG(error, "cannot cut off a half-written dead letter", {"path", path_},
                   {"error", std::generic_category().message(errno)});
      }
      return written;
    }
    size_.store(size + lines.size(), std::memory_order_relaxed);
    return {};
  }

  [[nodiscard]] std::uint64_t size_bytes() const override {
    return size_.load(std::memory_order_relaxed);
  }

 private:
  Result<void> write(std::string_view lines) {
    while (!lines.empty()) {
      const ssize_t count = ::write(file_.get(), lines.data(), lines.size());
      if (count < 0 && errno != EINTR) {
        return failed("write to", path_, errno);
      }
      lines.remove_prefix(count < 0 ? 0 : static_cast<std::size_t>(count));
    }
    if (::fdatasync(file_.get()) != 0) {
      return failed("sync", path_, errno);
    }
    return {};
  }

  const std::string path_;
  std::mutex mutex_;
  Descriptor file_;
  Rng rng_ = Rng::from_system_entropy();
  std::atomic<std::uint64_t> size_;
  const std::uint64_t bytes_max_;
};

// The size up to the last whole line.
Result<std::uint64_t> whole_lines(int file, std::uint64_t size, const std::string& path) {
  std::array<char, 4096> block{};
  while (size > 0) {
    const std::size_t length = std::min<std::uint64_t>(block.size(), size);
    const ssize_t count = ::pread(file, block.data(), length, static_cast<off_t>(size - length));
    if (count != static_cast<ssize_t>(length)) {
      return failed("read", path, count < 0 ? errno : EIO);
    }
    const std::size_t newline = std::string_view(block.data(), length).rfind('\n');
    if (newline != std::string_view::npos) {
      return size - length + newline + 1;
    }
    size -= length;
  }
  return 0;
}

}  // namespace

Result<std::unique_ptr<Store>> open_store(const std::string& folder, std::uint64_t bytes_max) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return failure(error, "cannot create the folder dead_letter.path (" + folder +
                              "): " + error.message() + "; create it, or set another one");
  }
  const std::string path = folder + "/dead-letters.jsonl";
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  if (file.get() < 0) {
    return failed("open", path, errno);
  }
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) {
    return failed("stat", path, errno);
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  const auto whole = whole_lines(file.get(), size, path);
  if (!whole) {
    return std::unexpected(whole.error());
  }
  if (*whole < size) {
    SLUICE_LOG(warn, "removing a dead letter that a crash cut off", {"path", path},
               {"bytes", size - *whole});
    if (::ftruncate(file.get(), static_cast<off_t>(*whole)) != 0) {
      return failed("truncate", path, errno);
    }
  }
  return std::make_unique<FileStore>(path, std::move(file), *whole, bytes_max);
}

}  // namespace sluice::deadletter
