// Walks a JSON text over simdjson's structural index, and copies values compactly as it goes.
//
// simdjson's first stage finds every token and checks UTF-8, control characters and unclosed
// strings with SIMD; its second stage would build a tape that we would only read once. This walker
// takes the second stage's place: it checks the grammar and writes canonical bytes in the same
// pass. Strings and numbers are copied as they stand, after their escapes or digits have been
// checked.
#pragma once

#if defined(__SSE2__)
#include <emmintrin.h>
#endif
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <simdjson.h>

namespace sluice::normalise {

enum class WalkError : std::uint8_t { none, syntax, too_deep };

class JsonWalker {
 public:
  // A string token without its quotes.
  struct Text {
    std::string_view raw;
    bool escaped;  // holds a backslash
  };

  // Indexes `size` bytes at `data`, behind which padding must be readable and one byte writable: a
  // NUL is put there until the next load() or unload(), so that no token can run past the end
  // unnoticed. Returns simdjson's error, or nullptr.
  const char* load(char* data, std::size_t size);
  void unload();

  // The first byte of the next token; NUL at the end.
  [[nodiscard]] char peek() const { return data_[*next_]; }
  [[nodiscard]] std::size_t offset() const { return *next_; }
  [[nodiscard]] const char* position() const { return data_ + *next_; }
  void skip_token() { ++next_; }
  [[nodiscard]] bool at_end() const { return next_ == end_; }

  // A place to come back to.
  [[nodiscard]] const std::uint32_t* mark() const { return next_; }
  void rewind(const std::uint32_t* mark) { next_ = mark; }

  // The bytes from the cursor to the end of the text.
  [[nodiscard]] std::size_t bytes_left() const {
    return static_cast<std::size_t>(guard_ - position());
  }
  // The string at the cursor, without its quotes; the cursor stays.
  [[nodiscard]] std::string_view string_at_cursor() {
    const std::string_view raw = read_string().raw;
    --next_;
    return raw;
  }
  // Moves past the object or array at the cursor by its brackets alone, checking nothing inside.
  void skip_unchecked();

  // The string at the cursor, which stands on its quote; moves past it.
  Text read_string() {
    const char* open = data_ + *next_++;
    const char* close = data_ + *next_ - 1;
    while (*close != '"') {
      --close;
    }
    const bool escaped = contains_backslash(open + 1, close);
    if (escaped && !escapes_are_valid(open + 1, close)) {
      error = WalkError::syntax;
    }
    return {{open + 1, static_cast<std::size_t>(close - open - 1)}, escaped};
  }

  // Copies the string at the cursor with its quotes. Sets `error` when an escape is not one.
  char* copy_string(char* out) {
    const char* open = data_ + *next_++;
    const char* end = data_ + *next_;
    while (end[-1] != '"') {
      --end;
    }
    bool escaped = false;
    char* const copied = copy_noticing_backslash(out, open, end, escaped);
    if (escaped && !escapes_are_valid(open + 1, end - 1)) {
      error = WalkError::syntax;
    }
    return copied;
  }

  // The number, true or false at the cursor, checked; moves past it. Empty after an error.
  std::string_view read_scalar();
  // The member `name` of the object at the cursor when its value is a string; the cursor stays.
  // Looks at keys only and checks nothing: the walk that follows does.
  [[nodiscard]] std::optional<Text> find_string_member(std::string_view name);
  // Copies the value at the cursor compactly, without nulls. The cursor must not stand on a null.
  char* copy_value(char* out, std::size_t depth);
  // Moves past the value at the cursor, checking it.
  void skip_value(std::size_t depth);
  // Whether the value at the cursor is null; moves past it when it is.
  bool skip_null() {
    if (peek() != 'n') [[likely]] {
      return false;
    }
    const char* token = position();
    ++next_;
    if (std::memcmp(token, "null", 4) != 0 || !ends_at(token + 4)) {
      error = WalkError::syntax;
    }
    ++nulls_skipped;
    return true;
  }

