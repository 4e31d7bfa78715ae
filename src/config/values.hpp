// Reads the values of mapping rules: where each member of an event comes from.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <sluice/normalise/mapping_spec.hpp>

#include "place.hpp"

namespace sluice::config {

using Members = std::vector<std::pair<std::string, Place>>;

// Whether it has the keys of a value's rule, and no others.
[[nodiscard]] bool looks_like_rule(const Members& members);
// A JSON Pointer into the raw event; `literal`: whatever it looks like.
[[nodiscard]] std::string read_pointer(const Place& at, bool literal);
[[nodiscard]] mapping::Object read_members(const Members& members);
// A text, which is a constant, or a map with the keys of `value`.
[[nodiscard]] mapping::Value read_value(const Place& at);

}  // namespace sluice::config
