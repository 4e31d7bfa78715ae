#include "tally.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <sluice/base/log.hpp>

#include "bytes.hpp"
#include "file_identity.hpp"
#include "folder.hpp"

namespace sluice::store {
namespace {

constexpr std::string_view tally_magic = "SLTALLY1";
constexpr std::uint64_t slot_bytes = 1U << 20;
constexpr std::size_t slot_head_bytes = 8 + 8 + 4;  // magic, sequence, size
constexpr std::uint64_t flush_interval_ms = 100;

void put_position(std::string& out, const Position& position) {
  put_number(out, position.ticket);
  put_number(out, position.before.events);
  put_number(out, position.before.keys);
  put_number(out, position.before.payload_bytes);
}

Position take_position(Bytes& bytes) {
  Position position;
  position.ticket = bytes.take<std::uint64_t>();
  position.before.events = bytes.take<std::uint64_t>();
  position.before.keys = bytes.take<std::uint64_t>();
  position.before.payload_bytes = bytes.take<std::uint64_t>();
  return position;
}

struct Slot {
  std::uint64_t sequence;
  std::string bytes;
};

std::optional<Slot> read_slot(int file, std::uint64_t index) {
  std::array<char, slot_head_bytes> head{};
  const auto at = static_cast<off_t>(index * slot_bytes);
  if (::pread(file, head.data(), head.size(), at) != static_cast<ssize_t>(head.size()) ||
      !std::string_view(head.data(), head.size()).starts_with(tally_magic)) {
    return std::nullopt;
  }
  Bytes fields(std::string_view(head.data(), head.size()).substr(tally_magic.size()));
  const auto sequence = fields.take<std::uint64_t>();
  const auto size = fields.take<std::uint32_t>();
  if (size > slot_bytes - slot_head_bytes - sizeof(std::uint64_t)) {
    return std::nullopt;
  }
  std::string all(slot_head_bytes + size + sizeof(std::uint64_t), '\0');
  if (::pread(file, all.data(), all.size(), at) != static_cast<ssize_t>(all.size())) {
    return std::nullopt;
  }
  const std::size_t summed = all.size() - sizeof(std::uint64_t);
  if (Bytes(std::string_view(all).substr(summed)).take<std::uint64_t>() !=
      XXH3_64bits(all.data(), summed)) {
    return std::nullopt;
  }
  return Slot{.sequence = sequence, .bytes = all.substr(slot_head_bytes, size)};
}

std::optional<Slot> read_slots(int file) {
  auto first = read_slot(file, 0);
  auto second = read_slot(file, 1);
  return !first || (second && second->sequence > first->sequence) ? second : first;
}

std::uint64_t now_ms() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count());
}

}  // namespace

void encode_tally(std::span<const TallyPart> parts, std::string& out) {
  out.clear();
  put_number(out, static_cast<std::uint32_t>(parts.size()));
  std::size_t room = tally_ranges_max;
  for (const TallyPart& part : parts) {
    const std::size_t count = std::min(part.ranges.size(), room);
    room -= count;
    put_number(out, part.id);
    put_number(out, static_cast<std::uint8_t>(part.is_complete && count == part.ranges.size()));
    put_position(out, part.next);
    put_position(out, part.low);
    put_number(out, static_cast<std::uint32_t>(count));
    auto range = part.ranges.begin();
    for (std::size_t i = 0; i < count; ++i, ++range) {
      put_number(out, range->first);
      put_position(out, {.ticket = range->second.end, .before = range->second.totals});
    }
  }
}

std::optional<Tally> decode_tally(std::string_view text) {
  Bytes bytes(text);
  Tally tally;
  for (auto left = bytes.take<std::uint32_t>(); left > 0 && bytes.ok(); --left) {
    TallyEntry& entry = tally[bytes.take<std::uint32_t>()];
    entry.is_complete = bytes.take<std::uint8_t>() == 1;
    entry.next = take_position(bytes);
    entry.low = take_position(bytes);
    for (auto ranges = bytes.take<std::uint32_t>(); ranges > 0 && bytes.ok(); --ranges) {
      const auto begin = bytes.take<std::uint64_t>();
      const Position end = take_position(bytes);
      entry.ranges[begin] = {.end = end.ticket, .totals = end.before};
    }
  }
  if (!bytes.ok() || bytes.left() > 0) {
    return std::nullopt;
  }
  return tally;
}

