// Every key that a configuration may have: the one table that unknown keys are found with, and that
// config/sluice.schema.json is compared with by a test.
#pragma once

#include <string_view>
#include <vector>

namespace sluice::config {

// The keys of one kind of map. `section` is also the name of its definition in the JSON Schema.
struct Keys {
  std::string_view section;
  std::vector<std::string_view> names;
};

[[nodiscard]] const std::vector<Keys>& all_keys();
// The section must exist.
[[nodiscard]] const Keys& keys_of(std::string_view section);

}  // namespace sluice::config
