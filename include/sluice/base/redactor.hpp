// Keeps secrets out of what others say: an upstream's error page may repeat the request that it
// got, credentials included.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include <sluice/base/clock.hpp>

namespace sluice {

// Knows secrets, and finds them in a text in the forms in which texts have them: as they are, as
// JSON, HTML and URLs escape them, and within anything in Base64 (of either alphabet), as a key
// stands in the credentials of Basic. Thread-safe. The time that it takes hardly depends on how
// many secrets it knows, nor on how many of them begin alike, as tokens do.
//
// For texts that are kept or shown. What is to be understood, such as an answer that is to be
// judged, is understood as it came: a secret of digits may stand there as a number.
class Redactor {
 public:
  // A shorter one is not looked for: it could be any word.
  static constexpr std::size_t secret_bytes_min = 8;
  // One that was replaced stays known, as texts about it may still come; beyond so many, the oldest
  // is forgotten.
  static constexpr std::size_t secrets_max = 20'000;
  static constexpr std::string_view mark = "[redacted]";

  void add(std::string_view secret);
  // One that opens nothing any more at `expires_at`, as a token: it is forgotten by the next of its
  // kind that is added after that.
  void add_until(std::string_view secret, MonoTime expires_at, MonoTime now);
  // The text with `mark` in the place of each secret, also of one whose end is cut off with the
  // text. Of that the first `bytes_max` bytes: to be cut, a text is given whole, as half a secret
  // is not always known for one.
  [[nodiscard]] std::string redacted(std::string_view text,
                                     std::size_t bytes_max = std::string_view::npos) const;
  [[nodiscard]] std::size_t size() const;

 private:
  struct Known {
    std::string secret;
    MonoTime expires_at;
  };
  // Those that begin with the same bytes, sorted: a secret is found by its whole beginning.
  using Forms = std::multiset<std::string, std::less<>>;

  void learn(std::string_view secret, MonoTime expires_at);
  void forget_forms(std::string_view secret);
  // The length of the secret that the text begins with; 0: none.
  [[nodiscard]] std::size_t secret_at(std::string_view text) const;

  mutable std::mutex mutex_;
  std::deque<Known> secrets_;                       // by age
  std::unordered_map<std::uint64_t, Forms> forms_;  // by the first bytes of each
};

// Those of this process: of its configuration, now and before, and the tokens that it was given.
// The log redacts all of them.
[[nodiscard]] Redactor& known_secrets();

}  // namespace sluice
