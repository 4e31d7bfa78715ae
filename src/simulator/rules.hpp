// The rules of the API for one event or transaction. Sources: include/sluice/event/api_limits.hpp
// names them; what is [assumed] there is refused here too.
#pragma once

#include <expected>
#include <optional>
#include <string>

#include <simdjson.h>

#include <sluice/base/clock.hpp>
#include <sluice/event/event_type.hpp>
#include <sluice/simulator/ledger.hpp>
#include <sluice/simulator/options.hpp>

namespace sluice::simulator {

// The `code` of an entry of `errors`. The API documents one example, 120; the others are [assumed].
enum class ErrorCode : int {
  malformed = 100,      // not JSON, or not the outline that the endpoint takes
  missing = 120,        // a required field is absent or empty
  wrong_type = 121,     // another JSON type is required
  invalid_value = 122,  // the right type, but not a permitted value
  null_value = 123,     // null, anywhere
  duplicate_key = 124,  // an object has a key twice
  too_deep = 125,       // nested deeper than the limit
  not_allowed = 126,    // may not be sent here
  over_limit = 127,     // too many events, or too many bytes
  poisoned = 199,       // refused by a fault
};

// What is wrong with an event.
struct Violation {
  ErrorCode code;
  std::string field;  // such as client.email or products[2].finalUnitPrice.amount
  std::string message;
  std::string rejected_value;  // JSON; empty: none to show
};

// The Violation of a value, with the value as what is rejected.
[[nodiscard]] Violation violation_of(ErrorCode code, std::string message,
                                     const std::optional<simdjson::dom::element>& value = {});

// Checks an event. `path_type` is the type that the path names; without it the event is an item of
// a batch and carries its `type`. `validation`: api or strict. The Arrival's views live as long as
// the document, and have no body.
[[nodiscard]] std::expected<Arrival, Violation> check_event(simdjson::dom::element event,
                                                            std::optional<EventType> path_type,
                                                            Validation validation, WallTime now);
[[nodiscard]] std::expected<Arrival, Violation> check_transaction(
    simdjson::dom::element transaction, Validation validation, WallTime now);

// The same Arrival without a check: what is absent or of another type is left empty.
[[nodiscard]] Arrival read_event(simdjson::dom::element event, std::optional<EventType> path_type,
                                 WallTime now);
[[nodiscard]] Arrival read_transaction(simdjson::dom::element transaction, WallTime now);

}  // namespace sluice::simulator
