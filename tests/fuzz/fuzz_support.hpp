// What the fuzz targets share: a check that ends the run with a message, and a judge of JSON that
// is none of the product's parsers.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

namespace sluice::fuzz {

// libFuzzer writes the input that led here to a file.
inline void check(bool holds, const char* what, std::string_view about = {}) {
  if (!holds) {
    std::fprintf(stderr, "broken: %s: %.*s\n", what, static_cast<int>(about.size()), about.data());
    std::abort();
  }
}

// Reads JSON by the letter of RFC 8259, and compact: no space between tokens. Collects its numbers.
class CompactJson {
 public:
  explicit CompactJson(std::string_view text) : text_(text) {}

  [[nodiscard]] bool is_valid() {
    return simdjson::validate_utf8(text_.data(), text_.size()) && value() && at_ == text_.size();
  }
  [[nodiscard]] bool has_null() const { return has_null_; }
  [[nodiscard]] const std::vector<std::string_view>& numbers() const { return numbers_; }

 private:
  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    const bool there = at_ < text_.size() && text_[at_] == c;
    at_ += there ? 1 : 0;
    return there;
  }
  bool word(std::string_view expected) {
    const bool there = text_.substr(at_).starts_with(expected);
    at_ += there ? expected.size() : 0;
    return there;
  }
  bool digits() {
    const std::size_t before = at_;
    while (peek() >= '0' && peek() <= '9') {
      ++at_;
    }
    return at_ > before;
  }
  bool number() {
    const std::size_t begin = at_;
    take('-');
    if (!take('0') && !digits()) {
      return false;
    }
    if (take('.') && !digits()) {
      return false;
    }
    if (take('e') || take('E')) {
      if (!take('+')) {
        take('-');
      }
      if (!digits()) {
        return false;
      }
    }
    numbers_.push_back(text_.substr(begin, at_ - begin));
    return true;
  }
  bool escape() {
    if (!take('u')) {
      const bool known = std::string_view("\"\\/bfnrt").find(peek()) != std::string_view::npos;
      ++at_;
      return known;
    }
    for (int i = 0; i < 4; ++i, ++at_) {
      if (std::string_view("0123456789abcdefABCDEF").find(peek()) == std::string_view::npos) {
        return false;
      }
    }
    return true;
  }
  bool string() {
    if (!take('"')) {
      return false;
    }
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') {
        return true;
      }
      if (static_cast<unsigned char>(c) < 0x20 || (c == '\\' && !escape())) {
        return false;
      }
    }
    return false;
  }
  bool container(char close, bool named) {
    ++at_;
    if (take(close)) {
      return true;
    }
    do {
      if ((named && !(string() && take(':'))) || !value()) {
        return false;
      }
    } while (take(','));
    return take(close);
  }
  bool value() {
    if (++depth_ > 1'000) {
      return false;
    }
    const bool valid = value_of_kind();
    --depth_;
    return valid;
  }
  bool value_of_kind() {
    switch (peek()) {
      case '{':
        return container('}', true);
      case '[':
        return container(']', false);
      case '"':
        return string();
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        has_null_ = true;
        return word("null");
      default:
        return number();
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool has_null_ = false;
  std::vector<std::string_view> numbers_;
};

}  // namespace sluice::fuzz
