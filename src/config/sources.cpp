#include "sources.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include <sluice/base/json_text.hpp>
#include <sluice/event/event_type.hpp>
#include <sluice/normalise/mapper.hpp>

#include "keys.hpp"
#include "lookalikes.hpp"
#include "sections.hpp"
#include "text_checks.hpp"

namespace sluice::config {
namespace {

using mapping::Condition;
using mapping::Value;

mapping::Value read_value(const Place& at);

// --- What looks as if something else was meant ---

constexpr std::array<std::string_view, 6> value_forms{"value",  "from",  "template",
                                                      "object", "array", "each"};

constexpr std::string_view said_literally =
    "; if it is meant so, write {value: ..., literal: true}, or literal: true beside it";

using Members = std::vector<std::pair<std::string, Place>>;

// Whether it has the keys of a value's rule, and no others.
bool looks_like_rule(const Members& members) {
  const std::vector<std::string_view>& known = keys_of("value").names;
  const auto has_key = [](const auto& keys) {
    return [&](const auto& member) { return std::ranges::find(keys, member.first) != keys.end(); };
  };
  return std::ranges::all_of(members, has_key(known)) &&
         std::ranges::any_of(members, has_key(value_forms));
}

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

// --- Shapes: what an event or a transaction is made of ---

// {from: /pointer} takes a whole object out of the raw event, {from: ""} all of it. A constant
// param named `from` that looks so is written {value: ...}.
bool is_object_from(const Members& members) {
  const auto is_from = [](const auto& member) {
    return member.first == "from" && member.second.is_scalar();
  };
  const auto from = std::ranges::find_if(members, is_from);
  if (from == members.end()) return false;
  const std::string_view written = from->second.written();
  return written.starts_with('/') || looks_like_rule(members);
}

Value read_plain_object(const Place& at, std::string_view name) {
  const Members members = at.members();
  if (is_object_from(members)) return read_value(at);
  if (name == "client" && at.is_map()) {
    const Section client(at, "client");
    if (members.empty()) client.mistake("has no identifier", "write id, customId, uuid or email");
  }
  Value value;
  value.source = read_members(members);
  return value;
}

// What a member is, when it is a constant.
std::optional<std::string> constant_text(const mapping::Object& shape, std::string_view name) {
  for (const auto& [member, value] : shape.members) {
    const auto* constant = std::get_if<mapping::Constant>(&value.source);
    if (member != name || constant == nullptr || constant->json.empty()) continue;
    const std::string& json = constant->json;
    return json.starts_with('"') ? json.substr(1, json.size() - 2) : json;
  }
  return std::nullopt;
}

void check_type_and_action(const Section& event, const mapping::Object& shape) {
  std::vector<std::string_view> paths;
  std::ranges::transform(event_types(), std::back_inserter(paths), &EventTypeInfo::path);
  const auto type = constant_text(shape, "type");
  if (type && !event_type_from_path(*type)) {
    event.place_of("type").mistake(fmt::format("is \"{}\", which is no event type", *type),
                                   suggestion(*type, paths));
    return;
  }
  const bool is_custom = !event.has("type") || type == "custom";
  if (is_custom && !event.has("action")) {
    event.mistake("is a custom event without an action",
                  "write action:, or the type: of a dedicated one");
  } else if (type && !is_custom && event.has("action")) {
    event.place_of("action").mistake(fmt::format("means nothing beside the type {}", *type),
                                     "leave it out: the API sets it");
  }
  if (const auto action = constant_text(shape, "action"); action && !is_action(*action)) {
    event.place_of("action").mistake(fmt::format("is \"{}\", which the API refuses", *action),
                                     "write 1 to 32 letters, digits, '.', '-' or '_'");
  }
}

// A salt that events share makes each of them replace the one before, where the rest is the same.
void check_salt(const Section& section, const mapping::Object& shape) {
  const auto salt = std::ranges::find(shape.members, "eventSalt", &mapping::Member::name);
  if (salt == shape.members.end() || salt->value.literal) return;
  const bool is_constant = std::holds_alternative<mapping::Constant>(salt->value.source);
  if (!is_constant && !salt->value.default_json) return;
  section.place_of("eventSalt")
      .mistake(is_constant ? "is the same for every event, so that one can replace another"
                           : "has a default, which events share, so that one can replace another",
               "make it from what identifies the event, or leave it out; if it is meant so, write "
               "literal: true beside it");
}

// What the API asks of every event and transaction (event_type.hpp has what it asks of each type).
// A label that is left out is filled in.
std::vector<std::string_view> required_members(EventKind kind) {
  if (kind == EventKind::event) return {"client"};
  return {"client", "orderId", "products", "revenue", "value", "paymentInfo", "source"};
}

mapping::Object read_shape(const Place& at, EventKind kind) {
  const bool is_event = kind == EventKind::event;
  const Section section(at, is_event ? "event" : "transaction");
  for (const std::string_view member : required_members(kind)) {
    static_cast<void>(section.require(member, "write where it comes from: the API asks for it"));
  }
  mapping::Object shape;
  for (const auto& [name, member] : section.members()) {
    shape.members.emplace_back(
        name, is_plain_object(name) ? read_plain_object(member, name) : read_value(member));
  }
  if (is_event) {
    check_type_and_action(section, shape);
    // The API asks for params, which may be empty.
    if (!section.has("params")) {
      shape.members.emplace_back("params", Value{}).value.source = mapping::Object{};
    }
  }
  check_salt(section, shape);
  return shape;
}

// --- Rules ---

std::vector<std::string> read_texts(const Place& list) {
  std::vector<std::string> texts;
  for (const Place& item : list.items("has nothing to compare with", "write a list of values"))
    texts.push_back(item.text().value_or(""));
  return texts;
}

std::vector<std::string> read_number(const Place& at) {
  return {at.text(is_json_number, "a number").value_or("")};
}

std::vector<std::string> read_one(const Place& at) { return {at.text().value_or("")}; }

struct TestForm {
  std::string_view key;
  Condition::Test test;
  std::vector<std::string> (*read_operands)(const Place& at);
};
constexpr std::array test_forms{
    TestForm{"equals", Condition::Test::in, read_one},
    TestForm{"in", Condition::Test::in, read_texts},
    TestForm{"not_equals", Condition::Test::not_in, read_one},
    TestForm{"not_in", Condition::Test::not_in, read_texts},
    TestForm{"prefix", Condition::Test::prefix, read_one},
    TestForm{"below", Condition::Test::below, read_number},
    TestForm{"above", Condition::Test::above, read_number},
};

// A condition compares with constants, not with other raw values.
void check_operands(const Place& at, const std::vector<std::string>& operands) {
  for (const std::string& operand : operands) {
    if (!mend_of_expression(operand)) continue;
    at.mistake(fmt::format("is \"{}\", which is compared as it stands", operand),
               "write the text itself, as conditions know no other raw value; if it is meant so, "
               "write literal: true beside it");
  }
}

Condition read_condition(const Place& at) {
  const Section section(at, "condition");
  Condition condition;
  section.read("literal", condition.literal);
  if (const auto from = section.require("from", "write from: and a JSON Pointer")) {
    condition.pointer = read_pointer(*from, condition.literal);
  }
  int tests = 0;
  if (section.has("exists")) {
    ++tests;
    bool exists = true;
    section.read("exists", exists);
    condition.test = exists ? Condition::Test::exists : Condition::Test::absent;
  }
  for (const TestForm& form : test_forms) {
    const auto operand = section.find(form.key);
    if (!operand) continue;
    ++tests;
    condition.test = form.test;
    condition.operands = form.read_operands(*operand);
    if (!condition.literal) check_operands(*operand, condition.operands);
  }
  if (tests != 1) {
    section.mistake(
        tests == 0 ? "tests nothing" : "has more than one test",
        "write exactly one of exists, equals, not_equals, in, not_in, prefix, below, above; "
        "several conditions are a list");
  }
  return condition;
}

// The event or transaction of a rule; exactly one of the two.
void read_rule_shape(const Section& section, mapping::Rule& rule) {
  const auto event = section.find("event");
  const auto transaction = section.find("transaction");
  if (event && transaction) {
    transaction->mistake("is there beside event", "keep one of them, or write two rules");
  } else if (!event && !transaction) {
    section.mistake("makes nothing", "write event: or transaction:");
  } else {
    rule.kind = event ? EventKind::event : EventKind::transaction;
    rule.shape = read_shape(event ? *event : *transaction, rule.kind);
  }
}

// A rule makes something, or says that nothing is to be made.
void read_rule_outcome(const Section& section, mapping::Rule& rule) {
  section.read("ignore", rule.ignore);
  if (!rule.ignore) return read_rule_shape(section, rule);
  for (const std::string_view other : {"event", "transaction"}) {
    if (const auto at = section.find(other)) {
      at->mistake("is there beside ignore: true", "keep one of them, or write two rules");
    }
  }
}

std::vector<mapping::Rule> read_rules(const Section& source) {
  std::vector<mapping::Rule> rules;
  const auto list = source.find("rules");
  if (!list) {
    read_rule_shape(source, rules.emplace_back());
    return rules;
  }
  for (const std::string_view other : {"event", "transaction"}) {
    if (const auto at = source.find(other)) {
      at->mistake("is there beside rules", "make it a rule, or leave rules out");
    }
  }
  for (const Place& item : list->items("has no rule", "write one with event: or transaction:")) {
    const Section section(item, "rule");
    mapping::Rule& rule = rules.emplace_back();
    if (const auto when = section.find("when")) {
      if (when->is_null()) {
        when->mistake("is empty", "write a condition, or leave it out: then the rule always fits");
      }
      for (const Place& condition : when->items_or_one()) {
        rule.when.push_back(read_condition(condition));
      }
    }
    read_rule_outcome(section, rule);
  }
  return rules;
}

// So that a check finds all that would keep the gateway from starting.
void check_compiles(const Place& at, const mapping::Source& source) {
  const auto mapper = mapping::Mapper::compile(source);
  if (!mapper) at.mistake("cannot be compiled", mapper.error().message);
}

}  // namespace

bool is_plain_object(std::string_view member) {
  return member == "client" || member == "params" || member == "metadata";
}

std::vector<std::shared_ptr<const mapping::Source>> read_sources(
    const Place& sources, const std::vector<Workspace>& workspaces) {
  std::vector<std::shared_ptr<const mapping::Source>> made;
  std::vector<std::string> names;
  for (const Place& item : sources.items()) {
    const Section section(item, "source");
    auto source = std::make_shared<mapping::Source>();
    source->name = read_unique_name(section, names);
    source->workspace = read_workspace_reference(section, workspaces);
    source->rules = read_rules(section);
    section.read("on_unmatched", source->ignore_unmatched, on_unmatched_names);
    section.read("success_status", source->success_status, success_status_names);
    if (item.is_faultless_so_far()) check_compiles(item, *source);
    made.push_back(std::move(source));
  }
  return made;
}

}  // namespace sluice::config
