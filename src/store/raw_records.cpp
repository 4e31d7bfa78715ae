#include "raw_records.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include <boost/crc.hpp>
#include <lz4.h>
#include <xxhash.h>

#include "bytes.hpp"
#include "codec.hpp"

namespace sluice::store {
namespace {

constexpr std::size_t varint_bytes_max = 10;
constexpr std::uint64_t record_bytes_max = 1U << 30;
constexpr std::uint64_t looked_for_bytes_max = 32U << 20;  // of a record in a damaged place
constexpr std::size_t window_bytes = 64U << 10;            // read of a damaged table at once

bool is_key(std::string_view key) {
  if (key.empty()) {
    return false;
  }
  switch (static_cast<Tag>(key.front())) {
    case Tag::appended:
    case Tag::low:
      return key.size() == make_key(Tag::low, 0).size();
    case Tag::dedup:
      return is_answer_key(key) || key.size() == make_key(Tag::dedup, 0, 0).size();
    case Tag::group:
    case Tag::released:
      return key.size() == make_key(Tag::group, 0, 0).size();
  }
  return false;
}

// What begins somewhere.
struct Look {
  enum class At : std::uint8_t { nothing, entry, part };  // part: so far it may be one
  At at = At::nothing;
  std::uint64_t length = 0;  // of an entry; of a part: that it would have, 0 if unknown
};

// Behind a part of an entry so many bytes are waited for.
bool is_awaited(const Look& look, std::uint64_t bytes_max) {
  return look.at == Look::At::part && look.length <= bytes_max;
}

// ---- Write-ahead logs ---------------------------------------------------------------------------

constexpr std::size_t log_block_bytes = 32U << 10;
constexpr std::size_t log_head_bytes = 7;     // checksum (4), size (2), type (1)
constexpr std::size_t batch_head_bytes = 12;  // sequence number (8), how many entries (4)
constexpr char removal_tag = 0;               // of an entry of a batch: a key follows
constexpr char put_tag = 1;                   // a key and a value follow
// Of a fragment: a whole batch, or its first or last part.
constexpr std::uint8_t whole_type = 1;
constexpr std::uint8_t first_type = 2;
constexpr std::uint8_t last_type = 4;

// CRC-32C of a fragment's type and content, as RocksDB stores it.
std::uint32_t log_checksum(std::string_view bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  const std::uint32_t sum = crc.checksum();
  return ((sum >> 15) | (sum << 17)) + 0xA282EAD8;
}

// The entry of a batch that begins there: each part of it stands behind its size.
Look look_at_entry(std::string_view at, RawEntry& entry) {
  Bytes bytes(at);
  const char tag = bytes.take<char>();
  if (tag != put_tag && tag != removal_tag) {
    return {};
  }
  const Look unfinished{.at = Look::At::part};
  const std::uint64_t key_length = bytes.take_varint();
  if (!bytes.ok()) {
    return at.size() <= varint_bytes_max ? unfinished : Look{};
  }
  const bool has_key = bytes.left() >= key_length;
  entry.key = bytes.take_bytes(key_length);
  if (!has_key && key_length <= make_key(Tag::group, 0, 0).size()) {
    return unfinished;
  }
  if (!is_key(entry.key)) {
    return {};
  }
  entry.is_removal = tag == removal_tag;
  entry.value = {};
  if (entry.is_removal) {
    return {.at = Look::At::entry, .length = at.size() - bytes.left()};
  }
  const bool has_size = bytes.left() >= varint_bytes_max;
  const std::uint64_t size = bytes.take_varint();
  if (!bytes.ok()) {
    return has_size ? Look{} : unfinished;
  }
  const std::uint64_t length = at.size() - bytes.left() + size;
  if (size > record_bytes_max || length > at.size()) {
    return size > record_bytes_max ? Look{} : Look{.at = Look::At::part, .length = length};
  }
  entry.value = bytes.take_bytes(size);
  return is_sealed(entry.key, entry.value) ? Look{.at = Look::At::entry, .length = length} : Look{};
}

// Follows the batches of a log as long as all is right with one, and looks for records in the rest
// of it.
class LogReader {
 public:
  explicit LogReader(const RawSink& sink) : sink_(sink) {}

