// Walks a JSON text over simdjson's structural index, and copies values compactly as it goes.
//
// simdjson's first stage finds every token and checks UTF-8, control characters and unclosed
// strings with SIMD; its second stage would build a tape that we would only read once. This walker
// takes the second stage's place: it checks the grammar and writes canonical bytes in the same
// pass. Strings and numbers are copied as they stand, after their escapes or digits have been
// checked.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <simdjson.h>

#include "text_bytes.hpp"

namespace sluice::normalise {

// What the scratch space of one thread may keep of a request: what is larger is given back, so that
// one uncommonly large body does not cost memory for ever.
inline constexpr std::size_t kept_scratch_bytes = std::size_t{2} << 20;

enum class WalkError : std::uint8_t {
  none,
  syntax,    // of JSON: where the next value begins cannot be known
  too_deep,  // this one and the next leave the grammar intact: only the value is refused
  not_text,  // a string with a lone surrogate, or bytes that are not UTF-8
};

class JsonWalker {
 public:
  // A string token without its quotes.
  struct Text {
    std::string_view raw;
    bool escaped;  // holds a backslash
  };

  // Indexes `size` bytes at `data`, behind which padding must be readable and one byte writable: a
  // NUL is put there until the next load() or unload(), so that no token can run past the end
  // unnoticed. Returns simdjson's error, or nullptr. Bytes that are not UTF-8 are none: see
  // is_text_since().
  const char* load(char* data, std::size_t size);
  void unload();
  // Unloads at its end, whatever ends it: the data may not live longer than that.
  class Unloading {
   public:
    explicit Unloading(JsonWalker& walker) : walker_(walker) {}
    ~Unloading() { walker_.unload(); }
    Unloading(const Unloading&) = delete;
    Unloading& operator=(const Unloading&) = delete;

   private:
    JsonWalker& walker_;
  };

  // The first byte of the next token; NUL at the end.
  [[nodiscard]] char peek() const { return data_[*next_]; }
  [[nodiscard]] std::size_t offset() const { return *next_; }
  [[nodiscard]] const char* position() const { return data_ + *next_; }
  void skip_token() { ++next_; }
  [[nodiscard]] bool at_end() const { return next_ == end_; }

  // A place to come back to.
  [[nodiscard]] const std::uint32_t* mark() const { return next_; }
  void rewind(const std::uint32_t* mark) { next_ = mark; }

  // What lies between a mark and the cursor: tokens, and bytes from the first of them on.
  [[nodiscard]] std::size_t tokens_since(const std::uint32_t* mark) const {
    return static_cast<std::size_t>(next_ - mark);
  }
  [[nodiscard]] std::size_t bytes_since(const std::uint32_t* mark) const { return *next_ - *mark; }

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
  // Whether what lies between a mark and the cursor is UTF-8.
  [[nodiscard]] bool is_text_since(const std::uint32_t* mark) const {
    return all_utf8_ ||
           simdjson::validate_utf8(data_ + *mark, static_cast<std::size_t>(*next_ - *mark));
  }
  // Whether the cursor stands on `[]`.
  [[nodiscard]] bool is_empty_list() const { return peek() == '[' && data_[next_[1]] == ']'; }
  // The number at the cursor, checked; empty when there is none. The cursor stays.
  [[nodiscard]] std::string_view number_at_cursor() {
    const char first = peek();
    if (first != '-' && (first < '0' || first > '9')) {
      return {};
    }
    const std::string_view number = read_scalar();
    --next_;
    return number;
  }
  // Whether a text that a quote ends is a JSON number.
  [[nodiscard]] static bool is_number(std::string_view text) {
    return number_end(text.data()) == text.data() + text.size();
  }
  // Moves past the value at the cursor, however deep it is and whatever its strings say. Sets
  // `error` when its grammar is broken.
  void skip_any();

