#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/base/log.hpp>
#include <sluice/deadletter/store.hpp>

#include "files.hpp"
#include "letter_line.hpp"
#include "selection.hpp"

namespace sluice::deadletter {
namespace {

namespace fs = std::filesystem;

constexpr mode_t file_mode = S_IRUSR | S_IWUSR | S_IRGRP;
constexpr unsigned id_counter_bits = 16;
// What an earlier version wrote is taken over in writes of about this size.
constexpr std::size_t take_over_bytes = 1U << 20;

// What some lines are.
struct Contents {
  std::uint64_t bytes = 0;
  std::uint64_t letters = 0;
  std::uint64_t unreadable_lines = 0;
};

LetterId next_id(LetterId last, WallTime time) {
  const auto ms =
      static_cast<std::uint64_t>(std::max<std::int64_t>(time.time_since_epoch().count(), 0));
  return std::max(last + 1, ms << id_counter_bits);
}

// A segment without the letters that are removed.
struct Thinned {
  std::string text;
  std::uint64_t removed = 0;
  LetterId last_id = 0;  // of all that were in it
};

Thinned thin(std::string_view text, const Query& query, LineParser& parser) {
  Thinned thinned;
  const char* end = text.data();
  for_each_line(text, [&](std::string_view line) {
    const auto letter = parser.parse(line);
    end = line.data() + line.size() + 1;
    if (letter && letter->id != 0 && fits(*letter, query)) {
      ++thinned.removed;
    } else {
      thinned.text.append(line) += '\n';
    }
    thinned.last_id = letter ? std::max(letter->id, thinned.last_id) : thinned.last_id;
  });
  thinned.text.append(end, text.data() + text.size());
  return thinned;
}

class FileStore final : public Store {
 public:
  FileStore(StoreOptions options, Descriptor lock)
      : options_(std::move(options)), lock_(std::move(lock)) {}

  // Once, before all else.
  Result<void> load();

  Result<void> append(std::span<const Letter> letters) override;
  [[nodiscard]] Result<Page> read(const Query& query) override {
    const std::lock_guard guard(mutex_);
    return read_letters(options_.folder, query);
  }
  [[nodiscard]] Result<Removal> remove(const Selection& selection, LetterId after,
                                       LetterId last) override;

