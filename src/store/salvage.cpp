#include "salvage.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "folder.hpp"
#include "raw_file.hpp"
#include "raw_records.hpp"
#include "rocksdb_engine.hpp"

namespace sluice::store {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t batch_bytes = 1U << 20;

struct DataFile {
  std::string path;
  Sequences sequences = {};
  // Of a log: what has this number or a higher one was not there any more when the next log was
  // begun.
  std::uint64_t end = ~std::uint64_t{0};
};

bool is_log(const DataFile& file) { return file.path.ends_with(".log"); }

// What is known of a workspace.
struct Known {
  std::optional<Appended> appended;
  std::optional<Position> low;
  ReleaseLog::Ranges ranges;

  // Ranges grow: of any two, one is in the other, or they have nothing in common.
  void add_range(Ticket begin, const Position& end) {
    const auto after = ranges.upper_bound(begin);
    if ((low && end.ticket <= low->ticket) ||
        (after != ranges.begin() && std::prev(after)->second.end >= end.ticket)) {
      return;
    }
    const auto behind =
        std::find_if(ranges.lower_bound(begin), ranges.end(),
                     [&](const auto& range) { return range.second.end > end.ticket; });
    ranges.erase(ranges.lower_bound(begin), behind);
    ranges[begin] = {.end = end.ticket, .totals = end.before};
  }
  void raise_low(const Position& to) {
    if (!low || to.ticket > low->ticket) {
      low = to;
      while (!ranges.empty() && ranges.begin()->second.end <= to.ticket) {
        ranges.erase(ranges.begin());
      }
    }
  }
};

// Looks through all files twice: first for what was released, and for the order in which they were
// written; then in that order for the rest, so that of each key the last thing that was done to it
// is what is written.
class Salvaging {
 public:
  Salvaging(const std::string& database, const Tally& tally, Engine& to, SalvageProgress progress)
      : database_(database), tally_(tally), to_(to), progress_(std::move(progress)) {}

  Result<Salvage> run() {
    if (auto looked = look_at_all(); !looked) {
      return std::unexpected(looked.error());
    }
    put_in_order();
    find_released();
    salvage_.unreadable_bytes = 0;
    for (const DataFile& file : files_) {
      const auto took = look_through(file, [&](const RawEntry& entry) {
        if (entry.sequence < file.end) {
          take(entry);
        }
      });
      if (!took || failed_) {
        return std::unexpected(took ? *failed_ : took.error());
      }
    }
    place_known();
    if (auto written = to_.write(batch_, true); !written) {
      return std::unexpected(written.error());
    }
    return salvage_;
  }

 private:
  Result<void> look_at_all() {
    auto paths = regular_files(database_);
    if (!paths) {
      return std::unexpected(paths.error());
    }
    std::uint64_t bytes = 0;
    for (std::string& path : *paths) {
      std::error_code gone;
      const std::uint64_t size = fs::file_size(path, gone);
      bytes += gone ? 0 : size;
      files_.push_back({.path = std::move(path)});
    }
    bytes_ = 2 * bytes;
    for (DataFile& file : files_) {
      const auto sequences = look_through(file, [this](const RawEntry& entry) {
        ++salvage_.records;
        note_released(entry);
      });
      if (!sequences) {
        return std::unexpected(sequences.error());
      }
      file.sequences = *sequences;
      salvage_.files += sequences->any() ? 1 : 0;
    }
    if (salvage_.unreadable_bytes > 0 && salvage_.unreadable_bytes >= bytes) {
      return failure(Errc::failed, "the device refuses to read the buffer's files");
    }
    return {};
  }

  // What a file is called does not matter. One that has lost its end may be of either kind.
  Result<Sequences> look_through(const DataFile& file, const RawSink& sink) {
    RawFile bytes(file.path, [this](std::uint64_t count) {
      if (progress_) {
        progress_(read_bytes_ += count, bytes_);
      }
    });
    Sequences found;
    const bool is_whole_table = is_table(bytes);
    if (is_whole_table || file.path.ends_with(".sst")) {
      found = find_in_table(bytes, sink);
    }
    if (!is_whole_table && !found.any()) {
      found = find_in_log(bytes, sink);
    }
    if (bytes.failed()) {
      return std::unexpected(*bytes.failed());
    }
    salvage_.unreadable_bytes += bytes.unreadable_bytes();
    return found;
  }

  // What has been released stays so: the most that is found is right.
  void note_released(const RawEntry& entry) {
    const auto tag = static_cast<Tag>(entry.key.front());
    if (entry.is_removal || (tag != Tag::low && tag != Tag::released)) {
      return;
    }
    Known& known = known_[workspace_of_key(entry.key)];
    const auto position = decode_position(entry.key, entry.value);
    if (position && tag == Tag::low) {
      known.raise_low(*position);
    } else if (position) {
      known.add_range(ticket_of_key(entry.key), *position);
    }
  }

