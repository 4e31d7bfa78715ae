#include "json_walker.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include <sluice/base/ascii.hpp>
#include <sluice/base/assert.hpp>
#include <sluice/event/api_limits.hpp>

namespace sluice::normalise {
namespace {

// The value of four hexadecimal digits, or -1.
int hex4(const char* digits) {
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = digits[i];
    int digit = 0;
    if (is_digit(c)) {
      digit = c - '0';
    } else if (c >= 'a' && c <= 'f') {
      digit = c - 'a' + 10;
    } else if (c >= 'A' && c <= 'F') {
      digit = c - 'A' + 10;
    } else {
      return -1;
    }
    value = value * 16 + digit;
  }
  return value;
}

// What one escape stands for. `length` 0: it is not an escape.
struct Escape {
  std::uint32_t code_point = 0;
  std::size_t length = 0;
};

// Reads the \uXXXX escape at `at`, with the low surrogate that must follow a high one (RFC 8259,
// 7).
Escape read_unicode_escape(const char* at, const char* end) {
  if (end - at < 6) {
    return {};
  }
  const int first = hex4(at + 2);
  if (first < 0 || (first >= 0xDC00 && first <= 0xDFFF)) {
    return {};
  }
  if (first < 0xD800 || first > 0xDBFF) {
    return {static_cast<std::uint32_t>(first), 6};
  }
  if (end - at < 12 || at[6] != '\\' || at[7] != 'u') {
    return {};
  }
  const int second = hex4(at + 8);
  if (second < 0xDC00 || second > 0xDFFF) {
    return {};
  }
  const int code_point = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
  return {static_cast<std::uint32_t>(code_point), 12};
}

Escape read_escape(const char* at, const char* end) {
  if (end - at < 2) {
    return {};
  }
  switch (at[1]) {
    case '"':
      return {'"', 2};
    case '\\':
      return {'\\', 2};
    case '/':
      return {'/', 2};
    case 'b':
      return {'\b', 2};
    case 'f':
      return {'\f', 2};
    case 'n':
      return {'\n', 2};
    case 'r':
      return {'\r', 2};
    case 't':
      return {'\t', 2};
    case 'u':
      return read_unicode_escape(at, end);
    default:
      return {};
  }
}

void append_utf8(std::string& out, std::uint32_t c) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6));
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

}  // namespace

const char* JsonWalker::load(char* data, std::size_t size) {
  unload();
  error = WalkError::none;
  if (size > index_capacity_) {
    index_capacity_ = std::max(size, std::size_t{64} << 10);
    const auto allocated = simdjson::get_active_implementation()->create_dom_parser_implementation(
        index_capacity_, api::nesting_depth_max, index_);
    if (allocated != simdjson::SUCCESS) {
      index_capacity_ = 0;
      throw std::bad_alloc();
    }
  }
  data_ = data;
  guard_ = data + size;
  behind_ = *guard_;
  *guard_ = '\0';
  const auto status = index_->stage1(reinterpret_cast<const std::uint8_t*>(data), size,
                                     simdjson::stage1_mode::regular);
  // Found last: the index is complete.
  all_utf8_ = status != simdjson::UTF8_ERROR;
  if (status != simdjson::SUCCESS && all_utf8_) {
    return simdjson::error_message(status);
  }
  next_ = index_->structural_indexes.get();
  end_ = next_ + index_->n_structural_indexes;
  // simdjson puts the length behind the last index; the guard then ends every walk.
  SLUICE_ASSERT(*end_ == size);
  return nullptr;
}

void JsonWalker::unload() {
  if (guard_ != nullptr) {
    *guard_ = behind_;
    guard_ = nullptr;
  }
  if (index_capacity_ > kept_scratch_bytes) {
    index_.reset();
    index_capacity_ = 0;
  }
}

std::string_view JsonWalker::read_scalar() {
  const char* token = position();
  ++next_;
  const char* end = nullptr;
  if (*token == 't') {
    end = std::memcmp(token, "true", 4) == 0 ? token + 4 : nullptr;
  } else if (*token == 'f') {
    end = std::memcmp(token, "false", 5) == 0 ? token + 5 : nullptr;
  } else {
    end = number_end(token);
  }
  if (end == nullptr || !ends_at(end)) {
    error = WalkError::syntax;
    return std::string_view(token, 1).substr(0, 0);  // empty, and not null
  }
  return {token, static_cast<std::size_t>(end - token)};
}

std::optional<JsonWalker::Text> JsonWalker::find_string_member(std::string_view name) {
  const std::uint32_t* const start = next_;
  std::optional<Text> found;
  std::size_t depth = 0;
  do {
    const char token = peek();
    if (token == '{' || token == '[') {
      ++depth;
    } else if (token == '}' || token == ']') {
      --depth;
    } else if (token == '"' && depth == 1 && data_[next_[1]] == ':') {
      const Text key = read_string();
      if (key.raw == name && data_[next_[1]] == '"') {
        ++next_;
        found = read_string();
        break;
      }
    }
    ++next_;
  } while (depth > 0 && next_ < end_);
  next_ = start;
  return found;
}