  void take_block(std::string_view block, std::uint64_t offset) {
    block_offset_ = offset;
    while (block.size() > log_head_bytes) {
      Bytes head(block);
      const auto sum = head.take<std::uint32_t>();
      const auto size = head.take<std::uint16_t>();
      const auto type = head.take<std::uint8_t>();
      if (type == 0 || size > head.left()) {
        take_fragment(0, block, false);
        return;
      }
      const std::string_view summed = block.substr(log_head_bytes - 1, size + 1U);
      take_fragment(type, head.take_bytes(size), sum == log_checksum(summed));
      block.remove_prefix(log_head_bytes + size);
    }
  }
  void end_batch() {
    if (is_sound_ && given_ == count_ && at_ == text_.size()) {
      if (count_ > 0) {
        sequences_.add(sequence_ - count_, sequence_ - 1);
      }
      for (const Removal& removal : removals_) {
        sink_({.key = removal.key,
               .value = {},
               .sequence = removal.sequence,
               .is_removal = true,
               .offset = batch_offset_});
      }
    } else {
      look_for_records(true);
    }
    removals_.clear();
    text_.clear();
    at_ = 0;
    is_sound_ = false;
  }
  [[nodiscard]] const Sequences& sequences() const { return sequences_; }

 private:
  struct Removal {
    std::string key;
    std::uint64_t sequence;
  };

  void take_fragment(std::uint8_t type, std::string_view content, bool is_right) {
    if (is_right && (type == whole_type || type == first_type)) {
      end_batch();
      is_sound_ = take_head(content);
      batch_offset_ = block_offset_;
    } else {
      is_sound_ = is_sound_ && is_right;
    }
    text_ += content;
    follow_entries();
    if (!is_sound_) {
      look_for_records(false);
    }
    text_.erase(0, at_);
    at_ = 0;
    if (is_right && (type == whole_type || type == last_type)) {
      end_batch();
    }
  }
  bool take_head(std::string_view& content) {
    if (content.size() < batch_head_bytes) {
      return false;  // no batch of ours is as short as that
    }
    Bytes head(content);
    sequence_ = head.take<std::uint64_t>();
    count_ = head.take<std::uint32_t>();
    given_ = 0;
    sequences_.head = std::min(sequences_.head, sequence_);
    content.remove_prefix(batch_head_bytes);
    return true;
  }
  void follow_entries() {
    while (is_sound_ && at_ < text_.size()) {
      RawEntry entry;
      const Look look = look_at_entry(std::string_view(text_).substr(at_), entry);
      if (is_awaited(look, record_bytes_max)) {
        return;
      }
      is_sound_ = look.at == Look::At::entry;
      if (is_sound_) {
        give(entry);
        at_ += look.length;
      }
    }
  }
  void give(RawEntry& entry) {
    entry.sequence = sequence_++;
    entry.offset = batch_offset_;
    ++given_;
    if (entry.is_removal) {
      removals_.push_back({.key = std::string(entry.key), .sequence = entry.sequence});
    } else {
      sink_(entry);
    }
  }
  // `all`: nothing that belongs to it follows.
  void look_for_records(bool all) {
    while (at_ < text_.size()) {
      const void* const tag = std::memchr(text_.data() + at_, put_tag, text_.size() - at_);
      if (tag == nullptr) {
        at_ = text_.size();
        return;
      }
      at_ = static_cast<std::size_t>(static_cast<const char*>(tag) - text_.data());
      RawEntry entry;
      const Look look = look_at_entry(std::string_view(text_).substr(at_), entry);
      if (!all && is_awaited(look, looked_for_bytes_max)) {
        return;
      }
      if (look.at == Look::At::entry) {
        give(entry);
      }
      at_ += look.at == Look::At::entry ? look.length : 1;
    }
  }

