// What somebody may have meant who called a path that is none of the gateway's. Pure.
#pragma once

#include <string>
#include <string_view>

namespace sluice::ingest {

// The route that the path is a near miss of: a letter wrong or missing, another version, a prefix
// too many or too few, a slash at the end, an action in the place of its event type. Empty: none is
// near.
[[nodiscard]] std::string nearest_route(std::string_view path);

// The sentence that a refusal of the path ends with, with a space before it: empty, or
// " Did you mean /v4/events/batch?".
[[nodiscard]] std::string route_hint(std::string_view path);

// Whether the query carries a tracker key, `token=…`, by which the API knows web pages and apps.
[[nodiscard]] bool has_tracker_key(std::string_view target);

}  // namespace sluice::ingest
