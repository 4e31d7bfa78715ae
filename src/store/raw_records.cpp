#include "raw_records.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include <lz4.h>
#include <xxhash.h>

#include "bytes.hpp"
#include "codec.hpp"

namespace sluice::store {
namespace {

// ---- Write-ahead logs ---------------------------------------------------------------------------

constexpr std::size_t log_block_bytes = 32U << 10;
constexpr std::size_t log_head_bytes = 7;  // checksum (4), size (2), type (1)
constexpr char put_tag = 1;                // of an entry of a batch: a key and a value follow

// The payloads of a block, one behind the other, to `out`; where its structure ends before the
// block does, the rest as it is.
char* join_payloads(std::string_view block, char* out) {
  const auto append = [&](std::string_view piece) {
    std::memmove(out, piece.data(), piece.size());
    out += piece.size();
  };
  while (block.size() > log_head_bytes) {
    Bytes head(block.substr(4));
    const auto size = head.take<std::uint16_t>();
    const auto type = head.take<std::uint8_t>();
    if (type == 0 || size > block.size() - log_head_bytes) {
      append(block);
      break;
    }
    append(block.substr(log_head_bytes, size));
    block.remove_prefix(log_head_bytes + size);
  }
  return out;
}

bool is_key(std::string_view key) {
  if (key.empty()) {
    return false;
  }
  switch (static_cast<Tag>(key.front())) {
    case Tag::appended:
    case Tag::low:
      return key.size() == make_key(Tag::low, 0).size();
    case Tag::dedup:
    case Tag::group:
    case Tag::released:
      return key.size() == make_key(Tag::group, 0, 0).size();
  }
  return false;
}

// Gives the record that begins there: a key and a value, each behind its size. How long it is; 0 if
// there is none.
std::size_t take_record(std::string_view at, const RecordSink& sink) {
  Bytes bytes(at);
  const std::string_view key = bytes.take_bytes(bytes.take_varint());
  if (!bytes.ok() || !is_key(key)) {
    return 0;
  }
  const std::uint64_t size = bytes.take_varint();
  const std::string_view value = bytes.take_bytes(size);
  if (!bytes.ok() || !is_sealed(key, value)) {
    return 0;
  }
  sink(key, value);
  return at.size() - bytes.left();
}

// ---- Tables -------------------------------------------------------------------------------------

constexpr std::uint64_t table_magic = 0x88e241b785f4cff7;
constexpr std::size_t footer_bytes =
    53;  // checksum's kind, two handles of 40 together, version, magic
constexpr std::size_t handles_bytes = 40;
constexpr std::size_t trailer_bytes = 5;  // how the block is compressed (1), checksum (4)
constexpr char not_compressed = 0;
constexpr char lz4_compressed = 4;
constexpr std::size_t internal_bytes = 8;  // behind each key of a table: sequence number and kind
constexpr std::size_t key_bytes_max = 32;
constexpr char value_kind = 1;  // the lowest of them: it is no removal
constexpr std::uint64_t block_bytes_max = 1U << 30;

struct Handle {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

// A block's content, if that can be had. `memory` holds what is uncompressed.
std::optional<std::string_view> block_at(std::string_view table, const Handle& handle,
                                         std::string& memory) {
  if (handle.offset > table.size() || handle.size > table.size() - handle.offset ||
      table.size() - handle.offset - handle.size < trailer_bytes) {
    return std::nullopt;
  }
  const std::string_view stored = table.substr(handle.offset, handle.size);
  const char kind = table[handle.offset + handle.size];
  if (kind != lz4_compressed) {
    return stored;
  }
  Bytes bytes(stored);
  const std::uint64_t size = bytes.take_varint();
  const std::string_view compressed = bytes.take_bytes(bytes.left());
  if (!bytes.ok() || size > block_bytes_max || size / 255 > compressed.size()) {
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

// Gives the entry that begins there, of which `key` is the one before, and becomes its own. How
// long it is; 0 if there is none.
std::size_t take_entry(std::string_view at, std::string& key, const RecordSink& sink) {
  Bytes bytes(at);
  const std::uint64_t shared = bytes.take_varint();
  const std::uint64_t own = bytes.take_varint();
  const std::uint64_t size = bytes.take_varint();
  if (!bytes.ok() || shared > key.size() || own > key_bytes_max || shared + own < internal_bytes) {
    return 0;
  }
  std::string whole = key.substr(0, shared);
  whole += bytes.take_bytes(own);
  const std::string_view value = bytes.take_bytes(size);
  const std::string_view user_key =
      std::string_view(whole).substr(0, whole.size() - internal_bytes);
  if (!bytes.ok() || !is_key(user_key)) {
    return 0;
  }
  if (whole[user_key.size()] == value_kind) {
    if (!is_sealed(user_key, value)) {
      return 0;
    }
    sink(user_key, value);
  } else if (size > 0) {
    return 0;
  }
  key = std::move(whole);
  return at.size() - bytes.left();
}

// What is no entry is passed over byte by byte. `key` is what was found last: what follows a
// damaged entry has its beginning, as a rule.
void take_entries(std::string_view entries, std::string& key, const RecordSink& sink) {
  for (std::size_t at = 0; at < entries.size();) {
    at += std::max<std::size_t>(1, take_entry(entries.substr(at), key, sink));
  }
}

void take_block(std::string_view block, std::string& key, const RecordSink& sink) {
  const std::vector<std::uint32_t> restarts = restarts_of(block);
  if (restarts.size() < 2 || restarts.front() != 0) {
    take_entries(block, key, sink);
    return;
  }
  for (std::size_t i = 0; i + 1 < restarts.size(); ++i) {
    take_entries(block.substr(restarts[i], restarts[i + 1] - restarts[i]), key, sink);
  }
}

// As the footer and the index say; empty if they cannot.
std::vector<Handle> data_blocks(std::string_view table) {
  if (table.size() < footer_bytes) {
    return {};
  }
  Bytes footer(table.substr(table.size() - footer_bytes + 1, handles_bytes));
  footer.take_varint();  // of the index of what else there is
  footer.take_varint();
  Handle index;
  index.offset = footer.take_varint();
  index.size = footer.take_varint();
  std::string memory;
  const auto block = footer.ok() ? block_at(table, index, memory) : std::nullopt;
  std::vector<Handle> handles;
  if (!block) {
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
    if (!entry.ok() || shared != 0 || handle.size > table.size()) {
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

// The size of the block that begins there, by its checksum.
std::optional<std::uint64_t> size_by_checksum(std::string_view at) {
  constexpr std::uint32_t kind_factor = 0x6b9083d9;  // RocksDB's, for the byte behind the content
  XXH3_state_t* const state = XXH3_createState();
  XXH3_64bits_reset(state);
  std::optional<std::uint64_t> found;
  std::size_t summed = 0;
  for (std::size_t size = 0; !found && size + trailer_bytes <= at.size(); ++size) {
    const char kind = at[size];
    if (kind != not_compressed && kind != lz4_compressed) {
      continue;
    }
    XXH3_64bits_update(state, at.data() + summed, size - summed);
    summed = size;
    const auto sum = static_cast<std::uint32_t>(XXH3_64bits_digest(state)) ^
                     (static_cast<std::uint32_t>(kind) * kind_factor);
    if (size > 0 && sum == Bytes(at.substr(size + 1)).take<std::uint32_t>()) {
      found = size;
    }
  }
  XXH3_freeState(state);
  return found;
}

// Without an index: block by block, each of which its checksum ends.
void walk_table(std::string_view table, const RecordSink& sink) {
  std::string memory;
  std::string key;
  std::uint64_t at = 0;
  while (at < table.size()) {
    const auto size = size_by_checksum(table.substr(at));
    if (!size) {
      take_entries(table.substr(at), key, sink);
      return;
    }
    if (const auto block = block_at(table, {.offset = at, .size = *size}, memory)) {
      take_block(*block, key, sink);
    }
    at += *size + trailer_bytes;
  }
}

}  // namespace

void find_in_log(std::string bytes, const RecordSink& sink) {
  char* end = bytes.data();
  for (std::size_t at = 0; at < bytes.size(); at += log_block_bytes) {
    end = join_payloads(std::string_view(bytes).substr(at, log_block_bytes), end);
  }
  bytes.resize(static_cast<std::size_t>(end - bytes.data()));
  const std::string_view text = bytes;
  for (std::size_t at = 0; at < text.size();) {
    const auto* const put =
        static_cast<const char*>(std::memchr(text.data() + at, put_tag, text.size() - at));
    if (put == nullptr) {
      return;
    }
    at = static_cast<std::size_t>(put - text.data()) + 1;
    at += take_record(text.substr(at), sink);
  }
}

void find_in_table(std::string_view bytes, const RecordSink& sink) {
  const std::vector<Handle> blocks = data_blocks(bytes);
  if (blocks.empty()) {
    walk_table(bytes, sink);
    return;
  }
  std::string memory;
  std::string key;
  for (const Handle& handle : blocks) {
    if (const auto block = block_at(bytes, handle, memory)) {
      take_block(*block, key, sink);
    }
  }
}

bool is_table(std::string_view bytes) {
  return bytes.size() >= footer_bytes &&
         Bytes(bytes.substr(bytes.size() - sizeof(table_magic))).take<std::uint64_t>() ==
             table_magic;
}

}  // namespace sluice::store
