#include "salvage.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.hpp"
#include "raw_records.hpp"
#include "rocksdb_engine.hpp"

namespace sluice::store {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t batch_bytes = 4U << 20;
constexpr std::size_t page_bytes = 4U << 10;  // what is given up of a file at once

struct DataFile {
  fs::path path;
  bool is_log;
  std::uint64_t number;
};

// Tables before logs, and each kind in the order in which they were written.
std::vector<DataFile> data_files(const std::string& database) {
  std::vector<DataFile> files;
  std::error_code error;
  for (fs::directory_iterator at(database, error), end; !error && at != end; at.increment(error)) {
    std::error_code gone;
    const std::string extension = at->path().extension().string();
    if ((extension == ".sst" || extension == ".log") && at->is_regular_file(gone)) {
      files.push_back({.path = at->path(),
                       .is_log = extension == ".log",
                       .number = std::strtoull(at->path().stem().c_str(), nullptr, 10)});
    }
  }
  std::ranges::sort(files, {},
                    [](const DataFile& file) { return std::pair(file.is_log, file.number); });
  return files;
}

// What the device refuses to read is zeros.
std::string read_file(const fs::path& path, std::uint64_t& unreadable_bytes) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status{};
  std::string bytes;
  if (file < 0 || ::fstat(file, &status) != 0) {
    ::close(file);
    return bytes;
  }
  bytes.resize(static_cast<std::size_t>(status.st_size));
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t count =
        ::pread(file, bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
    if (count > 0) {
      at += static_cast<std::size_t>(count);
    } else if (count < 0 && errno == EINTR) {
      continue;
    } else if (count == 0) {
      bytes.resize(at);
    } else {
      const std::size_t page_end = std::min(bytes.size(), (at / page_bytes + 1) * page_bytes);
      const ssize_t page = ::pread(file, bytes.data() + at, page_end - at, static_cast<off_t>(at));
      if (page <= 0) {
        unreadable_bytes += page_end - at;
        std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                  bytes.begin() + static_cast<std::ptrdiff_t>(page_end), '\0');
      }
      at = page_end;
    }
  }
  ::close(file);
  return bytes;
}

class Salvaging {
 public:
  Salvaging(const std::string& database, const Tally& tally, Engine& to)
      : files_(data_files(database)), tally_(tally), to_(to) {}

  Result<Salvage> run() {
    std::uint64_t bytes = 0;
    for (const DataFile& file : files_) {
      bytes += look_through(file, [this](std::string_view key, std::string_view value) {
        ++salvage_.records;
        note_state(key, value);
      });
    }
    if (salvage_.unreadable_bytes > 0 && salvage_.unreadable_bytes >= bytes) {
      return failure(Errc::failed, "the device refuses to read the buffer's files");
    }
    salvage_.unreadable_bytes = 0;
    find_released();
    for (const DataFile& file : files_) {
      look_through(
          file, [this](std::string_view key, std::string_view value) { take_group(key, value); });
      if (failed_) {
        return std::unexpected(*failed_);
      }
    }
    for (const auto& [key, value] : state_) {
      batch_.put(key, value);
    }
    if (auto written = to_.write(batch_, true); !written) {
      return std::unexpected(written.error());
    }
    salvage_.files = files_.size();
    return salvage_;
  }

 private:
  // How many bytes the file has.
  std::uint64_t look_through(const DataFile& file, const RecordSink& sink) {
    std::string bytes = read_file(file.path, salvage_.unreadable_bytes);
    const std::uint64_t size = bytes.size();
    if (file.is_log && !is_table(bytes)) {
      find_in_log(std::move(bytes), sink);
    } else {
      find_in_table(bytes, sink);
    }
    return size;
  }

  // Of where a workspace stands, what has seen the most is right.
  void note_state(std::string_view key, std::string_view value) {
    const auto tag = static_cast<Tag>(key.front());
    if (tag == Tag::group || tag == Tag::dedup) {
      return;
    }
    const auto ticket_of = [&](std::string_view stored) -> Ticket {
      if (tag == Tag::appended) {
        const auto appended = decode_appended(key, stored);
        return appended ? appended->next.ticket : 0;
      }
      const auto position = decode_position(key, stored);
      return position ? position->ticket : 0;
    };
    std::string& known = state_[std::string(key)];
    if (known.empty() || ticket_of(value) > ticket_of(known)) {
      known = value;
    }
  }

