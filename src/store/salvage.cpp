#include "salvage.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "folder.hpp"
#include "raw_file.hpp"
#include "raw_records.hpp"
#include "reserve.hpp"
#include "rocksdb_engine.hpp"

namespace sluice::store {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t batch_bytes = 1U << 20;
// What is moved at once: it is there twice for a moment, and in the log until there is a table of
// it.
constexpr std::size_t moved_bytes_at_once = 512U << 10;
constexpr std::uint64_t moving_buffer_bytes_min = 1U << 20;
constexpr std::uint64_t moving_buffer_share = 16;  // of what is free

struct DataFile {
  std::string path;
  Sequences sequences = {};
  // Of a log: what has this number or a higher one was not there any more when the next log was
  // begun.
  std::uint64_t end = ~std::uint64_t{0};
  bool is_refused = false;  // a part of it, by the device
};

// Gives the blocks of a file's first bytes back to the file system, if that can do it.
void free_front(const std::string& path, std::uint64_t bytes) {
  if (const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC); file >= 0) {
    static_cast<void>(::fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                                  static_cast<off_t>(bytes)));
    ::close(file);
  }
}

bool is_log(const DataFile& file) { return file.path.ends_with(".log"); }

// What is known of a workspace.
struct Known {
  std::optional<Appended> appended;
  // Where an earlier attempt has come to: a file that was kept by it comes once more, and is older.
  Ticket moved_to = 0;
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
  enum class Way : std::uint8_t {
    copy,
    move,  // what is on disk in its new place goes from the old one
  };
  Salvaging(const std::string& database, const Tally& tally, Engine& to, SalvageProgress progress,
            Way way)
      : database_(database),
        tally_(tally),
        to_(to),
        progress_(std::move(progress)),
        moves_(way == Way::move) {}