// RFC 8259, section 6.
const char* JsonWalker::number_end(const char* at) {
  at += *at == '-' ? 1 : 0;
  if (!is_digit(*at)) {
    return nullptr;
  }
  if (*at == '0') {
    ++at;
  } else {
    while (is_digit(*at)) {
      ++at;
    }
  }
  if (*at == '.') {
    ++at;
    if (!is_digit(*at)) {
      return nullptr;
    }
    while (is_digit(*at)) {
      ++at;
    }
  }
  if (*at == 'e' || *at == 'E') {
    ++at;
    at += (*at == '+' || *at == '-') ? 1 : 0;
    if (!is_digit(*at)) {
      return nullptr;
    }
    while (is_digit(*at)) {
      ++at;
    }
  }
  return at;
}

char* JsonWalker::copy_other(char* out, std::size_t depth) {
  const char first = peek();
  if (first != '{' && first != '[') {
    const std::string_view scalar = read_scalar();
    return copy_blocks(out, scalar.data(), scalar.size());
  }
  if (depth >= api::nesting_depth_max) {
    error = WalkError::too_deep;
    return out;
  }
  *out++ = first;
  const char* const begin = out;
  if (first == '{') {
    each_member([&](Text key) {
      if (skip_null()) {
        return;
      }
      if (out != begin) {
        *out++ = ',';
      }
      out = copy_key(out, key);
      *out++ = ':';
      out = copy_value(out, depth + 1);
    });
    *out++ = '}';
  } else {
    each_item([&] {
      if (skip_null()) {
        return;
      }
      if (out != begin) {
        *out++ = ',';
      }
      out = copy_value(out, depth + 1);
    });
    *out++ = ']';
  }
  return out;
}

void JsonWalker::skip_value(std::size_t depth) {
  const char first = peek();
  if (first == '{' || first == '[') {
    if (depth >= api::nesting_depth_max) {
      error = WalkError::too_deep;
    } else if (first == '{') {
      each_member([&](Text) { skip_value(depth + 1); });
    } else {
      each_item([&] { skip_value(depth + 1); });
    }
  } else if (first == '"') {
    read_string();
  } else if (first == 'n') {
    const std::uint64_t before = nulls_skipped;
    skip_null();
    nulls_skipped = before;
  } else {
    read_scalar();
  }
}

void JsonWalker::skip_any() {
  std::vector<bool> objects;  // whether each open bracket is an object's
  const auto string = [this] {
    read_string();
    error = error == WalkError::not_text ? WalkError::none : error;
  };
  const auto name = [&] {  // of a member, with its colon
    if (peek() != '"') {
      error = WalkError::syntax;
      return;
    }
    string();
    if (peek() != ':') {
      error = WalkError::syntax;
    }
    ++next_;
  };
  while (error == WalkError::none) {
    const char first = peek();
    const bool opens = first == '{' || first == '[';
    if (opens && data_[next_[1]] != (first == '{' ? '}' : ']')) {
      objects.push_back(first == '{');
      ++next_;
      if (first == '{') {
        name();
      }
      continue;
    }
    if (opens) {
      next_ += 2;
    } else if (first == '"') {
      string();
    } else {
      skip_value(0);
    }
    // A value has ended, and maybe what it stands in.
    while (error == WalkError::none && !objects.empty() && !another(objects.back() ? '}' : ']')) {
      objects.pop_back();
    }
    if (error != WalkError::none || objects.empty()) {
      return;
    }
    if (objects.back()) {
      name();
    }
  }
}

void JsonWalker::skip_null_token() {
  const char* const token = position();
  ++next_;
  if (std::memcmp(token, "null", 4) != 0 || !ends_at(token + 4)) {
    error = WalkError::syntax;
  }
  ++nulls_skipped;
}

void JsonWalker::check_escapes(const char* begin, std::size_t size) {
  const char* const end = begin + size;
  while (begin < end) {
    const auto* found =
        static_cast<const char*>(std::memchr(begin, '\\', static_cast<std::size_t>(end - begin)));
    if (found == nullptr) {
      return;
    }
    const Escape escape = read_escape(found, end);
    if (escape.length == 0) {
      // A surrogate without its other half is what the grammar lets pass.
      const bool is_grammatical = end - found >= 6 && found[1] == 'u' && hex4(found + 2) >= 0;
      if (!is_grammatical) {
        error = WalkError::syntax;
        return;
      }
      error = WalkError::not_text;  // unless what follows is no escape at all
    }
    begin = found + (escape.length == 0 ? 6 : escape.length);
  }
}

bool JsonWalker::unescape(std::string_view raw, std::string& out) {
  const char* at = raw.data();
  const char* const end = at + raw.size();
  while (at < end) {
    if (*at != '\\') {
      out += *at++;
      continue;
    }
    const Escape escape = read_escape(at, end);
    if (escape.length == 0) {
      return false;
    }
    append_utf8(out, escape.code_point);
    at += escape.length;
  }
  return true;
}

}  // namespace sluice::normalise
