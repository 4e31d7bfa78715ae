// Why an event was refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice::normalise {

// `reason` in answers and in sluice_events_rejected_total.
enum class RejectReason : std::uint8_t {
  malformed_json,        // a line of NDJSON that is not JSON
  not_an_object,         // an event is a JSON object
  field_missing,         // a required field is not there (or null)
  field_invalid,         // a field has the wrong type or a value that is not allowed
  duplicate_field,       // a field that has a meaning occurs twice
  client_missing,        // no profile identifier
  identifier_invalid,    // an identifier breaks the rules of its kind
  type_unknown,          // not a type of the API
  action_invalid,        // pattern or length
  action_not_allowed,    // not in the workspace's allow list
  time_invalid,          // not a time, or one without a zone
  email_mismatch,        // params.email is not the profile's
  transaction_as_event,  // transactions go to /v4/transactions
  event_too_large,       // its canonical JSON is above max_event_bytes
  too_deep,              // nested deeper than nesting_depth_max
  too_many_keys,         // at all depths, above limits.max_event_keys
  string_too_long,       // a value or a name, above limits.max_string_bytes
  mapping_failed,        // the source's rules could not make an event of it
  string_invalid,        // a string stands for no text: a lone surrogate, bytes that are not UTF-8
  superseded,            // a dead letter of which a newer version was accepted meanwhile
};
inline constexpr std::size_t reject_reason_count = 20;
[[nodiscard]] std::string_view to_string(RejectReason reason);
// `code` in answers: a number, as the vendor's clients take nothing else. Stable: one that was
// given is never given to another reason.
[[nodiscard]] unsigned code_of(RejectReason reason);

}  // namespace sluice::normalise
