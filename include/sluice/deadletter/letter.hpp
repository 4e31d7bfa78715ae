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

// One to be stored.
struct Letter {
  std::string workspace;
  std::string_view kind;  // its name, as in event/kind.hpp
  std::string_view reason;
  unsigned status = 0;  // of the upstream's answer
  std::string answer;   // its words
  std::uint32_t attempts = 0;
  WallTime first_attempt_at;
  WallTime last_attempt_at;
  std::string traceparent{};  // of the request that brought it; empty: it had none
  std::string event;          // canonical JSON
};

// Unique in a store, and in its letters' order: the time of the last attempt in milliseconds since
// 1970, shifted left by 16 bits, or one more than the id before. 0 is none.
using LetterId = std::uint64_t;

// 16 lower-case hexadecimal digits.
[[nodiscard]] std::string to_text(LetterId id);
// Nothing for what is no id.
[[nodiscard]] std::optional<LetterId> parse_letter_id(std::string_view text);

// One that was stored.
struct StoredLetter {
  LetterId id = 0;
  std::string workspace;
  std::string kind;
  std::string reason;
  unsigned status = 0;
  std::string answer;
  std::uint32_t attempts = 0;
  WallTime last_attempt_at;
  std::string traceparent;
  std::string event;  // as it stands in the line
  std::string line;   // all of it, without the line break
};

// Nothing for what is no letter, or no JSON.
[[nodiscard]] std::optional<StoredLetter> parse_letter(std::string_view line);

}  // namespace sluice::deadletter
