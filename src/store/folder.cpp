#include "folder.hpp"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <utility>

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <sluice/base/clock.hpp>
#include <sluice/base/log.hpp>
#include <sluice/store/engine.hpp>

#include "codec.hpp"
#include "file_identity.hpp"

namespace sluice::store {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t quarantine_bytes_max = 256U << 20;
constexpr std::string_view format_prefix = "sluice store format ";

std::unexpected<Error> failed(const std::string& doing, const std::string& path, int error) {
  return failure(error == ENOSPC ? Errc::disk_full : Errc::failed,
                 "cannot " + doing + " " + path + ": " + std::generic_category().message(error));
}

// Written and synced, or as it was before.
Result<void> write_file(const std::string& folder, const std::string& path, std::string_view text) {
  const std::string draft = path + ".new";
  const int file = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (file < 0) {
    return failed("create", draft, errno);
  }
  const bool written =
      ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(file) == 0;
  const int error = errno;
  ::close(file);
  if (!written) {
    return failed("write", draft, error);
  }
  if (::rename(draft.c_str(), path.c_str()) != 0) {
    return failed("rename", draft, errno);
  }
  return sync_folder(folder);
}

// "sluice store format 1, written by …" gives 1; nothing for what is no such line.
std::optional<std::uint32_t> format_of(std::string_view line) {
  if (!line.starts_with(format_prefix)) {
    return std::nullopt;
  }
  line.remove_prefix(format_prefix.size());
  std::uint32_t format = 0;
  if (std::from_chars(line.data(), line.data() + line.size(), format).ec != std::errc()) {
    return std::nullopt;
  }
  return format;
}

}  // namespace

Result<std::string> set_aside(const std::string& path) {
  const fs::path what(path);
  const auto now = static_cast<std::time_t>(
      std::chrono::floor<std::chrono::seconds>(system_clock().wall_now().time_since_epoch())
          .count());
  std::string wanted = (what.parent_path() / "corrupt-").string() +
                       fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(now));
  if (what.filename() != "db") {
    wanted += "-" + what.filename().string();
  }
  std::string aside = wanted;
  std::error_code error;
  for (int i = 2; fs::exists(aside, error); ++i) {
    aside = fmt::format("{}-{}", wanted, i);
  }
  fs::rename(path, aside, error);
  if (error) {
    return failure(Errc::failed, "cannot rename " + path + ": " + error.message());
  }
  return aside;
}

void clear_the_way(const std::string& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    return;
  }
  if (const auto aside = set_aside(path)) {
    SLUICE_LOG(error, "a folder stood where a file of the buffer should be: it was set aside",
               {"path", path}, {"now", *aside});
  }
}

Result<void> sync_folder(const std::string& path) {
  const int folder = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = folder >= 0 && ::fsync(folder) == 0;
  const int error = errno;
  ::close(folder);
  return synced ? Result<void>() : failed("sync", path, error);
}

Result<Folder> Folder::open(const std::string& path, Missing missing) {
  std::error_code error;
  if (missing == Missing::create) {
    if (fs::is_regular_file(path + "/db", error)) {
      if (const auto aside = set_aside(path + "/db"); !aside) {
        return std::unexpected(aside.error());
      }
    }
    if (fs::create_directories(path + "/db", error)) {
      fs::permissions(path + "/db", fs::perms::owner_all, error);  // events are nobody else's
    }
    if (error) {
      return failure(Errc::failed, "cannot create the folder buffer.path (" + path +
                                       "): " + error.message() + "; create it, or set another one");
    }
  } else if (!fs::exists(path + "/FORMAT", error) && !fs::exists(path + "/db", error)) {
    return failure(Errc::failed, "there is no store in " + path + " (buffer.path)");
  }
  const std::string lock_path = path + "/LOCK";
  clear_the_way(lock_path);
  const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (lock < 0) {
    return failed("open", lock_path, errno);
  }
  Folder folder(path, lock);
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    return failure(Errc::locked, "the store in " + path +
                                     " is in use by another process: stop it, or set another "
                                     "buffer.path");
  }
  if (auto checked = folder.check_format(); !checked) {
    return std::unexpected(checked.error());
  }
  return folder;
}

Folder::Folder(Folder&& other) noexcept
    : path_(std::move(other.path_)),
      format_(std::move(other.format_)),
      format_version_(other.format_version_),
      lock_(std::exchange(other.lock_, -1)),
      quarantined_bytes_(other.quarantined_bytes_) {}

Folder::~Folder() {
  if (lock_ >= 0) {
    ::close(lock_);
  }
}

Result<void> Folder::check_format() {
  const std::string path = path_ + "/FORMAT";
  clear_the_way(path);
  std::string line;
  std::ifstream file(path);
  std::getline(file, line);
  const auto format = format_of(line);
  if (format && (*format < format_version_first || *format > format_version_latest)) {
    return failure(
        Errc::format,
        fmt::format(
            "the store in {} says \"{}\", and this version reads formats {} to {} only: start "
            "the version that wrote it, let it deliver what is left and stop, or set another "
            "buffer.path; nothing was changed",
            path_, line, format_version_first, format_version_latest));
  }
  if (format) {
    format_ = line;
    format_version_ = *format;
    return {};
  }
  std::error_code ignored;
  if (!fs::is_empty(database_path(), ignored) && !ignored) {
    SLUICE_LOG(warn, "the store's file FORMAT is missing or unreadable: it is taken for this one's",
               {"path", path}, {"format", format_version_latest});
    return write_format(format_version_latest);
  }
  return write_format(format_version_first);
}

Result<void> Folder::write_format(std::uint32_t version) {
  std::string line =
      fmt::format("{}{}, written by sluice {}", format_prefix, version, SLUICE_VERSION);
  if (auto written = write_file(path_, path_ + "/FORMAT", line + "\n"); !written) {
    return written;
  }
  format_ = std::move(line);
  format_version_ = version;
  return {};
}

Result<void> Folder::raise_format(std::uint32_t format) {
  return format_version_ < format ? write_format(format) : Result<void>();
}

Result<void> Folder::restore() {
  const auto ours = identity_of(lock_);
  if (ours && identity_of(path_ + "/LOCK") == ours) {
    return {};
  }
  auto again = open(path_, Missing::create);
  if (!again) {
    return std::unexpected(again.error());
  }
  if (again->format_version_ < format_version_) {
    if (auto raised = again->write_format(format_version_); !raised) {
      return raised;
    }
  }
  std::swap(lock_, again->lock_);
  return sync_folder(fs::path(path_).parent_path());
}

void Folder::quarantine(const std::string& workspace, Ticket ticket, std::string_view record) {
  if (quarantined_bytes_ + record.size() > quarantine_bytes_max) {
    return;
  }
  quarantined_bytes_ += record.size();
  std::error_code ignored;
  fs::create_directories(path_ + "/quarantine", ignored);
  std::ofstream file(path_ + "/quarantine/" + workspace + ".records",
                     std::ios::app | std::ios::binary);
  file << "ticket " << ticket << ", " << record.size() << " bytes:\n" << record << '\n';
}

}  // namespace sluice::store
