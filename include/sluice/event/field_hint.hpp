// What somebody may have meant by a field that the API does not know: it ignores such fields, so
// that an event is refused for lack of an identifier, or silently has another time than it should.
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice {

struct FieldHint {
  std::string_view meant;    // the API's name; empty: what was written looks like none, or is one
  std::string_view message;  // valid for ever: a clause that asks whether that was meant
};

// Where the field stands.
enum class FieldOf : std::uint8_t { event, transaction, client, product };

// Such as `customId` for `custom_id` of a client, `time` for `timestamp` of an event, or
// `discountAmount` for `discount_amount` of a transaction: known names in other letters, too.
[[nodiscard]] FieldHint hint_for(FieldOf parent, std::string_view name);

}  // namespace sluice