void raise(LoadedWorkspace& workspace, const Tally& tally) {
  const auto found = tally.find(workspace.id);
  if (found == tally.end()) {
    return;
  }
  const TallyEntry& entry = found->second;
  const Position& stored_low = workspace.releases.low();
  ReleaseLog::Ranges ranges = workspace.releases.ranges();
  for (const auto& [begin, range] : entry.ranges) {
    if (auto& known = ranges[begin]; range.end > known.end) {
      known = range;
    }
  }
  const bool is_low_stored = workspace.has_low && stored_low.ticket >= entry.low.ticket;
  workspace.releases = ReleaseLog(workspace.id, is_low_stored ? stored_low : entry.low, ranges);
  if (entry.next.ticket <= workspace.next.ticket) {
    return;
  }
  const Position stored = std::exchange(workspace.next, entry.next);
  if (const Position& low = workspace.releases.low(); low.ticket < entry.next.ticket) {
    const Position& from = low.ticket > stored.ticket ? low : stored;
    SLUICE_LOG(error,
               entry.is_complete
                   ? "the buffer's files end before the last acknowledged events: what is not "
                     "found in them is counted as lost"
                   : "the buffer's files end before the last acknowledged events: what is not "
                     "found in them is counted as lost, though some of it may have been delivered: "
                     "the number is the most that it can be",
               {"workspace", workspace.name}, {"workspace_id", workspace.id},
               {"first_ticket", from.ticket}, {"last_ticket", entry.next.ticket - 1},
               {"events_max", entry.next.before.minus(from.before).events});
  }
}

TallyFile TallyFile::open(const std::string& path) {
  clear_the_way(path);
  TallyFile tally(path, ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (tally.file_ < 0) {
    tally.note_failure(errno);
    return tally;
  }
  if (auto slot = read_slots(tally.file_)) {
    tally.sequence_ = slot->sequence;
    tally.found_ = std::move(slot->bytes);
  }
  // So that no write of it needs room that a full disk has not.
  if (const int error = ::posix_fallocate(tally.file_, 0, 2 * slot_bytes); error != 0) {
    tally.note_failure(error);
  }
  return tally;
}

std::string TallyFile::read(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return {};
  }
  auto slot = read_slots(file);
  ::close(file);
  return slot ? std::move(slot->bytes) : std::string();
}

TallyFile::TallyFile(TallyFile&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::exchange(other.file_, -1)),
      sequence_(other.sequence_),
      found_(std::move(other.found_)),
      flushed_ms_(other.flushed_ms_),
      has_failed_(other.has_failed_) {}

TallyFile::~TallyFile() {
  if (file_ >= 0) {
    static_cast<void>(::fdatasync(file_));
    ::close(file_);
  }
}

void TallyFile::keep(std::string_view bytes) {
  if (file_ < 0 || bytes.size() > slot_bytes - slot_head_bytes - sizeof(std::uint64_t)) {
    return;
  }
  make_again_if_gone();
  slot_ = tally_magic;
  put_number(slot_, ++sequence_);
  put_number(slot_, static_cast<std::uint32_t>(bytes.size()));
  slot_ += bytes;
  put_number(slot_, static_cast<std::uint64_t>(XXH3_64bits(slot_.data(), slot_.size())));
  const auto at = static_cast<off_t>((sequence_ % 2) * slot_bytes);
  if (::pwrite(file_, slot_.data(), slot_.size(), at) != static_cast<ssize_t>(slot_.size())) {
    note_failure(errno);
    return;
  }
  // On its way to the disk, without waiting for it: a sync would cost each commit as much again.
  if (const std::uint64_t now = now_ms(); now - flushed_ms_ >= flush_interval_ms) {
    flushed_ms_ = now;
    static_cast<void>(::sync_file_range(file_, 0, 0, SYNC_FILE_RANGE_WRITE));
  }
}

// It goes with its folder, and that may have been made again.
void TallyFile::make_again_if_gone() {
  const auto own = identity_of(file_);
  if (!own || own == identity_of(path_)) {
    return;
  }
  const int file = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (file >= 0) {
    ::close(std::exchange(file_, file));
    static_cast<void>(::posix_fallocate(file_, 0, 2 * slot_bytes));
  }
}

void TallyFile::note_failure(int error) {
  if (!std::exchange(has_failed_, true)) {
    SLUICE_LOG(warn,
               "the count of what the buffer holds cannot be kept: if the disk loses the newest "
               "events, nobody will know how many",
               {"path", path_}, {"error", std::generic_category().message(error)});
  }
}

}  // namespace sluice::store
