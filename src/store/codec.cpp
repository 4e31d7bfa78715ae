#include "codec.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include <lz4.h>
#include <xxhash.h>

#include <sluice/event/traceparent.hpp>

#include "bytes.hpp"

namespace sluice::store {
namespace {

static_assert(std::endian::native == std::endian::little, "values are copied as they are");

constexpr std::size_t checksum_size = sizeof(std::uint64_t);
constexpr std::size_t event_size = 4 + 1 + 8;  // size, kind, profile
constexpr std::size_t key_size = 16;
constexpr std::size_t answer_size = 16 + 4 + 4;
// What else follows.
constexpr std::uint8_t has_answer = 1;
constexpr std::uint8_t has_traceparent = 2;
constexpr std::uint8_t has_compressed_bytes = 4;
// Below, there is little in an event that was in it before.
constexpr std::size_t compressed_bytes_min = 1024;
constexpr std::size_t compression_ratio_max = 255;  // of an LZ4 block

std::uint64_t checksum(std::string_view key, std::string_view value) {
  return XXH3_64bits_withSeed(value.data(), value.size(), XXH3_64bits(key.data(), key.size()));
}

void put_totals(std::string& out, const Totals& totals) {
  put_number(out, totals.events);
  put_number(out, totals.keys);
  put_number(out, totals.payload_bytes);
}

void put_keys(std::string& out, std::span<const DedupKey> keys) {
  for (const DedupKey& key : keys) {
    put_number(out, key.identity);
    put_number(out, key.content);
  }
}

void put_answer(std::string& out, const std::optional<RememberedAnswer>& answer) {
  if (answer) {
    put_keys(out, std::span(&answer->request, 1));
    put_number(out, answer->accepted);
    put_number(out, answer->duplicates);
  }
}

// The value without its checksum, if that is right.
std::optional<std::string_view> unseal(std::string_view key, std::string_view value) {
  if (value.size() < checksum_size) {
    return std::nullopt;
  }
  std::uint64_t sum = 0;
  std::memcpy(&sum, value.data() + value.size() - checksum_size, checksum_size);
  value.remove_suffix(checksum_size);
  if (sum != checksum(key, value)) {
    return std::nullopt;
  }
  return value;
}

// Takes what values are made of off the front.
class Cursor final : public Bytes {
 public:
  using Bytes::Bytes;

