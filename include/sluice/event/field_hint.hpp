// What somebody may have meant by a field that the API does not know: it ignores such fields, so
// that an event is refused for lack of an identifier, or silently has another time than it should.
#pragma once

#include <string_view>

namespace sluice {

// The API's name for what `name` looks like, such as `customId` for `custom_id`, in the object
// `parent`: `client`, or empty for the event itself. Empty: it looks like none, or is one.
[[nodiscard]] std::string_view hint_for(std::string_view parent, std::string_view name);

}  // namespace sluice
