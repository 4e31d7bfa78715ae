// The JSON Schema of the configuration file.
#pragma once

#include <string>

namespace sluice::config {

// As config/sluice.schema.json has it: every key with its meaning, its type, its default and its
// bounds. Made of the tables that the file is read by.
[[nodiscard]] std::string json_schema();

}  // namespace sluice::config