  const RawSink& sink_;
  Sequences sequences_;
  std::uint64_t block_offset_ = 0;  // of the block that is being taken
  std::uint64_t batch_offset_ = 0;  // of the one in which the last batch that is right begins
  std::string text_;                // of the batch, as far as it is not done with
  std::size_t at_ = 0;
  bool is_sound_ = false;       // the batch, so far
  std::uint64_t sequence_ = 0;  // of the next entry
  std::uint64_t count_ = 0;     // of the batch's entries
  std::uint64_t given_ = 0;     // of them
  std::vector<Removal> removals_;
};

// ---- Tables -------------------------------------------------------------------------------------

constexpr std::uint64_t table_magic = 0x88e241b785f4cff7;
constexpr std::size_t footer_bytes =
    53;  // checksum's kind, two handles of 40 together, version, magic
constexpr std::size_t handles_bytes = 40;
constexpr std::size_t trailer_bytes = 5;  // how the block is compressed (1), checksum (4)
constexpr char not_compressed = 0;
constexpr char lz4_compressed = 4;
constexpr std::size_t internal_bytes = 8;  // behind each key of a table: kind, sequence number
constexpr std::size_t key_bytes_max = 32;
constexpr char removal_kind = 0;
constexpr char value_kind = 1;

struct Handle {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

// Of a block's content and the byte behind it, which says how it is compressed.
std::uint32_t block_checksum(std::uint64_t hash_of_content, char kind) {
  constexpr std::uint32_t kind_factor = 0x6b9083d9;  // RocksDB's
  return static_cast<std::uint32_t>(hash_of_content) ^
         (static_cast<std::uint32_t>(kind) * kind_factor);
}

std::optional<std::string_view> uncompressed_block(std::string_view block, std::string& memory) {
  Bytes bytes(block);
  const std::uint64_t size = bytes.take_varint();
  const std::string_view compressed = bytes.take_bytes(bytes.left());
  if (!bytes.ok() || size > record_bytes_max || size / 255 > compressed.size()) {
    return std::nullopt;
  }
  memory.resize(size);
  const int length =
      LZ4_decompress_safe(compressed.data(), memory.data(), static_cast<int>(compressed.size()),
                          static_cast<int>(size));
  return length >= 0 && static_cast<std::uint64_t>(length) == size
             ? std::optional<std::string_view>(memory)
             : std::nullopt;
}

// Where a block can be entered without what is before; nothing if its end makes no sense.
std::vector<std::uint32_t> restarts_of(std::string_view block) {
  if (block.size() < sizeof(std::uint32_t)) {
    return {};
  }
  const auto count =
      Bytes(block.substr(block.size() - sizeof(std::uint32_t))).take<std::uint32_t>();
  if (count > (block.size() - sizeof(std::uint32_t)) / sizeof(std::uint32_t)) {
    return {};
  }
  const std::size_t entries = block.size() - (count + 1) * sizeof(std::uint32_t);
  Bytes bytes(block.substr(entries));
  std::vector<std::uint32_t> restarts;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (const auto at = bytes.take<std::uint32_t>(); at < entries) {
      restarts.push_back(at);
    }
  }
  std::ranges::sort(restarts);
  restarts.push_back(static_cast<std::uint32_t>(entries));
  return restarts;
}

class TableReader {
 public:
  TableReader(RawBytes& bytes, const RawSink& sink) : bytes_(bytes), sink_(sink) {}

  void read() {
    const std::vector<Handle> blocks = data_blocks();
    if (blocks.empty()) {
      walk();
      return;
    }
    for (const Handle& handle : blocks) {
      offset_ = handle.offset;
      if (const auto block = block_at(handle)) {
        take_block(*block);
      }
    }
  }
  [[nodiscard]] const Sequences& sequences() const { return sequences_; }

 private:
  // A block's content, if that can be had; valid until the next one.
  std::optional<std::string_view> block_at(const Handle& handle) {
    if (handle.size > record_bytes_max || handle.offset > bytes_.size() ||
        handle.size > bytes_.size() - handle.offset) {
      return std::nullopt;
    }
    bytes_.read(handle.offset, handle.size + trailer_bytes, stored_);
    if (stored_.size() != handle.size + trailer_bytes) {
      return std::nullopt;
    }
    const std::string_view content = std::string_view(stored_).substr(0, handle.size);
    const char kind = stored_[handle.size];
    is_right_ = Bytes(std::string_view(stored_).substr(handle.size + 1)).take<std::uint32_t>() ==
                block_checksum(XXH3_64bits(content.data(), content.size()), kind);
    return kind == lz4_compressed ? uncompressed_block(content, memory_) : content;
  }