  // Calls `on_member(key)` for each member of the object at the cursor; it must consume the value
  // (with the cursor on its first token). Stops at the first error.
  template <class OnMember>
  void each_member(OnMember&& on_member) {
    ++next_;
    if (peek() == '}') {
      ++next_;
      return;
    }
    while (true) {
      if (peek() != '"') {
        error = WalkError::syntax;
        return;
      }
      const Text key = read_string();
      if (peek() != ':') {
        error = WalkError::syntax;
        return;
      }
      ++next_;
      on_member(key);
      if (error != WalkError::none) {
        return;
      }
      if (!another('}')) {
        return;
      }
    }
  }

  // Calls `on_item()` for each item of the array at the cursor; it must consume the item.
  template <class OnItem>
  void each_item(OnItem&& on_item) {
    ++next_;
    if (peek() == ']') {
      ++next_;
      return;
    }
    while (true) {
      on_item();
      if (error != WalkError::none) {
        return;
      }
      if (!another(']')) {
        return;
      }
    }
  }

  // Appends what the string stands for to `out`; false when an escape is not one (a lone surrogate
  // included).
  static bool unescape(std::string_view raw, std::string& out);
  // Copies the key of a member, with its quotes.
  static char* copy_key(char* out, Text key) {
    *out++ = '"';
    std::memcpy(out, key.raw.data(), key.raw.size());
    out += key.raw.size();
    *out++ = '"';
    return out;
  }

  WalkError error = WalkError::none;
  std::uint64_t nulls_skipped = 0;

 private:
  // Moves past what follows a member or an item: whether it is a comma, and not the end.
  bool another(char close) {
    const char separator = peek();
    if (separator != ',' && separator != close) {
      error = WalkError::syntax;
      return false;
    }
    ++next_;
    return separator == ',';
  }

  static constexpr bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
  // Whether a token that ends at `end` is followed by nothing but space up to the next one.
  [[nodiscard]] bool ends_at(const char* end) const {
    return end == data_ + *next_ || is_space(*end);
  }
  static bool escapes_are_valid(const char* begin, const char* end);
  // The end of the number at `begin`, or nullptr.
  static const char* number_end(const char* begin);

  // Both read, and the copy also writes, up to 15 bytes too many: input is padded, and output has
  // slack.
  static bool contains_backslash(const char* begin, const char* end);
  static char* copy_noticing_backslash(char* out, const char* begin, const char* end,
                                       bool& escaped);

  std::unique_ptr<simdjson::internal::dom_parser_implementation> index_;
  std::size_t index_capacity_ = 0;
  char* data_ = nullptr;
  char* guard_ = nullptr;
  char behind_ = 0;
  const std::uint32_t* next_ = nullptr;
  const std::uint32_t* end_ = nullptr;
};

inline bool JsonWalker::contains_backslash(const char* begin, const char* end) {
#if defined(__SSE2__)
  const __m128i backslash = _mm_set1_epi8('\\');
  while (begin < end) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(begin));
    auto found = static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(block, backslash)));
    if (const auto left = end - begin; left < 16) {
      found &= (1U << left) - 1;
    }
    if (found != 0) {
      return true;
    }
    begin += 16;
  }
  return false;
#else
  return std::memchr(begin, '\\', static_cast<std::size_t>(end - begin)) != nullptr;
#endif
}

inline char* JsonWalker::copy_noticing_backslash(char* out, const char* begin, const char* end,
                                                 bool& escaped) {
#if defined(__SSE2__)
  const __m128i backslash = _mm_set1_epi8('\\');
  __m128i seen = _mm_setzero_si128();
  char* const out_end = out + (end - begin);
  // The last block may hold a backslash from behind the end: the exact check settles it, and is
  // rare.
  for (; begin < end; begin += 16, out += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(begin));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), block);
    seen = _mm_or_si128(seen, _mm_cmpeq_epi8(block, backslash));
  }
  escaped = _mm_movemask_epi8(seen) != 0;
  return out_end;
#else
  const auto size = static_cast<std::size_t>(end - begin);
  std::memcpy(out, begin, size);
  escaped = std::memchr(begin, '\\', size) != nullptr;
  return out + size;
#endif
}

}  // namespace sluice::normalise