  Totals take_totals() {
    const auto events = take<std::uint64_t>();
    const auto keys = take<std::uint64_t>();
    return {.events = events, .keys = keys, .payload_bytes = take<std::uint64_t>()};
  }
  // Whether so many things of that size can still come.
  bool has(std::size_t count, std::size_t size) {
    expect(count <= left() / size);
    return ok();
  }
  void take_keys(std::size_t count, std::vector<DedupKey>& out) {
    if (!has(count, key_size)) {
      return;
    }
    for (std::size_t i = 0; i < count; ++i) {
      const auto identity = take<std::uint64_t>();
      out.push_back({.identity = identity, .content = take<std::uint64_t>()});
    }
  }
  // What follows, of that which may.
  std::uint8_t take_presence(std::uint8_t known) {
    const auto present = take<std::uint8_t>();
    expect((present & ~known) == 0);
    return present;
  }
  std::optional<RememberedAnswer> take_answer(std::uint8_t present) {
    if ((present & has_answer) == 0 || !has(1, answer_size)) {
      return std::nullopt;
    }
    RememberedAnswer answer;
    answer.request.identity = take<std::uint64_t>();
    answer.request.content = take<std::uint64_t>();
    answer.accepted = take<std::uint32_t>();
    answer.duplicates = take<std::uint32_t>();
    return answer;
  }
};

template <class T>
void put_big_endian(std::string& out, T value) {
  put_number(out, std::byteswap(value));
}

// Bytes of a key from `offset` on; what is missing counts as zero.
template <class T>
T big_endian_at(std::string_view key, std::size_t offset) {
  T value{};
  if (key.size() >= offset + sizeof(T)) {
    std::memcpy(&value, key.data() + offset, sizeof(T));
  }
  return std::byteswap(value);
}

// Appends the bytes as an LZ4 block if that saves an eighth of them: less is not worth reading it
// back. Else appends nothing.
bool put_compressed(std::string& out, std::string_view bytes) {
  if (bytes.size() < compressed_bytes_min || bytes.size() > LZ4_MAX_INPUT_SIZE) {
    return false;
  }
  const std::size_t begin = out.size();
  const std::size_t size_max = bytes.size() - bytes.size() / 8;
  int size = 0;
  out.resize_and_overwrite(begin + size_max, [&](char* data, std::size_t) {
    size = LZ4_compress_default(bytes.data(), data + begin, static_cast<int>(bytes.size()),
                                static_cast<int>(size_max));
    return begin + static_cast<std::size_t>(size);
  });
  return size > 0;
}

// Nothing unless the block stands for just so many bytes.
std::optional<std::string> uncompress(std::string_view block, std::uint64_t size) {
  if (size == 0 || size > LZ4_MAX_INPUT_SIZE || size / compression_ratio_max > block.size()) {
    return std::nullopt;
  }
  std::string bytes;
  bool whole = false;
  bytes.resize_and_overwrite(size, [&](char* data, std::size_t) {
    const int read = LZ4_decompress_safe(block.data(), data, static_cast<int>(block.size()),
                                         static_cast<int>(size));
    whole = read == static_cast<int>(size);
    return whole ? size : 0;
  });
  return whole ? std::optional(std::move(bytes)) : std::nullopt;
}

std::uint64_t difference(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

}  // namespace

Totals& Totals::operator+=(const Totals& other) {
  events += other.events;
  keys += other.keys;
  payload_bytes += other.payload_bytes;
  return *this;
}

Totals Totals::minus(const Totals& other) const {
  return {.events = difference(events, other.events),
          .keys = difference(keys, other.keys),
          .payload_bytes = difference(payload_bytes, other.payload_bytes)};
}

Totals totals_of(const Group& group) {
  return {.events = group.records().size(),
          .keys = group.dedup_keys().size(),
          .payload_bytes = group.bytes().size() + group.traceparent().size()};
}

Backlog backlog_of(std::uint64_t groups, const Totals& totals) {
  return {.events = totals.events,
          .bytes = groups * sizeof(Group) + totals.events * sizeof(EventRecord) +
                   totals.keys * sizeof(DedupKey) + totals.payload_bytes};
}

std::string make_key(Tag tag, WorkspaceId workspace) {
  std::string key(1, static_cast<char>(tag));
  put_big_endian(key, workspace);
  return key;
}

std::string make_key(Tag tag, WorkspaceId workspace, Ticket ticket) {
  std::string key = make_key(tag, workspace);
  put_big_endian(key, ticket);
  return key;
}

std::string make_answer_key(WorkspaceId workspace, Ticket ticket, std::uint64_t identity) {
  std::string key = make_key(Tag::dedup, workspace, ticket);
  put_big_endian(key, identity);
  return key;
}

bool is_answer_key(std::string_view key) {
  constexpr std::size_t answer_key_size =
      1 + sizeof(WorkspaceId) + sizeof(Ticket) + sizeof(std::uint64_t);
  return key.size() == answer_key_size && static_cast<Tag>(key.front()) == Tag::dedup;
}

std::string key_above(Tag tag) { return {static_cast<char>(static_cast<char>(tag) + 1)}; }

WorkspaceId workspace_of_key(std::string_view key) { return big_endian_at<WorkspaceId>(key, 1); }

Ticket ticket_of_key(std::string_view key) {
  return big_endian_at<Ticket>(key, 1 + sizeof(WorkspaceId));
}

void seal(std::string_view key, std::string& value) { put_number(value, checksum(key, value)); }

bool is_sealed(std::string_view key, std::string_view value) {
  return unseal(key, value).has_value();
}

std::uint32_t encode_group(std::string_view key, const Group& group, const Totals& before,
                           std::string& out) {
  out.clear();
  put_number(out, static_cast<std::uint32_t>(group.records().size()));
  put_number(out, static_cast<std::uint32_t>(group.dedup_keys().size()));
  put_number(out, std::int64_t{group.accepted_wall().time_since_epoch().count()});
  put_totals(out, before);
  const std::string_view traceparent = group.traceparent();
  const std::size_t presence_at = out.size();
  put_number(out, static_cast<std::uint8_t>((group.answer() ? has_answer : 0) |
                                            (traceparent.empty() ? 0 : has_traceparent)));
  put_answer(out, group.answer());
  out += traceparent;
  std::uint32_t format = format_version_first;
  for (const EventRecord& record : group.records()) {
    format = std::max(format, info(record.kind).since_format);
    put_number(out, record.size);
    put_number(out, static_cast<std::uint8_t>(record.kind));
    put_number(out, record.profile_hash);
  }
  put_keys(out, group.dedup_keys());
  const bool compressed = put_compressed(out, group.bytes());
  if (compressed) {
    out[presence_at] = static_cast<char>(out[presence_at] | has_compressed_bytes);
  } else {
    out += group.bytes();
  }
  seal(key, out);
  return std::max(format, compressed             ? format_version_compressed
                          : !traceparent.empty() ? format_version_traces
                                                 : format_version_first);
}

std::optional<StoredGroup> decode_group(std::string_view key, std::string_view value) {
  const auto content = unseal(key, value);
  if (!content) {
    return std::nullopt;
  }
  Cursor cursor(*content);
  StoredGroup group;
  group.head.events = cursor.take<std::uint32_t>();
  const auto key_count = cursor.take<std::uint32_t>();
  group.head.accepted_wall = WallTime(std::chrono::milliseconds(cursor.take<std::int64_t>()));
  group.head.before = cursor.take_totals();
  const std::uint8_t present =
      cursor.take_presence(has_answer | has_traceparent | has_compressed_bytes);
  group.answer = cursor.take_answer(present);
  if ((present & has_traceparent) != 0) {
    group.traceparent = cursor.take_bytes(traceparent_size);
  }
  if (group.head.events == 0 || !cursor.has(group.head.events, event_size)) {
    return std::nullopt;
  }
  std::uint64_t offset = 0;
  for (std::uint32_t i = 0; i < group.head.events; ++i) {
    const auto size = cursor.take<std::uint32_t>();
    const auto kind = cursor.take<std::uint8_t>();
    if (kind >= kinds().size()) {
      return std::nullopt;
    }
    group.records.push_back({.offset = static_cast<std::uint32_t>(offset),
                             .size = size,
                             .profile_hash = cursor.take<std::uint64_t>(),
                             .kind = static_cast<EventKind>(kind)});
    offset += size;
  }
  cursor.take_keys(key_count, group.keys);
  if (!cursor.ok()) {
    return std::nullopt;
  }
  group.stored_bytes = cursor.rest();
  if ((present & has_compressed_bytes) != 0) {
    auto bytes = uncompress(group.stored_bytes, offset);
    if (!bytes) {
      return std::nullopt;
    }
    group.uncompressed = *std::move(bytes);
  } else if (group.stored_bytes.size() != offset) {
    return std::nullopt;
  }
  group.head.own = {.events = group.head.events,
                    .keys = key_count,
                    .payload_bytes = offset + group.traceparent.size()};
  return group;
}

Group::Parts StoredGroup::parts() const {
  return {.records = records,
          .bytes = bytes(),
          .dedup_keys = keys,
          .answer = answer,
          .accepted_at = {},
          .accepted_wall = head.accepted_wall,
          .traceparent = traceparent};
}

void encode_keys(std::string_view key, const Group& group, std::string& out) {
  out.clear();
  put_number(out, std::int64_t{group.accepted_wall().time_since_epoch().count()});
  put_number(out, static_cast<std::uint32_t>(group.dedup_keys().size()));
  put_number(out, group.answer() ? has_answer : std::uint8_t{0});
  put_answer(out, group.answer());
  put_keys(out, group.dedup_keys());
  seal(key, out);
}

std::optional<StoredKeys> decode_keys(std::string_view key, std::string_view value) {
  const auto content = unseal(key, value);
  if (!content) {
    return std::nullopt;
  }
  Cursor cursor(*content);
  StoredKeys keys;
  keys.accepted_wall = WallTime(std::chrono::milliseconds(cursor.take<std::int64_t>()));
  const auto count = cursor.take<std::uint32_t>();
  keys.answer = cursor.take_answer(cursor.take_presence(has_answer));
  cursor.take_keys(count, keys.keys);
  if (!cursor.ok() || !cursor.rest().empty()) {
    return std::nullopt;
  }
  return keys;
}

std::string encode_appended(std::string_view key, const Appended& appended) {
  std::string out;
  put_number(out, appended.next.ticket);
  put_totals(out, appended.next.before);
  out += appended.name;
  seal(key, out);
  return out;
}

std::optional<Appended> decode_appended(std::string_view key, std::string_view value) {
  const auto content = unseal(key, value);
  if (!content) {
    return std::nullopt;
  }
  Cursor cursor(*content);
  Appended appended;
  appended.next.ticket = cursor.take<Ticket>();
  appended.next.before = cursor.take_totals();
  appended.name = cursor.rest();
  return cursor.ok() ? std::optional(appended) : std::nullopt;
}

std::string encode_position(std::string_view key, const Position& position) {
  std::string out;
  put_number(out, position.ticket);
  put_totals(out, position.before);
  seal(key, out);
  return out;
}

std::optional<Position> decode_position(std::string_view key, std::string_view value) {
  const auto content = unseal(key, value);
  if (!content) {
    return std::nullopt;
  }
  Cursor cursor(*content);
  Position position;
  position.ticket = cursor.take<Ticket>();
  position.before = cursor.take_totals();
  return cursor.ok() && cursor.rest().empty() ? std::optional(position) : std::nullopt;
}

}  // namespace sluice::store