  // As the footer and the index say; empty if they cannot.
  std::vector<Handle> data_blocks() {
    if (bytes_.size() < footer_bytes) {
      return {};
    }
    std::string footer;
    bytes_.read(bytes_.size() - footer_bytes + 1, handles_bytes, footer);
    Bytes fields(footer);
    fields.take_varint();  // of the index of what else there is
    fields.take_varint();
    Handle index;
    index.offset = fields.take_varint();
    index.size = fields.take_varint();
    // An entry of it stands for a block of 16 KiB.
    const bool is_likely = fields.ok() && index.size <= bytes_.size() / 16 + window_bytes;
    const auto block = is_likely ? block_at(index) : std::nullopt;
    std::vector<Handle> handles;
    if (!block || !is_right_) {
      return handles;
    }
    const std::vector<std::uint32_t> restarts = restarts_of(*block);
    for (std::size_t i = 0; i + 1 < restarts.size(); ++i) {
      Bytes entry(block->substr(restarts[i]));
      const std::uint64_t shared = entry.take_varint();
      entry.take_bytes(entry.take_varint());
      Handle handle;
      handle.offset = entry.take_varint();
      handle.size = entry.take_varint();
      if (!entry.ok() || shared != 0 || handle.size > bytes_.size()) {
        return {};
      }
      // They lie one behind the other.
      if (handle.offset !=
          (handles.empty() ? 0 : handles.back().offset + handles.back().size + trailer_bytes)) {
        return {};
      }
      handles.push_back(handle);
    }
    return handles;
  }

  // Without an index: block by block, each of which its checksum ends. Nothing of it may go before
  // all of it has been read: where the next one begins is known from the one before.
  void walk() {
    offset_ = 0;
    std::uint64_t at = 0;
    while (at < bytes_.size()) {
      const auto size = size_by_checksum(at);
      if (!size) {
        take_rest(at);
        return;
      }
      if (const auto block = block_at({.offset = at, .size = *size})) {
        take_block(*block);
      }
      at += *size + trailer_bytes;
    }
  }
  std::optional<std::uint64_t> size_by_checksum(std::uint64_t at) {
    XXH3_state_t* const state = XXH3_createState();
    XXH3_64bits_reset(state);
    std::optional<std::uint64_t> found;
    std::uint64_t summed = 0;
    std::string window;
    for (std::size_t wanted = window_bytes; !found && wanted <= looked_for_bytes_max; wanted *= 2) {
      std::size_t size = window.size() < trailer_bytes ? 0 : window.size() - trailer_bytes + 1;
      bytes_.read(at, wanted, window);
      for (; !found && size + trailer_bytes <= window.size(); ++size) {
        const char kind = window[size];
        if (kind != not_compressed && kind != lz4_compressed) {
          continue;
        }
        XXH3_64bits_update(state, window.data() + summed, size - summed);
        summed = size;
        const auto sum = block_checksum(XXH3_64bits_digest(state), kind);
        if (size > 0 &&
            sum == Bytes(std::string_view(window).substr(size + 1)).take<std::uint32_t>()) {
          found = size;
        }
      }
      if (window.size() < wanted) {
        break;
      }
    }
    XXH3_freeState(state);
    return found;
  }
  // What is no entry is passed over byte by byte.
  void take_rest(std::uint64_t at) {
    is_right_ = false;
    sequences_.has_gaps = true;
    std::string text;
    std::string piece;
    do {
      bytes_.read(at, window_bytes, piece);
      at += piece.size();
      text += piece;
      std::size_t done = 0;
      while (done < text.size()) {
        const Look look = take_entry(std::string_view(text).substr(done));
        if (!piece.empty() && is_awaited(look, looked_for_bytes_max)) {
          break;
        }
        done += look.at == Look::At::entry ? look.length : 1;
      }
      text.erase(0, done);
    } while (!piece.empty());
  }

