// What an upstream's answer means, and what is done about it: one table each.
//
// Statuses as in RFC 9110 and the upstream's documentation; what neither settles is decided so that
// no event is lost: a status is held against an event's content only if it cannot be anything else.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <sluice/deliver/upstream.hpp>

namespace sluice::deliver {

enum class Outcome : std::uint8_t {
  delivered,            // 2xx whose body names no failure: all events were accepted
  partially_delivered,  // 2xx: all but those that its body names
  throttled,            // 429, or 503 with Retry-After (the dispatcher adds some other 503s)
  transient,            // 408, 425, other 5xx, or nothing was sent: no name, no connection
  ambiguous,            // all was sent and no answer came: the events may have been accepted
  too_large,            // 413
  rejected,             // 400, 422 and other 4xx: something in the content
  unauthorised,         // 401, 403, or no token could be had
  misrouted,            // 3xx, 404, 405, 415 and their like, or a success that is no answer of the
                        // API: the address is wrong, not the events
  stopped,              // the client was stopped; nothing is known
};
inline constexpr std::size_t outcome_count = 10;

// What the dispatcher does with the events of the attempt.
enum class Treatment : std::uint8_t {
  complete,  // they have ended
  hold,      // send again, after the whole workspace has waited as long as it was asked to
  back_off,  // send again, after the lane has waited
  shrink,    // send again in smaller batches; an event that is too large alone is a dead letter
  bisect,    // send again in halves; an event that is refused alone is a dead letter
  refresh,   // get new credentials and send again; park the workspace if that does not help
  park,      // keep them; send nothing but probes until one goes through
  stop,      // keep them; send nothing any more
};

struct OutcomeInfo {
  Outcome outcome;
  std::string_view name;  // the label `outcome` of delivery_requests_total; never changes
  Treatment treatment;
  bool upstream_failed;  // counts against the circuit breaker
  bool congested;        // lowers the concurrency limit
};

// All outcomes, indexed by the enumerator.
[[nodiscard]] const std::array<OutcomeInfo, outcome_count>& outcomes();
[[nodiscard]] const OutcomeInfo& info(Outcome outcome);

// By the status, or how far the attempt came; judge.hpp looks at what a success says.
[[nodiscard]] Outcome classify(const UpstreamAnswer& answer);

// Likewise of a status alone; `asks_to_wait`: by Retry-After.
[[nodiscard]] Outcome classify_status(unsigned status, bool asks_to_wait);

}  // namespace sluice::deliver
