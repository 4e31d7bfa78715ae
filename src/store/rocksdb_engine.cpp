#include "rocksdb_engine.hpp"

#include <array>
#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string_view>
#include <utility>
#include <vector>

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/system_clock.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <sys/stat.h>

#include <sluice/base/calendar.hpp>
#include <sluice/base/log.hpp>

#include "codec.hpp"
#include "file_identity.hpp"
#include "folder.hpp"
#include "reserve.hpp"
#include "rocksdb_copy.hpp"

namespace sluice::store {
namespace {

namespace fs = std::filesystem;

rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view(const rocksdb::Slice& text) { return {text.data(), text.size()}; }

// What a failed status means.
Errc code_of(const rocksdb::Status& status) {
  const std::string text = status.ToString();
  if (status.IsNoSpace() || text.find("No space left") != std::string::npos ||
      text.find("quota exceeded") != std::string::npos) {
    return Errc::disk_full;
  }
  // A file of the store that is not there is as bad as one with nonsense in it.
  // So is a folder in its place.
  if (status.IsCorruption() || status.IsPathNotFound() || status.IsNotFound() ||
      status.IsInvalidArgument() || status.IsNotSupported() ||
      text.find("No such file") != std::string::npos ||
      text.find("Is a directory") != std::string::npos ||
      text.find("Not a directory") != std::string::npos) {
    return Errc::corrupt;
  }
  return Errc::failed;
}

Result<void> to_result(const rocksdb::Status& status) {
  if (status.ok()) {
    return {};
  }
  return failure(code_of(status), status.ToString());
}

// A bad sector is no reason to write no more: only of what is read.
Result<void> to_read_result(const rocksdb::Status& status) {
  auto outcome = to_result(status);
  if (!outcome && status.ToString().find("Input/output error") != std::string::npos) {
    return failure(Errc::unreadable, status.ToString());
  }
  return outcome;
}

// RocksDB asserts that no clock shows a time before 1970.
class BoundedClock final : public rocksdb::SystemClockWrapper {
 public:
  explicit BoundedClock(const std::shared_ptr<rocksdb::SystemClock>& clock)
      : SystemClockWrapper(clock) {}
  [[nodiscard]] const char* Name() const override { return "BoundedClock"; }
  rocksdb::Status GetCurrentTime(std::int64_t* unix_time) override {
    *unix_time =
        std::chrono::floor<std::chrono::seconds>(system_clock().wall_now().time_since_epoch())
            .count();
    return rocksdb::Status::OK();
  }
};

class BoundedEnv final : public rocksdb::EnvWrapper {
 public:
  explicit BoundedEnv(rocksdb::Env* env) : EnvWrapper(env) {
    system_clock_ = std::make_shared<BoundedClock>(env->GetSystemClock());
  }
  rocksdb::Status GetCurrentTime(std::int64_t* unix_time) override {
    return system_clock_->GetCurrentTime(unix_time);
  }
};

// Never destroyed, as RocksDB's own.
rocksdb::Env* bounded_env() {
  static auto* const env = new BoundedEnv(rocksdb::Env::Default());
  return env;
}

// RocksDB's own words, as far as they are warnings; and what it says that it has dropped.
class Log final : public rocksdb::Logger {
 public:
  explicit Log(std::atomic<std::uint64_t>& dropped_bytes)
      : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL), dropped_bytes_(dropped_bytes) {}

  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    Logv(rocksdb::InfoLogLevel::WARN_LEVEL, format, arguments);
  }
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < rocksdb::InfoLogLevel::WARN_LEVEL || level == rocksdb::InfoLogLevel::HEADER_LEVEL) {
      return;
    }
    std::array<char, 512> line{};
    const int length = std::vsnprintf(line.data(), line.size(), format, arguments);
    const std::string_view text(
        line.data(), std::min<std::size_t>(line.size() - 1, length < 0 ? 0 : std::size_t(length)));
    constexpr std::string_view dropping = "dropping ";
    if (const std::size_t at = text.find(dropping); at != std::string_view::npos) {
      const std::uint64_t bytes = std::strtoull(text.data() + at + dropping.size(), nullptr, 10);
      dropped_bytes_.fetch_add(bytes, std::memory_order_relaxed);
      SLUICE_LOG(error, "a part of the buffer's write-ahead log is damaged, and was skipped",
                 {"bytes", bytes}, {"rocksdb", text});
      return;
    }
    SLUICE_LOG(warn, "rocksdb", {"message", text});
  }

 private:
  std::atomic<std::uint64_t>& dropped_bytes_;
};

