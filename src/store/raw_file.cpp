#include "raw_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/store/engine.hpp>

namespace sluice::store {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t page_bytes = 4U << 10;     // what is given up of a file at once
constexpr std::size_t piece_bytes = 256U << 10;  // read of a log at once
constexpr std::size_t descriptors_min = 32;      // that opening a database takes at once, at most

// What block devices and file systems say of what they cannot give back, and will not.
bool is_refusal(int error) {
  constexpr std::array refusals{EIO, ENODATA, EILSEQ, EREMOTEIO, EBADMSG, EUCLEAN};
  return std::ranges::find(refusals, error) != refusals.end();
}

const char* advice(int error) {
  switch (error) {
    case EACCES:
    case EPERM:
      return "let the user that sluice runs as read and write it";
    case EMFILE:
    case ENFILE:
      return "raise the limit of open files";
    case ENOMEM:
      return "it takes more memory";
    default:
      return "mend that";
  }
}

Error not_ours(const std::string& doing, const std::string& path, int error) {
  return {.code = Errc::failed,
          .message = "cannot " + doing + " " + path + ": " +
                     std::generic_category().message(error) + "; " + advice(error) +
                     ", and start again: nothing was changed, and nothing was given up"};
}

// Where there are none, RocksDB takes its logs for unreadable, too.
bool has_descriptors() {
  std::array<int, descriptors_min> taken{};
  std::ranges::generate(taken, [] { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); });
  const bool has_all = std::ranges::all_of(taken, [](int file) { return file >= 0; });
  const int error = errno;
  for (const int file : taken) {
    if (file >= 0) {
      ::close(file);
    }
  }
  return has_all || (error != EMFILE && error != ENFILE);
}

}  // namespace

RawFile::RawFile(const std::string& path, Progress progress)
    : path_(path),
      progress_(std::move(progress)),
      file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  struct stat status{};
  if (file_ < 0) {
    note("open", errno);
    if (::stat(path.c_str(), &status) == 0) {
      unreadable_bytes_ = static_cast<std::uint64_t>(status.st_size);
    }
  } else if (::fstat(file_, &status) != 0) {
    note("look at", errno);
  } else {
    size_ = static_cast<std::uint64_t>(status.st_size);
  }
}

RawFile::~RawFile() {
  if (file_ >= 0) {
    ::close(file_);
  }
}

void RawFile::read(std::uint64_t at, std::size_t size, std::string& out) {
  out.resize(file_ < 0 ? 0 : size);
  std::size_t wanted = out.size();  // at once; after a refusal, to the end of its page
  for (std::size_t done = 0; done < out.size();) {
    const auto from = static_cast<off_t>(at + done);
    const std::size_t left = std::min(wanted, out.size() - done);
    const ssize_t count = ::pread(file_, out.data() + done, left, from);
    if (count > 0) {
      done += static_cast<std::size_t>(count);
      wanted = out.size();
      continue;
    }
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count == 0 || !is_refusal(errno)) {
      if (count < 0) {
        note("read", errno);
      }
      out.resize(done);
      break;
    }
    refused_ = true;
    if (at + done >= size_) {
      out.resize(done);
      break;
    }
    const std::size_t page = std::min<std::uint64_t>(
        page_bytes - static_cast<std::uint64_t>(from) % page_bytes, out.size() - done);
    if (left > page) {
      wanted = page;
      continue;
    }
    std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(done), left, '\0');
    count_refused(at + done, left);
    done += left;
  }
  if (progress_) {
    progress_(out.size());
  }
}

void RawFile::count_refused(std::uint64_t at, std::size_t bytes) {
  refused_pages_.resize(size_ / page_bytes + 1);
  if (const auto page = refused_pages_.begin() + static_cast<std::ptrdiff_t>(at / page_bytes);
      !*page) {
    *page = true;
    unreadable_bytes_ += bytes;
  }
}

void RawFile::note(const char* doing, int error) {
  refused_ = refused_ || is_refusal(error);
  // Deleted meanwhile, it is not there.
  if (!is_refusal(error) && error != ENOENT && !failed_) {
    failed_ = not_ours(doing, path_, error);
  }
}

Result<std::vector<std::string>> regular_files(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code unknown;
    const fs::file_status status = at->status(unknown);
    // Of one that is not known to be none, opening it says why.
    const bool is_unknown = unknown && status.type() != fs::file_type::not_found;
    if (status.type() == fs::file_type::regular || is_unknown) {
      files.push_back(at->path().string());
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return std::unexpected(not_ours("list", folder, error.value()));
  }
  return files;
}

Result<void> check_readable(const std::string& database) {
  if (!has_descriptors()) {
    return std::unexpected(not_ours("open all files in", database, EMFILE));
  }
  const auto files = regular_files(database);
  if (!files) {
    return std::unexpected(files.error());
  }
  std::string piece;
  std::string refused;
  for (const std::string& path : *files) {
    RawFile file(path);
    std::uint64_t at = 0;
    do {
      file.read(at, path.ends_with(".log") ? piece_bytes : 0, piece);
      at += piece.size();
    } while (!piece.empty());
    if (file.failed()) {
      return std::unexpected(*file.failed());
    }
    if (file.is_refused()) {
      refused = path;
    }
  }
  return refused.empty() ? Result<void>()
                         : failure(Errc::unreadable, "the device refuses to read " + refused);
}

}  // namespace sluice::store
