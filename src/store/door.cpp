#include "door.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <sluice/base/log.hpp>

#include "opening.hpp"
#include "raw_file.hpp"
#include "reserve.hpp"
#include "salvage.hpp"
#include "trial_report.hpp"

namespace sluice::store {
namespace {

namespace fs = std::filesystem;

using End = TrialReport::End;

// What the device refuses to read is tried again for so many seconds.
constexpr int device_attempts = 5;

// What a trial may take: what three write buffers have in logs, twice, as they are kept in memory,
// and something for the rest.
constexpr std::size_t write_buffers = 3;
constexpr std::uint64_t trial_bytes_min = 32U << 20;

// For a signal's handler, which can take nothing else.
std::array<char, 4'096> crash_mark{};
constexpr std::array crash_signals{SIGABRT, SIGSEGV, SIGBUS};
std::array<struct sigaction, crash_signals.size()> earlier_actions{};

// The signal comes again when it returns, and does what it did before.
void make_crash_mark(int signal) {
  const int file = ::open(crash_mark.data(), O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
  ::close(file);
  for (std::size_t i = 0; i < crash_signals.size(); ++i) {
    if (crash_signals[i] == signal) {
      ::sigaction(signal, &earlier_actions[i], nullptr);
    }
  }
  ::raise(signal);
}

TrialReport try_patiently(const std::string& database, const Door& door) {
  const auto attempt = [&] {
    return try_opening(door.program, {.database = database, .memory_bytes = door.trial_bytes},
                       door.tell);
  };
  TrialReport report = attempt();
  for (int attempts = 1;
       attempts < device_attempts && report.end == End::refused && report.code == Errc::unreadable;
       ++attempts) {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    report = attempt();
  }
  return report;
}

Result<void> check_patiently(const std::string& database) {
  auto checked = check_readable(database);
  for (int attempts = 1;
       attempts < device_attempts && !checked && checked.error().code == Errc::unreadable;
       ++attempts) {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    checked = check_readable(database);
  }
  return checked;
}

// Whether groups that must be there are not.
bool is_short(const TrialReport& report, const Tally& tally) {
  return std::ranges::any_of(tally, [&](const auto& known) {
    const auto& [id, entry] = known;
    const auto found = report.next.find(id);
    const Ticket next = found == report.next.end() ? 1 : found->second;
    return entry.low.ticket < entry.next.ticket && next < entry.next.ticket;
  });
}

// To open it to write changes files: a trial of that takes others, which share what is large.
std::optional<std::string> doubt_in_writing(const std::string& database, const Door& door) {
  const std::string other = database + ".draft";
  std::error_code error;
  fs::remove_all(other, error);
  fs::create_directory(other, error);
  for (fs::directory_iterator at(database, error), end; !error && at != end; at.increment(error)) {
    std::error_code failed;
    const fs::path to = other / at->path().filename();
    if (at->path().extension() == ".sst") {
      fs::create_hard_link(at->path(), to, failed);
    } else if (at->is_regular_file(failed)) {
      fs::copy_file(at->path(), to, failed);
    }
    if (failed) {
      fs::remove_all(other, failed);
      return std::nullopt;  // no room, as a rule: it cannot be known
    }
  }
  const TrialReport report = try_opening(
      door.program, {.database = other, .to_write = true, .memory_bytes = door.trial_bytes},
      door.tell);
  fs::remove_all(other, error);
  return report.end == End::died ? std::optional(report.text) : std::nullopt;
}

// Why it is not to be opened as it is; nothing: it can be, or that fails without harm.
std::optional<std::string> doubt_of(const std::string& database, const Door& door) {
  if (is_in_parts(database)) {
    return "it was being saved or built anew when the process ended: it is in two parts";
  }
  if (door.program.empty() || is_new(database)) {
    return std::nullopt;
  }
  const TrialReport report = try_patiently(database, door);
  switch (report.end) {
    case End::died:
      return report.text;
    case End::refused:
      return report.code == Errc::corrupt || report.code == Errc::unreadable
                 ? std::optional(report.text)
                 : std::nullopt;
    case End::unknown:
      if (report.needs_memory) {
        return doubt_in_writing(database, door);
      }
      SLUICE_LOG(warn, "the buffer's store is opened without having been tried",
                 {"reason", report.text});
      break;
    case End::fine:
      if (report.stray_tables > 0 && is_short(report, door.tally)) {
        return "acknowledged events are missing, and there are tables that it does not know";
      }
      break;
  }
  std::error_code error;
  return fs::exists(door.mark, error) ? doubt_in_writing(database, door) : std::nullopt;
}

Result<void> try_again(const std::string& database, const Door& door) {
  const TrialReport report =
      try_opening(door.program, {.database = database, .memory_bytes = door.trial_bytes}, nullptr,
                  door.stopped);
  if (report.end == End::died) {
    return failure(Errc::corrupt, report.text + "; a restart builds it anew of what can be read");
  }
  if (report.end == End::unknown && door.stopped.stop_requested()) {
    return failure(Errc::failed, "it was not opened again, as trying it takes too long");
  }
  return {};
}

Result<std::string> place_for_copy(const std::string& database) {
  std::error_code error;
  if (has_room_for_copy(database)) {
    std::string beside = database + ".draft";
    fs::remove_all(beside, error);
    return beside;
  }
  std::string place = (fs::temp_directory_path(error) / "sluice-XXXXXX").string();
  if (error || ::mkdtemp(place.data()) == nullptr) {
    return failure(Errc::failed, "cannot make a folder for temporary files: set TMPDIR to one");
  }
  return place;
}

Result<std::unique_ptr<Engine>> open_anew(RocksDbOptions options, const Door& door,
                                          const std::string& doubt) {
  SLUICE_LOG(error, "the buffer's store cannot be opened: building it anew of what can be read",
             {"path", options.path}, {"error", doubt});
  Reserve(options.reserve_path).give_back();  // it is written anew
  OpeningStep step(door.tell, OpeningProgress::Step::rebuilding);
  const auto rebuilt =
      rebuild(options.path, door.tally, options.write_buffer_bytes,
              [&](std::uint64_t done, std::uint64_t all) { step.note(done, all); });
  if (!rebuilt) {
    return failure(rebuilt.error().code,
                   "it cannot be opened (" + doubt +
                       "), and cannot be built anew: " + rebuilt.error().message);
  }
  options.is_rebuilt = true;
  options.is_empty_rebuilt = rebuilt->salvage.records == 0;
  SLUICE_LOG(error, "the buffer's store was built anew", {"groups", rebuilt->salvage.groups},
             {"unreadable_bytes", rebuilt->salvage.unreadable_bytes},
             {"files", rebuilt->salvage.files}, {"earlier_one", rebuilt->aside});
  return open_rocksdb(options);
}

}  // namespace

Result<std::unique_ptr<Engine>> open_database(const RocksDbOptions& options, const Door& door) {
  if (auto finished = finish_exchange(options.path); !finished) {
    return std::unexpected(finished.error());
  }
  RocksDbOptions guarded = options;
  if (!door.program.empty()) {
    guarded.trial = [door, path = options.path] { return try_again(path, door); };
  }
  const auto checked = check_patiently(options.path);
  if (!checked && checked.error().code != Errc::unreadable) {
    return std::unexpected(checked.error());
  }
  // Without files that say so, a database would be made, and what is there removed.
  std::error_code error;
  std::optional<std::string> doubt =
      checked ? doubt_of(options.path, door) : std::optional(checked.error().message);
  if (!doubt && !is_new(options.path) && !fs::exists(options.path + "/CURRENT", error)) {
    doubt = "its file CURRENT is missing";
  }
  if (!doubt) {
    if (!door.mark.empty()) {
      std::ofstream(door.mark) << "";
    }
    const WatchedStep watched(door.tell, OpeningProgress::Step::opening);
    auto engine = open_rocksdb(guarded);
    if (engine ||
        (engine.error().code != Errc::corrupt && engine.error().code != Errc::unreadable)) {
      return engine;
    }
    doubt = engine.error().message;
  }
  return open_anew(guarded, door, *doubt);
}

Result<Files> open_files(const Options& options, std::stop_token stopped) {
  auto opened_folder = Folder::open(options.path, Folder::Missing::create);
  if (!opened_folder) {
    return std::unexpected(opened_folder.error());
  }
  auto folder = std::make_shared<Folder>(*std::move(opened_folder));
  TallyFile tally = TallyFile::open(folder->tally_path());
  Door door{.program = options.program,
            .mark = folder->mark_path(),
            .tally = decode_tally(tally.found()).value_or(Tally()),
            .trial_bytes = 2 * write_buffers * options.write_buffer_bytes + trial_bytes_min,
            .tell = options.tell_opening,
            .stopped = std::move(stopped)};
  if (tally.found().empty() && !is_new(folder->database_path())) {
    SLUICE_LOG(warn,
               "there is no count of what the buffer holds, as after an update, or it is damaged: "
               "if the disk has lost the newest events, nobody knows how many",
               {"path", folder->tally_path()});
  }
  auto engine = open_database({.path = folder->database_path(),
                               .write_buffer_bytes = options.write_buffer_bytes,
                               .reserve_path = folder->reserve_path(),
                               .restore_folder = [folder] { return folder->restore(); }},
                              door);
  if (!engine) {
    mark_opened(door);
    return failure(engine.error().code,
                   "cannot open the store in " + options.path + ": " + engine.error().message);
  }
  return Files{.folder = std::move(folder),
               .tally = std::move(tally),
               .door = std::move(door),
               .engine = *std::move(engine)};
}

void mark_opened(const Door& door) {
  std::error_code ignored;
  fs::remove(door.mark, ignored);
}

void mark_at_abnormal_end(const Door& door) {
  if (door.mark.size() >= crash_mark.size()) {
    return;
  }
  std::ranges::copy(door.mark, crash_mark.begin());
  struct sigaction action{};
  action.sa_handler = make_crash_mark;
  for (std::size_t i = 0; i < crash_signals.size(); ++i) {
    ::sigaction(crash_signals[i], &action, &earlier_actions[i]);
  }
}

Result<LookedAt> LookedAt::open(const std::string& database, const Door& door) {
  if (auto finished = finish_exchange(database); !finished) {
    return std::unexpected(finished.error());
  }
  const auto checked = check_patiently(database);
  if (!checked && checked.error().code != Errc::unreadable) {
    return std::unexpected(checked.error());
  }
  std::string doubt = checked ? doubt_of(database, door).value_or("") : checked.error().message;
  if (doubt.empty()) {
    auto engine = open_rocksdb({.path = database, .read_only = true});
    if (engine) {
      return LookedAt(*std::move(engine), "", "");
    }
    if (engine.error().code != Errc::corrupt && engine.error().code != Errc::unreadable) {
      return std::unexpected(engine.error());
    }
    doubt = engine.error().message;
  }
  return open_copy(database, door, std::move(doubt));
}

Result<LookedAt> LookedAt::open_copy(const std::string& database, const Door& door,
                                     std::string doubt) {
  const auto copy = place_for_copy(database);
  if (!copy) {
    return std::unexpected(copy.error());
  }
  auto engine = open_rocksdb({.path = *copy, .is_rebuilt = true});
  if (!engine) {
    return std::unexpected(engine.error());
  }
  LookedAt looked_at(*std::move(engine), *copy, std::move(doubt));
  std::vector<std::string> sources{database};
  if (is_in_parts(database)) {
    sources.insert(sources.begin(), part_of(database));  // what is in it was in the other one first
  }
  for (const std::string& source : sources) {
    if (const auto salvaged = salvage(source, door.tally, looked_at.engine()); !salvaged) {
      return failure(salvaged.error().code, salvaged.error().message + "; it is copied to " +
                                                *copy + ": set TMPDIR to a folder with more room");
    }
  }
  return looked_at;
}

LookedAt::~LookedAt() {
  if (engine_ != nullptr && !copy_.empty()) {
    engine_->close();
    std::error_code ignored;
    fs::remove_all(copy_, ignored);
  }
}

}  // namespace sluice::store