  void find_released() {
    for (const auto& [id, entry] : tally_) {
      released_.insert_or_assign(id, ReleaseLog(id, entry.low, entry.ranges));
    }
    std::map<WorkspaceId, std::pair<Position, ReleaseLog::Ranges>> stored;
    for (const auto& [key, value] : state_) {
      const auto position = decode_position(key, value);
      if (static_cast<Tag>(key.front()) == Tag::low && position) {
        stored[workspace_of_key(key)].first = *position;
      } else if (static_cast<Tag>(key.front()) == Tag::released && position) {
        stored[workspace_of_key(key)].second[ticket_of_key(key)] = {.end = position->ticket,
                                                                    .totals = position->before};
      }
    }
    for (const auto& [id, found] : stored) {
      LoadedWorkspace workspace{.id = id, .name = {}, .next = {.ticket = ticket_max, .before = {}}};
      workspace.releases = ReleaseLog(id, found.first, found.second);
      raise(workspace, tally_);
      released_.insert_or_assign(id, std::move(workspace.releases));
    }
  }

  [[nodiscard]] bool was_released(WorkspaceId id, Ticket ticket) const {
    const auto found = released_.find(id);
    return found != released_.end() && found->second.has(ticket);
  }

  void take_group(std::string_view key, std::string_view value) {
    const auto tag = static_cast<Tag>(key.front());
    if (failed_ || (tag != Tag::group && tag != Tag::dedup)) {
      return;
    }
    if (tag == Tag::group) {
      if (was_released(workspace_of_key(key), ticket_of_key(key))) {
        return;
      }
      ++salvage_.groups;
    }
    batch_.put(key, value);
    if (batch_.size_bytes() < batch_bytes) {
      return;
    }
    if (const auto written = to_.write(batch_, false); !written) {
      failed_ = written.error();
    }
    batch_.clear();
  }

  const std::vector<DataFile> files_;
  const Tally& tally_;
  Engine& to_;
  Salvage salvage_;
  std::map<std::string, std::string, std::less<>> state_;
  std::map<WorkspaceId, ReleaseLog> released_;
  Batch batch_;
  std::optional<Error> failed_;
};

std::string draft_of(const std::string& database) { return database + ".draft"; }
std::string complete_of(const std::string& database) { return database + ".rebuilt"; }

Result<std::string> exchange(const std::string& database) {
  std::string aside;
  std::error_code error;
  fs::remove(database, error);  // if it is empty
  if (fs::exists(database, error)) {
    auto moved = set_aside(database);
    if (!moved) {
      return moved;
    }
    aside = *std::move(moved);
  }
  fs::rename(complete_of(database), database, error);
  if (error) {
    return failure(Errc::failed, "cannot rename " + complete_of(database) + ": " + error.message());
  }
  if (auto synced = sync_folder(fs::path(database).parent_path()); !synced) {
    return std::unexpected(synced.error());
  }
  return aside;
}

}  // namespace

Result<Salvage> salvage(const std::string& database, const Tally& tally, Engine& to) {
  return Salvaging(database, tally, to).run();
}

Result<Rebuilt> rebuild(const std::string& database, const Tally& tally) {
  const std::string draft = draft_of(database);
  std::error_code error;
  fs::remove_all(draft, error);
  Rebuilt rebuilt;
  {
    const auto engine = open_rocksdb({.path = draft});
    if (!engine) {
      return std::unexpected(engine.error());
    }
    auto salvaged = salvage(database, tally, **engine);
    (*engine)->close();
    if (!salvaged) {
      fs::remove_all(draft, error);
      return std::unexpected(salvaged.error());
    }
    rebuilt.salvage = *salvaged;
  }
  fs::rename(draft, complete_of(database), error);
  if (error) {
    return failure(Errc::failed, "cannot rename " + draft + ": " + error.message());
  }
  auto aside = exchange(database);
  if (!aside) {
    return std::unexpected(aside.error());
  }
  rebuilt.aside = *std::move(aside);
  return rebuilt;
}

Result<void> finish_exchange(const std::string& database) {
  std::error_code error;
  fs::remove_all(draft_of(database), error);
  if (!fs::is_directory(complete_of(database), error)) {
    return {};
  }
  const auto done = exchange(database);
  return done ? Result<void>() : std::unexpected(done.error());
}

}  // namespace sluice::store