  // No two files that are in use have been written at the same time; those that were made of others
  // have what the newest of these had. What a log has beyond the beginning of the next one was
  // given up when that was begun: a write that failed.
  void put_in_order() {
    std::ranges::sort(files_, {}, [](const DataFile& file) {
      const Sequences& found = file.sequences;
      return std::tuple(found.any() || !is_log(file) ? found.last : found.head, file.path);
    });
    for (DataFile& file : files_) {
      for (const DataFile& other : files_) {
        if (is_log(file) && is_log(other) && is_begun_behind(other.sequences, file.sequences)) {
          file.end = std::min(file.end, other.sequences.first);
        }
      }
    }
  }
  static bool is_begun_behind(const Sequences& log, const Sequences& other) {
    return log.any() && (other.any() ? log.first > other.first : log.first >= other.head);
  }

  void find_released() {
    for (const auto& [id, entry] : tally_) {
      released_.insert_or_assign(id, ReleaseLog(id, entry.low, entry.ranges));
    }
    for (const auto& [id, found] : known_) {
      LoadedWorkspace workspace{.id = id, .name = {}, .next = {.ticket = ticket_max, .before = {}}};
      workspace.releases = ReleaseLog(id, found.low.value_or(Position{}), found.ranges);
      raise(workspace, tally_);
      released_.insert_or_assign(id, std::move(workspace.releases));
    }
  }

  [[nodiscard]] bool was_released(WorkspaceId id, Ticket ticket) const {
    const auto found = released_.find(id);
    return found != released_.end() && found->second.has(ticket);
  }

  void take(const RawEntry& entry) {
    switch (static_cast<Tag>(entry.key.front())) {
      case Tag::appended:
        if (auto appended = decode_appended(entry.key, entry.value)) {
          known_[workspace_of_key(entry.key)].appended = *std::move(appended);
        }
        return;
      case Tag::group:
        if (was_released(workspace_of_key(entry.key), ticket_of_key(entry.key))) {
          return;
        }
        note_group(entry);
        break;
      case Tag::dedup:
        break;
      case Tag::low:
      case Tag::released:
        return;
    }
    if (entry.is_removal) {
      batch_.remove(entry.key);
    } else {
      batch_.put(entry.key, entry.value);
    }
    if (batch_.size_bytes() < batch_bytes) {
      return;
    }
    if (const auto written = to_.write(batch_, false); !written && !failed_) {
      failed_ = written.error();
    }
    batch_.clear();
  }

  // Where the record that says so is lost, the next group comes behind the last one that is there.
  void note_group(const RawEntry& entry) {
    std::optional<Appended>& appended = known_[workspace_of_key(entry.key)].appended;
    if (entry.is_removal) {
      return;
    }
    ++salvage_.groups;
    const Ticket ticket = ticket_of_key(entry.key);
    if (appended && appended->next.ticket <= ticket) {
      if (const auto group = decode_group(entry.key, entry.value)) {
        appended->next = {.ticket = ticket + 1, .before = group->head.before};
        appended->next.before += group->head.own;
      }
    }
  }

  void place_known() {
    for (auto& [id, known] : known_) {
      if (known.appended) {
        const std::string key = make_key(Tag::appended, id);
        batch_.put(key, encode_appended(key, *known.appended));
      }
      const auto counted = tally_.find(id);
      if (known.low || counted != tally_.end()) {
        const std::string key = make_key(Tag::low, id);
        batch_.put(key, encode_position(key, known.low ? *known.low : counted->second.low));
      }
      for (const auto& [begin, range] : known.ranges) {
        const std::string key = make_key(Tag::released, id, begin);
        batch_.put(key, encode_position(key, {.ticket = range.end, .before = range.totals}));
      }
    }
  }

  const std::string database_;
  const Tally& tally_;
  Engine& to_;
  const SalvageProgress progress_;
  std::uint64_t bytes_ = 0;  // that are to be read in all
  std::uint64_t read_bytes_ = 0;
  std::vector<DataFile> files_;
  Salvage salvage_;
  std::map<WorkspaceId, Known> known_;
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

Result<Salvage> salvage(const std::string& database, const Tally& tally, Engine& to,
                        SalvageProgress progress) {
  return Salvaging(database, tally, to, std::move(progress)).run();
}

Result<Rebuilt> rebuild(const std::string& database, const Tally& tally,
                        std::size_t write_buffer_bytes, SalvageProgress progress) {
  const std::string draft = draft_of(database);
  std::error_code error;
  fs::remove_all(draft, error);
  Rebuilt rebuilt;
  {
    const auto engine = open_rocksdb({.path = draft, .write_buffer_bytes = write_buffer_bytes});
    if (!engine) {
      return std::unexpected(engine.error());
    }
    auto salvaged = salvage(database, tally, **engine, std::move(progress));
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