  Result<Salvage> run() {
    if (auto looked = look_at_all(); !looked) {
      return std::unexpected(looked.error());
    }
    if (auto noted = note_what_is_there(); !noted) {
      return std::unexpected(noted.error());
    }
    put_in_order();
    find_released();
    salvage_.unreadable_bytes = 0;
    if (moves_) {
      place_released();
      write_batch();
    }
    for (const DataFile& file : files_) {
      if (auto took = take_file(file); !took) {
        return std::unexpected(took.error());
      }
    }
    place_appended();
    place_released();
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
      const std::uint64_t unreadable_bytes = salvage_.unreadable_bytes;
      const auto sequences = look_through(file, [this](const RawEntry& entry) {
        ++salvage_.records;
        note_released(entry);
      });
      if (!sequences) {
        return std::unexpected(sequences.error());
      }
      file.sequences = *sequences;
      file.is_refused = salvage_.unreadable_bytes > unreadable_bytes;
      salvage_.files += sequences->any() ? 1 : 0;
    }
    if (salvage_.unreadable_bytes > 0 && salvage_.unreadable_bytes >= bytes) {
      return failure(Errc::failed, "the device refuses to read the buffer's files");
    }
    return {};
  }

  // Of an earlier attempt that was cut short: it says what has been released, too.
  Result<void> note_what_is_there() {
    const auto ids = stored_ids(to_);
    if (!ids) {
      return std::unexpected(ids.error());
    }
    for (const WorkspaceId id : *ids) {
      Known& known = known_[id];
      const std::string appended_key = make_key(Tag::appended, id);
      const std::string low_key = make_key(Tag::low, id);
      const auto appended = to_.get(appended_key);
      const auto low = to_.get(low_key);
      const auto ranges =
          to_.read(make_key(Tag::released, id), make_key(Tag::released, id, ticket_max),
                   [&](std::string_view key, std::string_view value) {
                     if (const auto range = decode_position(key, value)) {
                       known.add_range(ticket_of_key(key), *range);
                     }
                     return true;
                   });
      if (!appended || !low || !ranges) {
        return std::unexpected(!appended ? appended.error() : !low ? low.error() : ranges.error());
      }
      if (*appended) {
        known.appended = decode_appended(appended_key, **appended);
        known.moved_to = known.appended ? known.appended->next.ticket : 0;
      }
      if (const auto position = *low ? decode_position(low_key, **low) : std::nullopt) {
        known.raise_low(*position);
      }
    }
    return {};
  }

  Result<void> take_file(const DataFile& file) {
    file_ = &file;
    freed_bytes_ = 0;
    const std::uint64_t unreadable_bytes = salvage_.unreadable_bytes;
    const auto took = look_through(file, [&](const RawEntry& entry) {
      if (entry.sequence < file.end) {
        take(entry);
      }
    });
    if (took && moves_) {
      write_batch();
    }
    if (!took || failed_) {
      return std::unexpected(took ? *failed_ : took.error());
    }
    const bool is_whole = salvage_.unreadable_bytes == unreadable_bytes && !took->has_gaps;
    if (moves_ && !file.is_refused && is_whole) {
      std::error_code remains;
      fs::remove(file.path, remains);
    }
    return {};
  }

  // All that was given before this entry is on disk in its new place.
  void free_before(const RawEntry& entry) {
    const bool is_refused = file_->is_refused || (reading_ != nullptr && reading_->is_refused());
    if (!is_refused && entry.offset >= freed_bytes_ + moved_bytes_at_once) {
      free_front(file_->path, entry.offset);
      freed_bytes_ = entry.offset;
    }
  }
  void write_batch() {
    if (moves_) {
      place_appended();  // what it was known from goes, too
    }
    if (const auto written = to_.write(batch_, moves_); !written && !failed_) {
      failed_ = written.error();
    }
    batch_.clear();
  }

  // What a file is called does not matter. One that has lost its end may be of either kind.
  Result<Sequences> look_through(const DataFile& file, const RawSink& sink) {
    RawFile bytes(file.path, [this](std::uint64_t count) {
      if (progress_) {
        progress_(read_bytes_ += count, bytes_);
      }
    });
    reading_ = &bytes;
    Sequences found;
    const bool is_whole_table = is_table(bytes);
    if (is_whole_table || file.path.ends_with(".sst")) {
      found = find_in_table(bytes, sink);
    }
    if (!is_whole_table && !found.any()) {
      found = find_in_log(bytes, sink);
    }
    reading_ = nullptr;
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
    if (failed_) {
      return;
    }
    if (moves_ && batch_.empty()) {
      free_before(entry);
    }
    switch (static_cast<Tag>(entry.key.front())) {
      case Tag::appended:
        if (auto appended = decode_appended(entry.key, entry.value)) {
          Known& known = known_[workspace_of_key(entry.key)];
          if (appended->next.ticket >= known.moved_to) {
            known.appended = *std::move(appended);
          }
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
    if (batch_.size_bytes() >= (moves_ ? moved_bytes_at_once : batch_bytes)) {
      write_batch();
    }
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

  void place_appended() {
    for (const auto& [id, known] : known_) {
      if (known.appended) {
        const std::string key = make_key(Tag::appended, id);
        batch_.put(key, encode_appended(key, *known.appended));
      }
    }
  }
  void place_released() {
    for (const auto& [id, known] : known_) {
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
  const bool moves_;
  const DataFile* file_ = nullptr;    // whose entries come
  const RawFile* reading_ = nullptr;  // likewise
  std::uint64_t freed_bytes_ = 0;     // of it
  std::uint64_t bytes_ = 0;           // that are to be read in all
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

// Makes the salvaged one the store's.
Result<Rebuilt> finish_rebuild(const std::string& database, const std::string& made,
                               const Salvage& salvage) {
  std::error_code error;
  fs::rename(made, complete_of(database), error);
  if (error) {
    return failure(Errc::failed, "cannot rename " + made + ": " + error.message());
  }
  auto aside = exchange(database);
  if (!aside) {
    return std::unexpected(aside.error());
  }
  return Rebuilt{.salvage = salvage, .aside = *std::move(aside)};
}

Result<Rebuilt> rebuild_beside(const std::string& database, const Tally& tally,
                               std::size_t write_buffer_bytes, const SalvageProgress& progress) {
  const std::string draft = draft_of(database);
  std::error_code error;
  fs::remove_all(draft, error);
  const auto engine = open_rocksdb({.path = draft, .write_buffer_bytes = write_buffer_bytes});
  if (!engine) {
    return std::unexpected(engine.error());
  }
  const auto salvaged = salvage(database, tally, **engine, progress);
  (*engine)->close();
  if (!salvaged) {
    fs::remove_all(draft, error);
    return std::unexpected(salvaged.error());
  }
  return finish_rebuild(database, draft, *salvaged);
}

Result<std::unique_ptr<Engine>> open_part(const std::string& database,
                                          std::size_t write_buffer_bytes) {
  const auto room = room_on(database);
  const std::uint64_t fitting = room ? room->free_bytes / moving_buffer_share : 0;
  const RocksDbOptions options{
      .path = part_of(database),
      .write_buffer_bytes = static_cast<std::size_t>(std::clamp<std::uint64_t>(
          fitting, moving_buffer_bytes_min,
          std::max<std::uint64_t>(write_buffer_bytes, moving_buffer_bytes_min))),
      .is_tight = true};
  auto engine = open_rocksdb(options);
  if (engine || engine.error().code != Errc::corrupt) {
    return engine;
  }
  // What was moved there is nowhere else.
  return failure(Errc::failed,
                 "the store was being moved to " + options.path + ", which is damaged, too (" +
                     engine.error().message +
                     "): copy the whole folder to a volume with more room, and run `sluice buffer "
                     "export` or `repair` there");
}

Result<Rebuilt> rebuild_from_parts(const std::string& database, const Tally& tally,
                                   std::size_t write_buffer_bytes, Salvaging::Way way,
                                   const SalvageProgress& progress) {
  // From now on nobody takes it for a whole one.
  std::error_code error;
  fs::remove(database + "/CURRENT", error);
  if (auto synced = sync_folder(database); !synced) {
    return std::unexpected(synced.error());
  }
  const auto engine = open_part(database, write_buffer_bytes);
  if (!engine) {
    return std::unexpected(engine.error());
  }
  const auto salvaged = Salvaging(database, tally, **engine, progress, way).run();
  (*engine)->close();
  if (!salvaged) {
    return std::unexpected(salvaged.error());
  }
  return finish_rebuild(database, part_of(database), *salvaged);
}

}  // namespace

std::string part_of(const std::string& database) { return database + ".new"; }

bool is_in_parts(const std::string& database) {
  std::error_code error;
  return fs::is_directory(part_of(database), error);
}

bool is_new(const std::string& database) {
  std::error_code error;
  for (fs::directory_iterator at(database, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    std::error_code ignored;
    if (name == "CURRENT" || name.ends_with(".sst") ||
        (name.ends_with(".log") && at->file_size(ignored) > 0)) {
      return false;
    }
  }
  return !error || error == std::errc::no_such_file_or_directory;
}

bool has_room_for_copy(const std::string& database) {
  const auto room = room_on(database);
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::directory_iterator at(database, error), end; !error && at != end; at.increment(error)) {
    std::error_code gone;
    if (const std::uint64_t size = at->file_size(gone); !gone) {
      bytes += size;
    }
  }
  return !room || room->free_bytes > bytes + bytes / 4;
}

Result<Salvage> salvage(const std::string& database, const Tally& tally, Engine& to,
                        const SalvageProgress& progress) {
  return Salvaging(database, tally, to, progress, Salvaging::Way::copy).run();
}

Result<Rebuilt> rebuild(const std::string& database, const Tally& tally,
                        std::size_t write_buffer_bytes, const SalvageProgress& progress) {
  const bool has_room = has_room_for_copy(database);
  if (has_room && !is_in_parts(database)) {
    auto rebuilt = rebuild_beside(database, tally, write_buffer_bytes, progress);
    if (rebuilt || rebuilt.error().code != Errc::disk_full) {
      return rebuilt;
    }
  }
  return rebuild_from_parts(database, tally, write_buffer_bytes,
                            has_room ? Salvaging::Way::copy : Salvaging::Way::move, progress);
}

Result<void> finish_exchange(const std::string& database) {
  std::error_code error;
  fs::remove_all(draft_of(database), error);
  if (is_in_parts(database) && is_new(part_of(database))) {
    fs::remove_all(part_of(database), error);
  }
  if (is_in_parts(database) && is_new(database) && !fs::exists(complete_of(database), error)) {
    fs::remove_all(database, error);
    fs::rename(part_of(database), complete_of(database), error);
  }
  if (!fs::is_directory(complete_of(database), error)) {
    return {};
  }
  const auto done = exchange(database);
  return done ? Result<void>() : std::unexpected(done.error());
}

}  // namespace sluice::store
