// An event that the upstream will never take, on its way to the dead-letter store.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <sluice/base/clock.hpp>
#include <sluice/event/group.hpp>

namespace sluice::deliver {

enum class DeadLetterReason : std::uint8_t {
  rejected,   // refused for its content, alone or named in a 207
  too_large,  // refused with 413, alone
};
inline constexpr std::size_t dead_letter_reason_count = 2;
// The label `reason` of events_dead_lettered_total; never changes.
inline constexpr std::array<std::string_view, dead_letter_reason_count> dead_letter_reason_names = {
    "rejected", "too_large"};

// The upstream's words kept with a dead letter; longer ones are cut between characters.
inline constexpr std::size_t dead_letter_answer_bytes_max = 2'048;

struct DeadLetter {
  EventRef event;
  DeadLetterReason reason;
  unsigned status;         // of the answer
  std::string answer;      // its body, at most dead_letter_answer_bytes_max
  std::uint32_t attempts;  // requests that carried the event since it last left its queue
  WallTime first_attempt_at;
  WallTime last_attempt_at;
};

}  // namespace sluice::deliver