  [[nodiscard]] std::uint64_t size_bytes() const override {
    return bytes_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t letters() const override {
    return letters_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t unreadable_lines() const override {
    return unreadable_lines_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] LetterId last_id() const override {
    return last_id_.load(std::memory_order_relaxed);
  }

 private:
  Result<void> remove_drafts();
  Result<void> load(const SegmentFile& segment, bool is_last);
  Result<void> take_over(const std::string& path);
  void renew_id(std::string& line, Contents& contents);
  Result<void> write(std::string_view lines, const Contents& contents, LetterId last);
  Result<void> open_segment();
  void cut_off(std::uint64_t size);
  Result<void> replace(const SegmentFile& segment, const Thinned& thinned);
  void add(const Contents& contents);

  const StoreOptions options_;
  const Descriptor lock_;
  std::mutex mutex_;
  LineParser parser_;
  std::map<std::uint32_t, std::uint64_t> segments_;  // bytes, by number
  std::uint32_t number_ = 0;                         // of the newest segment that there ever was
  Descriptor file_;                                  // that segment, open for appending; or none
  bool is_spoilt_ = false;                           // it ends with half a line
  // Written under the mutex; relaxed: they order nothing else.
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> letters_{0};
  std::atomic<std::uint64_t> unreadable_lines_{0};
  std::atomic<LetterId> last_id_{0};
};

Result<void> FileStore::load() {
  const std::lock_guard guard(mutex_);
  if (auto removed = remove_drafts(); !removed) {
    return removed;
  }
  const auto segments = list_segments(options_.folder);
  if (!segments) {
    return std::unexpected(segments.error());
  }
  for (const SegmentFile& segment : *segments) {
    const bool is_last = segment.number == segments->back().number;
    if (auto loaded = load(segment, is_last); !loaded) {
      return loaded;
    }
  }
  if (unreadable_lines() > 0) {
    SLUICE_LOG(error, "lines among the dead letters cannot be read; they are kept, and skipped",
               {"path", options_.folder}, {"lines", unreadable_lines()});
  }
  const std::string earlier = options_.folder + "/dead-letters.jsonl";
  return ::access(earlier.c_str(), F_OK) == 0 ? take_over(earlier) : Result<void>();
}

Result<void> FileStore::remove_drafts() {
  std::error_code error;
  for (fs::directory_iterator at(options_.folder, error), end; !error && at != end;
       at.increment(error)) {
    if (at->path().string().ends_with(".jsonl" + std::string(draft_suffix))) {
      SLUICE_LOG(info, "removing a rewrite of dead letters that a crash interrupted",
                 {"path", at->path().string()});
      fs::remove(at->path(), error);
    }
  }
  return error ? failed("tidy up", options_.folder, error.value()) : Result<void>();
}

Result<void> FileStore::load(const SegmentFile& segment, bool is_last) {
  const auto text = read_segment(segment.path);
  if (!text) {
    return std::unexpected(text.error());
  }
  Contents contents{.bytes = text->size};
  LetterId last = last_id();
  for_each_line(text->view(), [&](std::string_view line) {
    const auto letter = parser_.parse(line);
    const bool is_letter = letter && letter->id != 0;
    ++(is_letter ? contents.letters : contents.unreadable_lines);
    last = is_letter ? std::max(last, letter->id) : last;
  });
  last_id_.store(last, std::memory_order_relaxed);
  const std::uint64_t whole = text->view().rfind('\n') + 1;
  if (is_last && whole < text->size) {
    SLUICE_LOG(warn, "removing a dead letter that a crash cut off", {"path", segment.path},
               {"bytes", text->size - whole});
    if (::truncate(segment.path.c_str(), static_cast<off_t>(whole)) != 0) {
      return failed("truncate", segment.path, errno);
    }
    contents.bytes = whole;
  }
  segments_[segment.number] = contents.bytes;
  number_ = segment.number;
  add(contents);
  return {};
}

// If it is interrupted, letters can be there twice. Their events are the same, and count once.
Result<void> FileStore::take_over(const std::string& path) {
  SLUICE_LOG(info, "taking over the dead letters of an earlier version", {"path", path});
  std::ifstream file(path, std::ios::binary);
  std::string lines;
  Contents contents;
  Result<void> taken;
  for (std::string line; taken && std::getline(file, line);) {
    if (file.eof()) {
      break;  // a crash cut it off
    }
    renew_id(line, contents);
    lines += line + '\n';
    if (lines.size() >= take_over_bytes) {
      taken = write(lines, std::exchange(contents, {}), last_id());
      lines.clear();
    }
  }
  if (taken && file.bad()) {
    taken = failed("read", path, EIO);
  }
  if (taken && !lines.empty()) {
    taken = write(lines, contents, last_id());
  }
  if (taken && ::unlink(path.c_str()) != 0) {
    taken = failed("remove", path, errno);
  }
  return taken ? sync_folder(options_.folder) : taken;
}

void FileStore::renew_id(std::string& line, Contents& contents) {
  constexpr std::string_view start = "{\"id\":\"";
  const std::size_t size = line.size();
  line.resize(size + LineParser::padding_bytes);
  const auto letter = parser_.parse(std::string_view(line).substr(0, size));
  line.resize(size);
  if (!letter || !line.starts_with(start)) {
    ++contents.unreadable_lines;
    return;
  }
  last_id_.store(next_id(last_id(), letter->last_attempt_at), std::memory_order_relaxed);
  line.replace(start.size(), line.find('"', start.size()) - start.size(), to_text(last_id()));
  ++contents.letters;
}

Result<void> FileStore::append(std::span<const Letter> letters) {
  const std::lock_guard guard(mutex_);
  std::string lines;
  LetterId last = last_id();
  for (const Letter& letter : letters) {
    last = next_id(last, letter.last_attempt_at);
    append_line(lines, letter, last);
  }
  if (this->letters() > 0 && size_bytes() + lines.size() > options_.bytes_max) {
    return failure(std::errc::no_space_on_device,
                   "the dead letters in " + options_.folder +
                       " would exceed dead_letter.max_bytes: replay or purge some (`sluice dlq`), "
                       "or raise it and restart");
  }
  return write(lines, {.letters = letters.size()}, last);
}

Result<void> FileStore::write(std::string_view lines, const Contents& contents, LetterId last) {
  if (auto opened = open_segment(); !opened) {
    return opened;
  }
  std::uint64_t& size = segments_[number_];
  const std::string path = segment_path(options_.folder, number_);
  auto written = write_all(file_.get(), lines, path);
  if (written && ::fdatasync(file_.get()) != 0) {
    written = failed("sync", path, errno);
  }
  if (!written) {
    cut_off(size);
    return written;
  }
  size += lines.size();
  last_id_.store(last, std::memory_order_relaxed);
  add({.bytes = lines.size(),
       .letters = contents.letters,
       .unreadable_lines = contents.unreadable_lines});
  return {};
}

// Half a line must not stay: the next one would be glued to it.
void FileStore::cut_off(std::uint64_t size) {
  if (::ftruncate(file_.get(), static_cast<off_t>(size)) == 0) {
    return;
  }
  SLUICE_LOG(error, "cannot cut off a half-written dead letter; the next one goes to a new file",
             {"path", segment_path(options_.folder, number_)},
             {"error", std::generic_category().message(errno)});
  file_ = Descriptor();
  is_spoilt_ = true;
}

// The newest segment, or a new one when there is none with room.
Result<void> FileStore::open_segment() {
  const auto newest = segments_.find(number_);
  const bool has_room =
      newest != segments_.end() && newest->second < options_.segment_bytes_max && !is_spoilt_;
  if (has_room && file_) {
    return {};
  }
  const std::uint32_t number = has_room ? number_ : number_ + 1;
  const std::string path = segment_path(options_.folder, number);
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, file_mode));
  if (!file) {
    return failed("open", path, errno);
  }
  // Also when it was there: an attempt to make it may have failed here.
  if (auto synced = sync_folder(options_.folder); !synced) {
    return synced;
  }
  number_ = number;
  segments_.try_emplace(number, 0);
  file_ = std::move(file);
  is_spoilt_ = false;
  return {};
}

Result<Removal> FileStore::remove(const Selection& selection, LetterId after, LetterId last) {
  const std::lock_guard guard(mutex_);
  const Query query{.selection = selection, .after = after, .last = last};
  const auto segments = find_segments(options_.folder, query);
  if (!segments) {
    return std::unexpected(segments.error());
  }
  Removal removal;
  std::size_t read_bytes = 0;
  for (const SegmentFile& segment : *segments) {
    const auto text = read_segment(segment.path);
    if (!text) {
      return std::unexpected(text.error());
    }
    const Thinned thinned = thin(text->view(), query, parser_);
    if (thinned.removed > 0) {
      if (auto replaced = replace(segment, thinned); !replaced) {
        return std::unexpected(replaced.error());
      }
    }
    removal.letters += thinned.removed;
    read_bytes += text->size;
    if (read_bytes >= step_bytes_max && thinned.last_id > after && thinned.last_id < last) {
      removal.next = thinned.last_id;
      break;
    }
  }
  return removal;
}

Result<void> FileStore::replace(const SegmentFile& segment, const Thinned& thinned) {
  if (segment.number == number_) {
    file_ = Descriptor();  // it would append to the file that is replaced
  }
  if (thinned.text.empty()) {
    if (::unlink(segment.path.c_str()) != 0) {
      return failed("remove", segment.path, errno);
    }
  } else if (auto replaced = replace_file(segment.path, thinned.text); !replaced) {
    return replaced;
  }
  // It is so from here on, even if it is not known to last.
  bytes_.fetch_sub(segments_[segment.number] - thinned.text.size(), std::memory_order_relaxed);
  letters_.fetch_sub(thinned.removed, std::memory_order_relaxed);
  if (thinned.text.empty()) {
    segments_.erase(segment.number);
  } else {
    segments_[segment.number] = thinned.text.size();
  }
  return sync_folder(options_.folder);
}

void FileStore::add(const Contents& contents) {
  bytes_.fetch_add(contents.bytes, std::memory_order_relaxed);
  letters_.fetch_add(contents.letters, std::memory_order_relaxed);
  unreadable_lines_.fetch_add(contents.unreadable_lines, std::memory_order_relaxed);
}

Result<Descriptor> lock_folder(const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    return failure(error, "cannot create the folder dead_letter.path (" + folder +
                              "): " + error.message() + "; create it, or set another one");
  }
  const std::string path = folder + "/LOCK";
  Descriptor lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, file_mode));
  if (!lock) {
    return failed("open", path, errno);
  }
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return failure(std::errc::device_or_resource_busy,
                   "the dead letters in " + folder +
                       " are in use by another process: stop it, or set another dead_letter.path");
  }
  return lock;
}

}  // namespace

Result<std::unique_ptr<Store>> open_store(const StoreOptions& options) {
  auto lock = lock_folder(options.folder);
  if (!lock) {
    return std::unexpected(lock.error());
  }
  auto store = std::make_unique<FileStore>(options, std::move(*lock));
  if (auto loaded = store->load(); !loaded) {
    return std::unexpected(loaded.error());
  }
  return store;
}

}  // namespace sluice::deadletter