  // The string at the cursor, which stands on its quote; moves past it.
  [[gnu::always_inline]] Text read_string() {
    const std::uint32_t* const next = next_;
    const char* const open = data_ + next[0];
    const auto size = static_cast<std::size_t>(closing_quote(data_ + next[1]) - open - 1);
    next_ = next + 1;
    const bool escaped = holds_backslash(open + 1, size);
    if (escaped) [[unlikely]] {
      check_escapes(open + 1, size);
    }
    return {{open + 1, size}, escaped};
  }

  // Copies the string at the cursor with its quotes. Sets `error` when an escape is not one, or
  // stands for no character.
  char* copy_string(char* out) {
    const std::uint32_t* const next = next_;
    const char* const open = data_ + next[0];
    const auto size = static_cast<std::size_t>(closing_quote(data_ + next[1]) - open + 1);
    next_ = next + 1;
    bool escaped = false;
    out = copy_noticing_backslash(out, open, size, escaped);
    if (escaped) [[unlikely]] {
      check_escapes(open + 1, size - 2);
    }
    return out;
  }

  // The number, true or false at the cursor, checked; moves past it. Empty after an error.
  std::string_view read_scalar();
  // The member `name` of the object at the cursor when its value is a string; the cursor stays.
  // Looks at keys only and checks nothing: the walk that follows does.
  [[nodiscard]] std::optional<Text> find_string_member(std::string_view name);
  // Copies the value at the cursor compactly, without nulls. The cursor must not stand on a null.
  char* copy_value(char* out, std::size_t depth) {
    return peek() == '"' ? copy_string(out) : copy_other(out, depth);
  }
  // Moves past the value at the cursor, checking it.
  void skip_value(std::size_t depth);
  // Whether the value at the cursor is null; moves past it when it is.
  bool skip_null() {
    if (peek() != 'n') [[likely]] {
      return false;
    }
    skip_null_token();
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
  // included), which whoever reads a string is told by `error`.
  static bool unescape(std::string_view raw, std::string& out);
  // Copies the key of a member, with its quotes.
  static char* copy_key(char* out, Text key) {
    return copy_blocks(out, key.raw.data() - 1, key.raw.size() + 2);
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
  // The quote that ends the string before the token: only space lies between.
  [[nodiscard]] static const char* closing_quote(const char* token) {
    do {
      --token;
    } while (*token != '"');
    return token;
  }
  void skip_null_token();
  char* copy_other(char* out, std::size_t depth);  // a value that is no string
  // Sets `error` when a backslash begins no escape, or one that stands for no character.
  void check_escapes(const char* begin, std::size_t size);
  // The end of the number at `begin`, or nullptr.
  static const char* number_end(const char* begin);

  static char* copy_noticing_backslash(char* out, const char* begin, std::size_t size,
                                       bool& escaped);

  std::unique_ptr<simdjson::internal::dom_parser_implementation> index_;
  std::size_t index_capacity_ = 0;
  char* data_ = nullptr;
  char* guard_ = nullptr;
  char behind_ = 0;
  bool all_utf8_ = true;
  const std::uint32_t* next_ = nullptr;
  const std::uint32_t* end_ = nullptr;
};

inline char* JsonWalker::copy_noticing_backslash(char* out, const char* begin, std::size_t size,
                                                 bool& escaped) {
#if defined(__SSE2__)
  const __m128i backslash = _mm_set1_epi8('\\');
  __m128i seen = _mm_setzero_si128();
  const auto copy_block = [&](std::size_t at) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(begin + at));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + at), block);
    seen = _mm_or_si128(seen, _mm_cmpeq_epi8(block, backslash));
  };
  // The last blocks may hold a backslash from behind the end: the exact check settles it, and is
  // rare. Two at once, as in copy_blocks().
  copy_block(0);
  copy_block(16);
  for (std::size_t at = 32; at < size; at += 16) {
    copy_block(at);
  }
  escaped = _mm_movemask_epi8(seen) != 0;
#else
  std::memcpy(out, begin, size);
  escaped = holds_backslash(begin, size);
#endif
  return out + size;
}

}  // namespace sluice::normalise
