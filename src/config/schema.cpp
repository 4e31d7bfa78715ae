#include <fmt/format.h>

#include <sluice/base/json_text.hpp>
#include <sluice/config/schema.hpp>

#include "keys.hpp"

namespace sluice::config {
namespace {

// The types of values, and what goes before.
constexpr std::string_view beginning = R"schema({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Configuration of Sluice",
  "description": "Made by `sluice schema`. Each section is a definition with the section's name. A scalar may be a variable, ${NAME} or ${NAME:-default}, wherever it stands. docs/configuration.md is made of this file by scripts/configuration_reference.py: \"Range: A to B.\" at the end of a description, x-absent (what holds where a key is left out that has no default) and x-see (where to read on) are for its tables.",
  "$ref": "#/$defs/file",
  "$defs": {
    "variable": {"title": "a variable", "type": "string", "pattern": "\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}"},
    "text": {"type": ["string", "number", "boolean"]},
    "secret": {"description": "Never printed or logged", "$ref": "#/$defs/text"},
    "path": {"type": "string", "minLength": 1},
    "name": {
      "description": "1 to 64 letters, digits, '.', '-' or '_'",
      "anyOf": [{"type": ["string", "integer"], "pattern": "^[A-Za-z0-9._-]{1,64}$"}, {"$ref": "#/$defs/variable"}]
    },
    "boolean": {"anyOf": [{"type": "boolean"}, {"enum": ["true", "false"]}, {"$ref": "#/$defs/variable"}]},
    "count": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]+$"}, {"$ref": "#/$defs/variable"}]},
    "share": {"anyOf": [{"type": "number", "minimum": 0.01, "maximum": 1}, {"$ref": "#/$defs/variable"}]},
    "size": {
      "description": "Bytes: 1000000, 16KiB, 8MiB, 1GiB, 64kB, 1MB",
      "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]+(B|[kMGT]B|[KMGT]iB)?$"}, {"$ref": "#/$defs/variable"}]
    },
    "duration": {
      "description": "200ms, 10s, 10m, 1h or 0",
      "anyOf": [{"const": 0}, {"type": "string", "pattern": "^(0|[0-9]+(ms|s|m|h))$"}, {"$ref": "#/$defs/variable"}]
    },
    "rate": {
      "description": "Events: 5000/s, 100/m; 0: no limit",
      "anyOf": [{"const": 0}, {"type": "string", "pattern": "^(0|[0-9.]+([eE][-+]?[0-9]+)?/[sm])$"}, {"$ref": "#/$defs/variable"}]
    },
    "address": {
      "description": "127.0.0.1:8080, [::1]:8080, localhost:0, unix:/run/sluice/ingest.sock",
      "anyOf": [{"type": "string", "pattern": "^(unix:/.+|.+:[0-9]{1,5})$"}, {"$ref": "#/$defs/variable"}]
    },
    "pointer": {"description": "A JSON Pointer (RFC 6901)", "type": "string", "pattern": "^(/([^~]|~[01])*)?$|\\$\\{"},
    "spec": {"anyOf": [{"$ref": "#/$defs/text"}, {"$ref": "#/$defs/value"}]},
    "members": {
      "description": "An object's members, or {from: /pointer} to a whole one",
      "type": ["object", "null"],
      "additionalProperties": {"$ref": "#/$defs/spec"}
    },

)schema";

void append_member(std::string& json, std::string_view name, std::string_view text) {
  if (text.empty()) return;
  append_json_string(json.append(json.ends_with('{') ? "" : ", "), name);
  append_json_string(json.append(": "), text);
}

std::string described(const KeyInfo& key) {
  std::string json = "{";
  append_member(json, "title", key.title);
  append_member(
      json, "description",
      key.range.empty() ? key.meaning : fmt::format("{} Range: {}.", key.meaning, key.range));
  if (!key.default_json.empty()) json += fmt::format(R"(, "default": {})", key.default_json);
  if (key.absent) append_json_string(json.append(", \"x-absent\": "), *key.absent);
  if (key.on_reload == OnReload::restart) json += R"(, "x-restart": true)";
  append_member(json, "x-see", key.see);
  if (!key.examples.empty()) json += fmt::format(R"(, "examples": [{}])", key.examples);
  return json + fmt::format(", {}}}", key.schema);
}

std::string required_in(const Keys& keys) {
  std::string json;
  for (const KeyInfo& key : keys.infos) {
    if (!key.is_required) continue;
    append_json_string(json.append(json.empty() ? "" : ", "), key.name);
  }
  return json.empty() ? json : fmt::format(",\n      \"required\": [{}]", json);
}

std::string definition_of(const Keys& keys) {
  std::string properties;
  for (const KeyInfo& key : keys.infos) {
    properties += properties.empty() ? "\n        " : ",\n        ";
    append_json_string(properties, key.name);
    properties += ": " + described(key);
  }
  return fmt::format(
      "    \"{}\": {{\n      {},\n      \"additionalProperties\": false{},\n"
      "      \"properties\": {{{}\n      }}\n    }}",
      keys.section, keys.shape, required_in(keys), properties);
}

}  // namespace

std::string json_schema() {
  std::string json(beginning);
  for (const Keys& keys : all_keys()) {
    if (&keys != &all_keys().front()) json += ",\n";
    json += definition_of(keys);
  }
  return json + "\n  }\n}\n";
}

}  // namespace sluice::config
