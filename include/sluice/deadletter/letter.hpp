// A dead letter: an event that the upstream will never take, with everything that a person needs to
// mend and replay it. In the store it is one line, a JSON object: {"id", "workspace", "kind",
// "reason", "status", "answer", "attempts", "first_attempt_at", "last_attempt_at", "traceparent",
// "event"}; "traceparent" only where there is one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sluice/base/clock.hpp>

namespace sluice::deadletter {

// Unique in a store, and in its letters' order: the time of the last attempt in milliseconds since
// 1970, shifted left by 16 bits, or one more than the id before. 0 is none.
using LetterId = std::uint64_t;

// 16 lower-case hexadecimal digits.
[[nodiscard]] std::string to_text(LetterId id);
// Nothing for what is no id.
[[nodiscard]] std::optional<LetterId> parse_letter_id(std::string_view text);

// `Text` is std::string of a letter that stands for itself, std::string_view of one that is read.
template <class Text>
struct BasicLetter {
  LetterId id = 0;  // 0: it is to be stored, and the store gives it one
  Text workspace{};
  Text kind{};  // its name, as in event/kind.hpp
  Text reason{};
  unsigned status = 0;  // of the upstream's answer
  Text answer{};        // its words
  std::uint32_t attempts = 0;
  WallTime first_attempt_at{};
  WallTime last_attempt_at{};
  Text traceparent{};  // of the request that brought it; empty: it had none
  Text event{};        // canonical JSON; of one that was stored, as it stands in the line
  Text line{};         // of one that was stored: all of it, without the line break
};
using Letter = BasicLetter<std::string>;
using LetterView = BasicLetter<std::string_view>;

// Nothing for what is no letter, or no JSON.
[[nodiscard]] std::optional<Letter> parse_letter(std::string_view line);

}  // namespace sluice::deadletter