  void take_block(std::string_view block) {
    const std::vector<std::uint32_t> restarts = restarts_of(block);
    if (restarts.size() < 2 || restarts.front() != 0) {
      take_entries(block);
      return;
    }
    for (std::size_t i = 0; i + 1 < restarts.size(); ++i) {
      take_entries(block.substr(restarts[i], restarts[i + 1] - restarts[i]));
    }
  }
  void take_entries(std::string_view entries) {
    while (!entries.empty()) {
      const Look look = take_entry(entries);
      entries.remove_prefix(look.at == Look::At::entry ? look.length : 1);
    }
  }
  // Gives the entry that begins there. It has the beginning of its key from the one that was found
  // last, as a rule also if something between them is damaged.
  Look take_entry(std::string_view at) {
    Bytes bytes(at);
    const std::uint64_t shared = bytes.take_varint();
    const std::uint64_t own = bytes.take_varint();
    const std::uint64_t size = bytes.take_varint();
    const Look unfinished{.at = Look::At::part};
    if (!bytes.ok()) {
      return at.size() < 3 * varint_bytes_max ? unfinished : Look{};
    }
    if (shared > key_.size() || own > key_bytes_max || shared + own < internal_bytes) {
      return {};
    }
    if (bytes.left() < own) {
      return unfinished;
    }
    std::string whole = key_.substr(0, shared);
    whole += bytes.take_bytes(own);
    const std::string_view user_key =
        std::string_view(whole).substr(0, whole.size() - internal_bytes);
    const char kind = whole[user_key.size()];
    if (!is_key(user_key) || size > record_bytes_max || (kind != value_kind && size > 0)) {
      return {};
    }
    const std::uint64_t length = at.size() - bytes.left() + size;
    if (length > at.size()) {
      return {.at = Look::At::part, .length = length};
    }
    const std::string_view value = bytes.take_bytes(size);
    if (kind == value_kind && !is_sealed(user_key, value)) {
      return {};
    }
    give(user_key, value, whole);
    key_ = std::move(whole);
    return {.at = Look::At::entry, .length = length};
  }
  void give(std::string_view user_key, std::string_view value, std::string_view whole) {
    const std::string_view behind = whole.substr(user_key.size());
    const std::uint64_t sequence = Bytes(behind).take<std::uint64_t>() >> 8;
    if (is_right_) {
      sequences_.add(sequence, sequence);
    }
    const char kind = behind.front();
    const bool is_older = key_.size() == whole.size() && key_.starts_with(user_key);
    if (!is_older && (kind == value_kind || (kind == removal_kind && is_right_))) {
      sink_({.key = user_key,
             .value = value,
             .sequence = sequence,
             .is_removal = kind == removal_kind,
             .offset = offset_});
    }
  }

  RawBytes& bytes_;
  const RawSink& sink_;
  Sequences sequences_;
  std::uint64_t offset_ = 0;  // of the block
  bool is_right_ = false;     // its checksum
  std::string stored_;        // the block, as it is in the file
  std::string memory_;        // uncompressed
  std::string key_;           // of the last entry, with what is behind it
};

}  // namespace

Sequences find_in_log(RawBytes& bytes, const RawSink& sink) {
  LogReader reader(sink);
  std::string block;
  for (std::uint64_t at = 0; at < bytes.size(); at += log_block_bytes) {
    bytes.read(at, log_block_bytes, block);
    reader.take_block(block, at);
  }
  reader.end_batch();
  return reader.sequences();
}

Sequences find_in_table(RawBytes& bytes, const RawSink& sink) {
  TableReader reader(bytes, sink);
  reader.read();
  return reader.sequences();
}

bool is_table(RawBytes& bytes) {
  if (bytes.size() < footer_bytes) {
    return false;
  }
  std::string magic;
  bytes.read(bytes.size() - sizeof(table_magic), sizeof(table_magic), magic);
  return Bytes(magic).take<std::uint64_t>() == table_magic;
}

}  // namespace sluice::store
