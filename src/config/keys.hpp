// What is known of each key beside its value: the one list that unknown keys are found with, that
// the JSON Schema is written from and, by it, docs/configuration.md. The rows are in the tables
// (table.hpp); those of mapping rules, which have no members of their own, in mapping_keys.cpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/config/changes.hpp>

namespace sluice::config {

struct KeyInfo {
  std::string name;
  std::string schema;          // of its value: members of a JSON object, without the braces
  std::string meaning;         // Markdown, as docs/configuration.md has it
  std::string range{};         // "1 to 1000", both ends included; empty: it has none
  std::string default_json{};  // what holds where the key is left out; empty: `absent` says it
  std::optional<std::string> absent{};  // Markdown: what holds without it, where it has no default
  std::string see{};                    // Markdown: where to read on
  std::string title{};     // what the reference calls its type; empty: the type's own name
  std::string examples{};  // JSON values, with commas between
  bool is_required = false;
  OnReload on_reload = OnReload::take;
};

// The keys of one kind of map. `section` is also the name of its definition in the JSON Schema.
struct Keys {
  std::string_view section;
  std::string_view shape;  // what the schema says of the map itself, as of a key's value
  std::vector<KeyInfo> infos;
  std::vector<std::string_view> names;  // of `infos`, which therefore are moved and never copied

  Keys(std::string_view section, std::string_view shape, std::vector<KeyInfo> infos);
  Keys(Keys&&) noexcept = default;
};

[[nodiscard]] const std::vector<Keys>& all_keys();
// The section must exist.
[[nodiscard]] const Keys& keys_of(std::string_view section);

// The sections of mapping rules, which sources.cpp and values.cpp read.
[[nodiscard]] std::vector<Keys> mapping_keys();

}  // namespace sluice::config
