#include "values.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include <sluice/base/json_text.hpp>
#include <sluice/normalise/mapper.hpp>

#include "keys.hpp"
#include "lookalikes.hpp"
#include "text_checks.hpp"

namespace sluice::config {
namespace {

using mapping::Value;

// --- What looks as if something else was meant ---

constexpr std::array<std::string_view, 6> value_forms{"value",  "from",  "template",
                                                      "object", "array", "each"};

constexpr std::string_view said_literally =
    "; if it is meant so, write {value: ..., literal: true}, or literal: true beside it";

void check_constant(const Place& at, std::string_view text) {
  auto mend = mend_of_expression(text);
  if (!mend) mend = mend_of_pointer(text);
  if (!mend) return;
  at.mistake(fmt::format("is \"{}\", which would be sent as it stands", text),
             mend->append(said_literally));
}

// --- Constants: any YAML as compact JSON ---

bool is_json_word(std::string_view text) {
  return text == "true" || text == "false" || is_json_number(text);
}

// Reads a constant: `literal`, whatever it looks like; of one that looks like a rule, `rule_mend`
// says what to do.
struct ConstantReader {
  bool literal = false;
  std::string_view rule_mend;

  void append(const Place& at, std::string& json) const;
  void append_map(const Place& at, std::string& json) const;
};

void ConstantReader::append_map(const Place& at, std::string& json) const {
  const Members members = at.members();
  if (!literal && looks_like_rule(members)) {
    at.mistake("is a map with the keys of a rule, which would be sent as it stands",
               std::string(rule_mend).append(said_literally));
    return;
  }
  char separator = '{';
  for (const auto& [key, member] : members) {
    json += separator;
    append_json_string(json, key);
    json += ':';
    append(member, json);
    separator = ',';
  }
  json += separator == '{' ? "{}" : "}";
}

void ConstantReader::append(const Place& at, std::string& json) const {
  if (at.is_map()) {
    append_map(at, json);
  } else if (at.is_list()) {
    char separator = '[';
    for (const Place& item : at.items()) {
      json += separator;
      append(item, json);
      separator = ',';
    }
    json += separator == '[' ? "[]" : "]";
  } else if (at.is_null()) {
    at.mistake("is null, which the API takes for no value or for a deletion", "leave it out");
  } else if (const auto text = at.text()) {
    if (at.is_plain() && is_json_word(*text)) {
      json += *text;
    } else {
      if (!literal) check_constant(at, *text);
      append_json_string(json, *text);
    }
  }
}

std::string read_constant(const Place& at, const ConstantReader& reader) {
  std::string json;
  reader.append(at, json);
  return json;
}

// --- Values ---

// Reports what keeps a pointer from ever finding anything.
void check_pointer(const Place& at, std::string_view pointer) {
  if (const auto fault = pointer_fault(pointer)) {
    at.mistake(fmt::format("is \"{}\", which {}", pointer, fault->what),
               fault->mend + "; if it is meant so, write literal: true beside it");
  }
}

mapping::Array read_array(const Place& at) {
  mapping::Array array;
  for (const Place& item : at.items()) array.items.push_back(read_value(item));
  return array;
}

// Reports a template that makes another text than it seems to.
void check_template(const Place& at, std::string_view text) {
  const TemplateParts parts = template_parts(text);
  if (parts.pointers.empty() || mend_of_expression(parts.literal)) {
    at.mistake(
        fmt::format("is \"{}\", {}", text,
                    parts.pointers.empty() ? "which has no value in it and makes the same text for "
                                             "every event"
                                           : "in which doubled braces stand for braces"),
        "write {/pointer} for a value, once braced, or {value: ...} for a constant; if it is meant "
        "so, write literal: true beside it");
  }
  for (const std::string_view pointer : parts.pointers) check_pointer(at, pointer);
}

mapping::Template read_template(const Place& at, bool literal) {
  mapping::Template made{at.text().value_or("")};
  if (const auto fault = template_fault(made.text)) {
    at.mistake(fmt::format("is \"{}\", which {}", made.text, *fault),
               "write {/pointer} for a value, {{ and }} for braces");
  } else if (!literal && at.is_scalar()) {
    check_template(at, made.text);
  }
  return made;
}

mapping::Each read_each(const Place& at, const Section& section, bool literal) {
  mapping::Each each{.pointer = read_pointer(at, literal), .item = nullptr};
  const auto item = section.require("item", "write item: and what each element becomes");
  each.item = std::make_unique<const Value>(item ? read_value(*item) : Value{});
  return each;
}

std::optional<mapping::TimeFormat> read_time_format(const Section& section) {
  const auto at = section.find("format");
  const auto zone_at = section.find("zone");
  if (!at) {
    if (zone_at) zone_at->mistake("is there without a format", "write format: beside it");
    return std::nullopt;
  }
  mapping::TimeFormat made{.format = at->text().value_or("%F"), .zone = ""};
  if (const auto readable = mapping::check_time_format(made); !readable) {
    at->mistake("does not work", readable.error().message);
    return std::nullopt;
  }
  made.zone = zone_at ? zone_at->text().value_or("") : "";
  if (const auto readable = mapping::check_time_format(made); !readable) {
    zone_at->mistake("does not work", readable.error().message);
  }
  return made;
}

// The options that say nothing beside this form.
std::vector<std::string_view> idle_options(std::string_view form) {
  if (form == "from" || form == "template") return {"item"};
  if (form == "value") {
    return {"item", "type", "required", "default", "format", "zone", "null_if"};
  }
  if (form == "each") return {"type", "format", "zone", "null_if"};
  return {"item", "type", "format", "zone", "null_if"};
}

std::optional<std::vector<std::string>> read_null_if(const Section& section) {
  const auto at = section.find("null_if");
  if (!at) return std::nullopt;
  std::vector<std::string> texts;
  for (const Place& item : at->items_or_one()) texts.push_back(item.text().value_or(""));
  return texts;
}

void read_options(const Section& section, std::string_view form, Value& value) {
  for (const std::string_view option : idle_options(form)) {
    if (const auto at = section.find(option)) {
      at->mistake(fmt::format("means nothing beside {}", form), "leave it out");
    }
  }
  section.read("type", value.type, value_type_names);
  section.read("required", value.required);
  if (const auto at = section.find("default")) {
    value.default_json = read_constant(
        *at, {.literal = value.literal,
              .rule_mend = "a default is a constant: write one, or a second rule for the event"});
    if (value.required) {
      at->mistake("is never used, as the value is required", "keep one of default and required");
    }
  }
  value.null_if = read_null_if(section);
  value.time = read_time_format(section);
  const bool is_text =
      value.type == mapping::ValueType::any || value.type == mapping::ValueType::string;
  if (value.time && !is_text) {
    section.place_of("type").mistake("means nothing beside format",
                                     "leave it out: a time becomes a text");
  }
}

void read_form(const Section& section, std::string_view form, Value& value) {
  const Place at = section.place_of(form);
  if (form == "value") {
    value.source = mapping::Constant{read_constant(
        at,
        {.literal = value.literal, .rule_mend = "write the rule in its place, without value:"})};
  }
  if (form == "from") value.source = mapping::From{read_pointer(at, value.literal)};
  if (form == "template") value.source = read_template(at, value.literal);
  if (form == "object") value.source = read_members(at.members());
  if (form == "array") value.source = read_array(at);
  if (form == "each") value.source = read_each(at, section, value.literal);
}

}  // namespace

bool looks_like_rule(const Members& members) {
  const std::vector<std::string_view>& known = keys_of("value").names;
  const auto has_key = [](const auto& keys) {
    return [&](const auto& member) { return std::ranges::find(keys, member.first) != keys.end(); };
  };
  return std::ranges::all_of(members, has_key(known)) &&
         std::ranges::any_of(members, has_key(value_forms));
}

std::string read_pointer(const Place& at, bool literal) {
  const auto written = at.text();
  if (!written) return {};
  if (!is_json_pointer(*written)) {
    at.mistake(fmt::format("is \"{}\", which is not a JSON Pointer such as /order/id", *written),
               fmt::format("write {}", pointer_for(*written).value_or("a JSON Pointer")));
    return {};
  }
  if (!literal) check_pointer(at, *written);
  return *written;
}

mapping::Object read_members(const Members& members) {
  mapping::Object object;
  for (const auto& [name, member] : members) object.members.emplace_back(name, read_value(member));
  return object;
}

Value read_value(const Place& at) {
  Value value;
  if (at.is_scalar()) {
    mapping::Constant constant;
    if (const auto text = at.text()) {
      check_constant(at, *text);
      append_json_string(constant.json, *text);
    }
    value.source = std::move(constant);
    return value;
  }
  const Section section(at, "value");
  std::vector<std::string_view> forms;
  std::ranges::copy_if(value_forms, std::back_inserter(forms),
                       [&](std::string_view form) { return section.has(form); });
  if (forms.size() != 1) {
    section.mistake(
        forms.empty() ? "does not say where the value comes from"
                      : fmt::format("has both {} and {}", forms[0], forms[1]),
        "write exactly one of value, from, template, object, array and each; the members of "
        "an object go below object:");
    return value;
  }
  section.read("literal", value.literal);
  read_form(section, forms.front(), value);
  read_options(section, forms.front(), value);
  return value;
}

}  // namespace sluice::config