// Counts what is written besides the log.
class WriteCounter final : public rocksdb::EventListener {
 public:
  explicit WriteCounter(std::atomic<std::uint64_t>& bytes) : bytes_(bytes) {}
  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo& info) override {
    bytes_.fetch_add(info.table_properties.data_size + info.table_properties.index_size,
                     std::memory_order_relaxed);
  }
  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& info) override {
    bytes_.fetch_add(info.stats.total_output_bytes, std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t>& bytes_;
};

// A table that cannot be written fails the writes behind it. RocksDB would only try again, and hold
// them up until it works: for ever on a disk that others have filled, the commit thread with them.
class TableFailures final : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* status) override {
    if (reason == rocksdb::BackgroundErrorReason::kFlush ||
        reason == rocksdb::BackgroundErrorReason::kFlushNoWAL) {
      *status = rocksdb::Status(*status, rocksdb::Status::Severity::kHardError);
    }
  }
  // reopen() does.
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }
};

// A log may be given so much of the disk ahead as its memtable can take.
constexpr std::uint64_t ample_room_bytes = 1U << 30;
// What opening writes besides tables of what was in the logs, and what tables have besides records.
constexpr std::uint64_t small_change_bytes = 1U << 20;
// More than a log can have, so that no table has to be written.
constexpr std::size_t frugal_write_buffer_bytes = 1U << 30;

struct FilesSize {
  std::uint64_t size_bytes = 0;
  std::uint64_t disk_bytes = 0;  // with what was set aside for more
};

FilesSize files_of(const std::string& path, std::string_view extension) {
  FilesSize found;
  std::error_code error;
  for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
    struct stat status{};
    if (at->path().extension() == extension && ::stat(at->path().c_str(), &status) == 0) {
      found.size_bytes += static_cast<std::uint64_t>(status.st_size);
      found.disk_bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
    }
  }
  return found;
}

// A process that was killed leaves what its log had been given ahead.
void trim_logs(const std::string& path) {
  std::error_code error;
  for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
    std::error_code gone;
    if (const std::uintmax_t size = at->file_size(gone);
        !gone && at->path().extension() == ".log") {
      fs::resize_file(at->path(), size, gone);
    }
  }
}

