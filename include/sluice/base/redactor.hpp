// Keeps secrets out of what others say: an upstream's error page may repeat the request that it
// got, credentials included.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sluice {

// Knows secrets, and finds them in a text in the forms in which texts have them: as they are, as
// JSON, HTML and URLs escape them, and within anything in Base64 (of either alphabet), as a key
// stands in the credentials of Basic. Thread-safe. The time that it takes does not depend on how
// many secrets it knows.
class Redactor {
 public:
  // A shorter one is not looked for: it could be any word.
  static constexpr std::size_t secret_bytes_min = 8;
  // One that was replaced stays known, as texts about it may still come; beyond so many, the oldest
  // is forgotten.
  static constexpr std::size_t secrets_max = 20'000;
  static constexpr std::string_view mark = "[redacted]";

  void add(std::string_view secret);
  // The text with `mark` in the place of each secret, also of one whose end is cut off with the
  // text.
  [[nodiscard]] std::string redacted(std::string_view text) const;

 private:
  void forget_oldest();
  // The length of the secret that the text begins with; 0: none.
  [[nodiscard]] std::size_t secret_at(std::string_view text) const;

  mutable std::mutex mutex_;
  std::deque<std::string> secrets_;  // by age
  // Their forms, by the first bytes of each.
  std::unordered_map<std::uint64_t, std::vector<std::string>> forms_;
};

// Those of this process: of its configuration, now and before, and the tokens that it was given.
// The log redacts all of them.
[[nodiscard]] Redactor& known_secrets();

}  // namespace sluice
