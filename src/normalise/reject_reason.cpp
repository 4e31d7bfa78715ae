#include <array>

#include <sluice/normalise/reject_reason.hpp>

namespace sluice::normalise {
namespace {

struct ReasonInfo {
  RejectReason reason;
  std::string_view name;
  unsigned code;
};

using enum RejectReason;
constexpr std::array<ReasonInfo, reject_reason_count> reasons{{
    {malformed_json, "malformed_json", 1001},
    {not_an_object, "not_an_object", 1002},
    {field_missing, "field_missing", 1003},
    {field_invalid, "field_invalid", 1004},
    {duplicate_field, "duplicate_field", 1005},
    {client_missing, "client_missing", 1006},
    {identifier_invalid, "identifier_invalid", 1007},
    {type_unknown, "type_unknown", 1008},
    {action_invalid, "action_invalid", 1009},
    {action_not_allowed, "action_not_allowed", 1010},
    {time_invalid, "time_invalid", 1011},
    {email_mismatch, "email_mismatch", 1012},
    {transaction_as_event, "transaction_as_event", 1013},
    {event_too_large, "event_too_large", 1014},
    {too_deep, "too_deep", 1015},
    {too_many_keys, "too_many_keys", 1016},
    {string_too_long, "string_too_long", 1017},
    {mapping_failed, "mapping_failed", 1018},
    {string_invalid, "string_invalid", 1019},
    {superseded, "superseded", 1020},
}};

constexpr bool reasons_are_in_order() {
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    if (static_cast<std::size_t>(reasons[i].reason) != i) {
      return false;
    }
  }
  return true;
}
static_assert(reasons_are_in_order());

}  // namespace

std::string_view to_string(RejectReason reason) {
  return reasons[static_cast<std::size_t>(reason)].name;
}

unsigned code_of(RejectReason reason) { return reasons[static_cast<std::size_t>(reason)].code; }

}  // namespace sluice::normalise