// For a queue: groups are written in order, live shortly, and go in order. What was released before
// its memtable is full is never written to a table; the rest goes to level 0, and once more to
// level 1, where files lie one behind the other and can be dropped whole.
rocksdb::Options rocksdb_options(const RocksDbOptions& wanted) {
  rocksdb::Options options;
  options.create_if_missing = true;
  // At full speed what waits for its delivery is a part of it, and what it flushes as well.
  options.write_buffer_size = wanted.write_buffer_bytes;
  options.max_write_buffer_number = 3;
  options.num_levels = 2;
  options.level0_file_num_compaction_trigger = 4;
  options.target_file_size_base = wanted.table_bytes;
  options.max_background_jobs = 2;
  options.compression_per_level = {
      wanted.is_tight ? rocksdb::kLZ4Compression : rocksdb::kNoCompression,
      rocksdb::kLZ4Compression};
  // Those that were used last, and not those that a hash leaves: what is open outlives its
  // deletion.
  options.max_open_files = wanted.open_files_max;
  options.table_cache_numshardbits = 0;
  options.allow_concurrent_memtable_write = false;  // there is one writer
  // Records come in large pieces: copying them into a buffer first would buy nothing.
  options.writable_file_max_buffer_size = 4U << 10;
  // A file system that orders its journal writes a table's dirty pages before a commit of the log:
  // they go out a little at a time, so that no acknowledgement waits for all of a table.
  options.bytes_per_sync = 1U << 20;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  // The log's records stand for themselves (release_log.hpp): each that can be read is worth it.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords;
  // A damaged table must not stop writes: a compaction that meets it fails, and level 0 grows.
  options.paranoid_checks = false;
  options.max_bgerror_resume_count = 0;
  options.level0_slowdown_writes_trigger = 1 << 20;
  options.level0_stop_writes_trigger = 1 << 20;
  options.soft_pending_compaction_bytes_limit = 0;
  options.hard_pending_compaction_bytes_limit = 0;
  rocksdb::BlockBasedTableOptions table;
  table.block_size = 16U << 10;
  table.format_version = 5;
  // A key is found though a block next to it is damaged: other tables know that they do not have
  // it.
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  // Not strict: a read that does not fit would fail, and what is pinned at once is little.
  table.block_cache = rocksdb::NewLRUCache(8U << 20);
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

class RocksDbEngine final : public Engine {
 public:
  explicit RocksDbEngine(RocksDbOptions options)
      : options_(std::move(options)), reserve_(options_.reserve_path) {
    settings_ = rocksdb_options(options_);
    settings_.info_log = std::make_shared<Log>(dropped_bytes_);
    settings_.listeners.push_back(std::make_shared<WriteCounter>(written_bytes_));
    settings_.listeners.push_back(std::make_shared<TableFailures>());
    settings_.env = options_.env != nullptr ? options_.env : bounded_env();
    // They come in bursts, and whoever waits for an acknowledgement goes first.
    for (const auto pool : {rocksdb::Env::HIGH, rocksdb::Env::LOW}) {
      static_cast<void>(
          settings_.env->LowerThreadPoolCPUPriority(pool, rocksdb::CpuPriority::kLow));
    }
  }
  ~RocksDbEngine() override { close(); }

  [[nodiscard]] Result<void> open() {
    const auto room = room_on(options_.path);
    settings_.allow_fallocate = !room || room->free_bytes >= ample_room_bytes;
    // A compaction may write all tables anew: without room for that it would take the last, and
    // fail.
    is_uncompacted_ = options_.is_tight ||
                      (room && room->free_bytes < files_of(options_.path, ".sst").size_bytes);
    settings_.disable_auto_compactions = is_uncompacted_;
    rocksdb::Status status = rocksdb::Status::NoSpace();
    if (options_.read_only || !room ||
        room->free_bytes >= files_of(options_.path, ".log").size_bytes + small_change_bytes) {
      status = open_with(settings_, options_.read_only);
    }
    is_frugal_ = false;
    is_stand_in_ = false;
    if (is_disk_full(status) && !options_.read_only) {
      status = open_frugally();
    }
    if (is_disk_full(status)) {
      // Delivery can begin. Each reopen() tries again.
      status = open_with(settings_, true);
      is_stand_in_ = status.ok();
    }
    return to_read_result(status);
  }

  Result<void> write(const Batch& batch, bool sync) override {
    const std::shared_lock lock(mutex_);
    if (db_ == nullptr || is_stand_in_) {
      return db_ == nullptr ? closed() : no_room();
    }
    writes_.Clear();
    rocksdb::Status status;
    for (std::size_t i = 0; i < batch.size() && status.ok(); ++i) {
      note_workspace(batch[i].key);
      status = add(batch[i]);
    }
    rocksdb::WriteOptions how;
    how.sync = sync;
    if (status.ok()) {
      status = db_->Write(how, &writes_);
    }
    if (is_frugal_ || is_uncompacted_) {
      end_frugality();
    }
    written_bytes_.fetch_add(writes_.GetDataSize(), std::memory_order_relaxed);
    return is_in_place() ? noted(status) : gone();
  }

  Result<void> sync() override {
    const std::shared_lock lock(mutex_);
    if (db_ == nullptr || is_stand_in_) {
      return db_ == nullptr ? closed() : no_room();
    }
    const rocksdb::Status status = db_->SyncWAL();
    return is_in_place() ? noted(status) : gone();
  }

  Result<void> read(std::string_view from, std::string_view to, const Sink& sink) override {
    const std::shared_lock lock(mutex_);
    if (db_ == nullptr) {
      return closed();
    }
    const rocksdb::Slice end = slice(to);
    const auto iterator = iterate(end);
    iterator->Seek(slice(from));
    while (iterator->Valid() && sink(view(iterator->key()), view(iterator->value()))) {
      iterator->Next();
    }
    return unless_gone(to_read_result(iterator->status()));
  }

  Result<std::optional<std::string>> get(std::string_view key) override {
    const std::shared_lock lock(mutex_);
    if (db_ == nullptr) {
      return std::unexpected(closed().error());
    }
    rocksdb::ReadOptions how;
    how.fill_cache = false;
    std::string value;
    const rocksdb::Status status = db_->Get(how, slice(key), &value);
    if (status.IsNotFound()) {
      return std::nullopt;
    }
    if (auto outcome = unless_gone(to_read_result(status)); !outcome) {
      return std::unexpected(outcome.error());
    }
    return value;
  }

  void reclaim(std::string_view from, std::string_view to, bool thoroughly) override {
    const std::shared_lock lock(mutex_);
    if (db_ == nullptr || is_stand_in_) {
      return;
    }
    const rocksdb::Slice begin = slice(from);
    const rocksdb::Slice end = slice(to);
    rocksdb::Status status =
        rocksdb::DeleteFilesInRange(db_.get(), db_->DefaultColumnFamily(), &begin, &end, false);
    if (status.ok() && thoroughly) {
      rocksdb::CompactRangeOptions how;
      how.exclusive_manual_compaction = false;
      status = db_->CompactRange(how, &begin, &end);
    }
    if (!status.ok()) {
      SLUICE_LOG(warn, "the buffer cannot give disk space back at present",
                 {"error", status.ToString()});
    }
  }

  [[nodiscard]] bool has_room() override {
    const std::shared_lock lock(mutex_);
    if (options_.reserve_path.empty()) {
      return true;
    }
    if (db_ == nullptr || is_stand_in_) {
      return false;
    }
    return has_spare_room() || !is_in_place();  // that is for write() to tell
  }

  Result<void> make_room(std::uint64_t live_bytes) override {
    const auto room = room_on(options_.path);
    if (!room) {
      return {};
    }
    const FilesSize logs = files_of(options_.path, ".log");
    const std::uint64_t live = std::min(live_bytes, logs.size_bytes);
    const std::uint64_t needed = live + live / 8 + small_change_bytes;
    if (logs.disk_bytes > 2 * needed && room->free_bytes + reserve_.held_bytes() > needed) {
      // Opening makes a table of what is live in the logs, and removes them.
      reserve_.give_back();
      close();
      if (const auto status = open_with(settings_, false); !status.ok()) {
        return open();
      }
      is_frugal_ = false;
      is_uncompacted_ = settings_.disable_auto_compactions;
      is_stand_in_ = false;
    }
    compact_if_worthwhile(live_bytes);
    return {};
  }

  Result<void> reopen() override {
    if (db_ != nullptr && !is_in_place()) {
      if (auto moved = move_into_place(); !moved) {
        return moved;
      }
    } else if (is_stand_in_) {
      make_way();
      const auto room = room_on(options_.path);
      if (room && room->free_bytes < small_change_bytes) {
        return no_room();
      }
    }
    close();
    // A disk that is full has damaged nothing.
    if (options_.trial && last_failure_ && *last_failure_ != Errc::disk_full) {
      if (auto passed = options_.trial(); !passed) {
        return passed;
      }
    }
    auto opened = open();
    last_failure_ = opened ? std::optional<std::error_code>() : opened.error().code;
    return opened && is_stand_in_ ? no_room() : opened;
  }

  void close() override {
    const std::unique_lock lock(mutex_);
    if (db_ != nullptr) {
      // What is written is in the log; its errors were reported by the writes.
      db_->Close().PermitUncheckedError();
      db_.reset();
    }
  }

  [[nodiscard]] Stats stats() const override {
    return {.disk_bytes = disk_bytes(),
            .written_bytes = written_bytes_.load(std::memory_order_relaxed),
            .log_dropped_bytes = dropped_bytes_.load(std::memory_order_relaxed),
            .repairs = options_.is_rebuilt ? 1U : 0U,
            .set_aside = options_.is_empty_rebuilt ? 1U : 0U,
            .reserve_bytes = reserve_.held_bytes(),
            .free_bytes = room_on(options_.path).value_or(FileSystemRoom{}).free_bytes,
            .stray_tables = stray_tables_};
  }

 private:
  [[nodiscard]] static Result<void> closed() {
    return failure(Errc::failed, "the store is not open");
  }

  [[nodiscard]] bool has_spare_room() {
    if (!reserve_.is_held() && (!is_in_place() || !reserve_.try_take())) {
      return false;
    }
    const auto room = room_on(options_.path);
    if (!room) {
      return true;
    }
    // What is in memory has to become a table.
    std::uint64_t needed = reserve_.size_bytes();
    if (room->free_bytes < needed + 4 * options_.write_buffer_bytes) {
      needed += memtable_bytes();
    }
    return room->free_bytes >= needed;
  }
  [[nodiscard]] static Result<void> no_room() {
    return failure(Errc::disk_full, "there is no room for what opening the store has to write");
  }
  [[nodiscard]] static bool is_disk_full(const rocksdb::Status& status) {
    return !status.ok() && code_of(status) == Errc::disk_full;
  }

  rocksdb::Status open_with(const rocksdb::Options& settings, bool read_only) {
    rocksdb::DB* db = nullptr;
    const std::unique_lock lock(mutex_);
    const rocksdb::Status status = read_only
                                       ? rocksdb::DB::OpenForReadOnly(settings, options_.path, &db)
                                       : rocksdb::DB::Open(settings, options_.path, &db);
    db_.reset(db);
    if (db != nullptr) {
      // Where it is gone one day, an empty one in its place would hide that.
      settings_.create_if_missing = false;
    }
    if (const auto found = identity_of(options_.path); found && db != nullptr) {
      place_ = *found;
      if (!options_.read_only) {
        find_workspaces();
      }
    }
    if (options_.read_only && db != nullptr) {
      stray_tables_ = count_stray_tables();
    }
    return status;
  }

  // Whose keys to look for one by one, should their tables not be there any more.
  void find_workspaces() {
    const std::string begin(1, static_cast<char>(Tag::appended));
    const std::string end = key_above(Tag::appended);
    const rocksdb::Slice upper = slice(end);
    const auto iterator = iterate(upper);
    for (iterator->Seek(slice(begin)); iterator->Valid(); iterator->Next()) {
      note_workspace(view(iterator->key()));
    }
    iterator->status().PermitUncheckedError();  // whoever has to know them reads them, too
  }
  void note_workspace(std::string_view key) {
    if (static_cast<Tag>(key.front()) == Tag::appended && !workspaces_.contains(key)) {
      workspaces_.emplace(key);
    }
  }

  [[nodiscard]] Result<void> noted(const rocksdb::Status& status) {
    auto outcome = to_result(status);
    if (!outcome) {
      last_failure_ = outcome.error().code;
    }
    return outcome;
  }

  // Tables that are there, and not known to be.
  [[nodiscard]] std::uint64_t count_stray_tables() const {
    std::vector<rocksdb::LiveFileMetaData> live;
    db_->GetLiveFilesMetaData(&live);
    std::set<std::string> known;
    for (const rocksdb::LiveFileMetaData& table : live) {
      known.insert(fs::path(table.name).filename().string());
    }
    std::uint64_t strays = 0;
    std::error_code error;
    for (fs::directory_iterator at(options_.path, error), end; !error && at != end;
         at.increment(error)) {
      if (at->path().extension() == ".sst" && !known.contains(at->path().filename().string())) {
        ++strays;
      }
    }
    return strays;
  }

  [[nodiscard]] static Result<void> gone() {
    return failure(Errc::gone, std::error_code(Errc::gone).message());
  }
  // Whether the next start would find what is written: RocksDB itself does not notice, it has the
  // files open. A few system calls, where a sync takes a hundred times as long.
  [[nodiscard]] bool is_in_place() const {
    std::unique_ptr<rocksdb::LogFile> log;
    return identity_of(options_.path) == place_ && identity_of(options_.path + "/CURRENT") &&
           (options_.read_only || is_stand_in_ || db_->GetCurrentWalFile(&log).ok());
  }
  // A file that is not there is damage, unless all are elsewhere.
  [[nodiscard]] Result<void> unless_gone(Result<void> outcome) const {
    return !outcome && outcome.error().code == Errc::corrupt && !is_in_place() ? gone() : outcome;
  }

  // Saves what can be read to where the next start looks for it. Not onto another file system: that
  // is the one below, and the right one may come back.
  [[nodiscard]] Result<void> move_into_place() {
    const auto found = identity_of(options_.path);
    const bool is_ours = found == place_;
    if (!options_.restore_folder || !is_on_our_device(fs::path(options_.path).parent_path()) ||
        (found && !is_ours && !is_empty_folder(options_.path))) {
      return gone();
    }
    if (const auto restored = options_.restore_folder(); !restored) {
      return failure(Errc::gone, restored.error().message);
    }
    const std::string draft = options_.path + ".new";
    if (const auto status = save_to(draft); !status.ok()) {
      return failure(Errc::gone, status.ToString());
    }
    return put_in_place(draft, is_ours);
  }
  [[nodiscard]] rocksdb::Status save_to(const std::string& draft) {
    // Its own files are no more: it must not touch those of the new one, which have the same names.
    rocksdb::Status status;
    if (!is_stand_in_) {
      status = db_->DisableFileDeletions();
      if (status.ok()) {
        status = db_->PauseBackgroundWork();
      }
    }
    std::error_code error;
    fs::remove_all(draft, error);
    rocksdb::DB* made = nullptr;
    if (status.ok()) {
      rocksdb::Options settings = settings_;
      settings.create_if_missing = true;
      status = rocksdb::DB::Open(settings, draft, &made);
    }
    const std::unique_ptr<rocksdb::DB> copy(made);
    if (copy != nullptr) {
      status = copy_database(*db_, *copy, workspaces_);
      copy->Close().PermitUncheckedError();
    }
    return status;
  }
  [[nodiscard]] static bool is_empty_folder(const std::string& path) {
    std::error_code error;
    return fs::is_directory(path, error) && fs::is_empty(path, error);
  }
  [[nodiscard]] bool is_on_our_device(fs::path folder) const {
    while (!identity_of(folder) && folder != folder.parent_path()) {
      folder = folder.parent_path();
    }
    const auto found = identity_of(folder);
    return found && found->device == place_.device;
  }
  [[nodiscard]] Result<void> put_in_place(const std::string& draft, bool remains) {
    close();
    reserve_.give_back();  // its file went with the folder
    if (remains) {
      if (const auto aside = sluice::store::set_aside(options_.path); !aside) {
        return std::unexpected(aside.error());
      }
    }
    std::error_code error;
    fs::rename(draft, options_.path, error);
    if (error) {
      return failure(Errc::failed, "cannot rename " + draft + ": " + error.message());
    }
    if (auto synced = sync_folder(fs::path(options_.path).parent_path().string()); !synced) {
      return synced;
    }
    SLUICE_LOG(warn, "the disk buffer's files were gone: what could be saved was written anew",
               {"path", options_.path});
    return {};
  }

  // There may be room for a new log, if not for a table of what was in the last one.
  rocksdb::Status open_frugally() {
    make_way();
    rocksdb::Options frugal = settings_;
    frugal.avoid_flush_during_recovery = true;
    frugal.write_buffer_size = frugal_write_buffer_bytes;
    frugal.disable_auto_compactions = true;  // they would take the last room, and fail
    const rocksdb::Status status = open_with(frugal, false);
    is_frugal_ = status.ok();
    is_uncompacted_ = true;
    return status;
  }
  void make_way() {
    reserve_.give_back();
    trim_logs(options_.path);
  }

  [[nodiscard]] std::uint64_t memtable_bytes() const {
    std::uint64_t bytes = 0;
    static_cast<void>(db_->GetIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables, &bytes));
    return bytes;
  }

  // A table of which most was removed is written anew without that.
  void compact_if_worthwhile(std::uint64_t live_bytes) {
    const std::shared_lock lock(mutex_);
    std::uint64_t tables = 0;
    const auto room = room_on(options_.path);
    if (db_ == nullptr || is_stand_in_ || !room ||
        !db_->GetIntProperty(rocksdb::DB::Properties::kTotalSstFilesSize, &tables) ||
        tables < 2 * std::max(live_bytes, compacted_bytes_) + 8 * small_change_bytes ||
        room->free_bytes < live_bytes + memtable_bytes() + small_change_bytes) {
      return;
    }
    rocksdb::CompactRangeOptions how;
    how.exclusive_manual_compaction = false;
    const rocksdb::Status status = db_->CompactRange(how, nullptr, nullptr);
    if (!status.ok()) {
      SLUICE_LOG(warn, "the buffer cannot give disk space back at present",
                 {"error", status.ToString()});
    }
    static_cast<void>(
        db_->GetIntProperty(rocksdb::DB::Properties::kTotalSstFilesSize, &compacted_bytes_));
  }

  // Once there is room for a table of what is in memory, it need not grow beyond what was wanted;
  // and once there is for all tables, they are put in order again.
  void end_frugality() {
    const auto room = room_on(options_.path);
    const std::uint64_t free_bytes = room ? room->free_bytes : 0;
    if (is_frugal_ && free_bytes >= 2 * memtable_bytes() + options_.write_buffer_bytes) {
      is_frugal_ = !set("write_buffer_size", std::to_string(options_.write_buffer_bytes));
    }
    std::uint64_t tables = 0;
    if (is_uncompacted_ && !options_.is_tight &&
        db_->GetIntProperty(rocksdb::DB::Properties::kTotalSstFilesSize, &tables) &&
        free_bytes >= tables + 2 * memtable_bytes() + options_.write_buffer_bytes) {
      is_uncompacted_ = !set("disable_auto_compactions", "false");
    }
  }
  [[nodiscard]] bool set(const std::string& option, const std::string& value) {
    return db_->SetOptions({{option, value}}).ok();
  }

  rocksdb::Status add(const Batch::Operation& operation) {
    switch (operation.kind) {
      case Batch::Kind::put:
        return writes_.Put(slice(operation.key), slice(operation.value));
      case Batch::Kind::remove:
        return writes_.Delete(slice(operation.key));
      case Batch::Kind::remove_range:
        return add_removals(operation.key, operation.value);
    }
    return rocksdb::Status::OK();
  }

  // RocksDB's own removal of ranges is not used: of a table that is damaged, its iterators free the
  // range removals twice.
  [[nodiscard]] std::unique_ptr<rocksdb::Iterator> iterate(const rocksdb::Slice& upper) const {
    rocksdb::ReadOptions how;
    how.iterate_upper_bound = &upper;  // lives as long as the iterator
    how.fill_cache = false;
    how.ignore_range_deletions = true;
    return std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(how));
  }
  rocksdb::Status add_removals(std::string_view from, std::string_view to) {
    const rocksdb::Slice end = slice(to);
    const auto iterator = iterate(end);
    rocksdb::Status status;
    for (iterator->Seek(slice(from)); iterator->Valid() && status.ok(); iterator->Next()) {
      status = writes_.Delete(iterator->key());
    }
    const auto read = to_read_result(iterator->status());
    if (status.ok() && !read && read.error().code != Errc::corrupt &&
        read.error().code != Errc::unreadable) {
      return iterator->status();
    }
    return status;  // what is unreadable need not be removed
  }

  [[nodiscard]] std::uint64_t disk_bytes() const {
    std::uint64_t bytes = 0;
    std::error_code error;
    for (fs::directory_iterator at(options_.path, error), end; !error && at != end;
         at.increment(error)) {
      std::error_code gone;  // meanwhile
      if (const std::uint64_t size = at->file_size(gone); !gone) {
        bytes += size;
      }
    }
    return bytes;
  }

  const RocksDbOptions options_;
  rocksdb::Options settings_;
  std::atomic<std::uint64_t> dropped_bytes_{0};
  std::atomic<std::uint64_t> written_bytes_{0};
  std::uint64_t stray_tables_ = 0;
  mutable std::shared_mutex mutex_;  // exclusive: opens and closes
  std::unique_ptr<rocksdb::DB> db_;
  // The writer's, as all that follows.
  bool is_frugal_ = false;       // memory is given more, so that no table has to be written
  bool is_uncompacted_ = false;  // tables are left as they are
  std::atomic<bool> is_stand_in_{false};  // can only be read; read by any
  std::optional<std::error_code> last_failure_;
  Reserve reserve_;
  FileIdentity place_{};                           // of the folder that was opened
  std::set<std::string, std::less<>> workspaces_;  // keys that say where one stands
  std::uint64_t compacted_bytes_ = 0;              // tables, when they were last written anew
  rocksdb::WriteBatch writes_;                     // keeps its memory
};

}  // namespace

Result<std::unique_ptr<Engine>> open_rocksdb(const RocksDbOptions& options) {
  auto engine = std::make_unique<RocksDbEngine>(options);
  if (auto opened = engine->open(); !opened) {
    return std::unexpected(opened.error());
  }
  return engine;
}

}  // namespace sluice::store
