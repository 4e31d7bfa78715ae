// What comes of a request: the answer, and how it travels.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "rules.hpp"

namespace sluice::simulator {

// How the session hands the answer over.
enum class Transmission : std::uint8_t {
  whole,
  slow,     // the body in pieces, over Answer::slow_for
  cut,      // half of the body, then the connection closes
  garbage,  // bytes that are not HTTP, then the connection closes
  reset,    // nothing: the connection is reset
};

struct Answer {
  unsigned status = 202;
  std::string body = {};  // JSON unless content_type says otherwise, or empty
  std::string content_type = "application/json";  // empty: no such header
  std::string retry_after = {};
  std::string_view allow = {};  // of a 405; a literal
  bool deprecated = false;
  std::chrono::nanoseconds delay{};  // before anything is sent
  Transmission transmission = Transmission::whole;
  std::chrono::nanoseconds slow_for{};
};

// A violation in the event with this index of a batch.
struct Refusal {
  std::size_t index;
  Violation violation;
};

// An answer of the API's error format. `error` replaces the name of the status.
[[nodiscard]] Answer error_answer(unsigned status, std::string_view message, std::string_view path,
                                  WallTime now, std::string_view error = {});
// One that lists what is refused: fields are those of a single event, or begin with the index,
// [3].label.
[[nodiscard]] Answer violation_answer(const Violation& violation, std::string_view path,
                                      WallTime now);
// `status` is 400, or 207 when the rest of the batch was accepted: then each error has its `index`
// too.
[[nodiscard]] Answer refusals_answer(unsigned status, std::span<const Refusal> refusals,
                                     std::string_view path, WallTime now);

// The answer as HTTP/1.1 writes it; where its body starts is `head_size`.
struct Wire {
  std::string text;
  std::size_t head_size;
};
[[nodiscard]] Wire to_wire(const Answer& answer, bool keep_alive, WallTime now);

}  // namespace sluice::simulator
