#include "sources.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include <sluice/base/json_text.hpp>
#include <sluice/event/event_type.hpp>
#include <sluice/event/kind.hpp>
#include <sluice/normalise/mapper.hpp>

#include "lookalikes.hpp"
#include "sections.hpp"
#include "tables.hpp"
#include "text_checks.hpp"
#include "values.hpp"

namespace sluice::config {
namespace {

using mapping::Condition;
using mapping::Value;

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
std::vector<std::string_view> required_members(Schema schema) {
  switch (schema) {
    case Schema::event:
      return {"client"};
    case Schema::transaction:
      return {"client", "orderId", "products", "revenue", "value", "paymentInfo", "source"};
  }
  std::unreachable();
}

mapping::Object read_shape(const Place& at, const KindInfo& kind) {
  const Section section(at, kind.name);
  for (const std::string_view member : required_members(kind.schema)) {
    static_cast<void>(section.require(member, "write where it comes from: the API asks for it"));
  }
  mapping::Object shape;
  for (const auto& [name, member] : section.members()) {
    shape.members.emplace_back(
        name, is_plain_object(name) ? read_plain_object(member, name) : read_value(member));
  }
  if (kind.schema == Schema::event) {
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

// "event: or transaction:"
std::string kinds_to_write() {
  std::string text;
  for (const KindInfo& kind : kinds()) {
    text += fmt::format("{}{}:", text.empty() ? "" : " or ", kind.name);
  }
  return text;
}

// What a rule makes: exactly one, of one kind.
void read_rule_shape(const Section& section, mapping::Rule& rule) {
  const KindInfo* made = nullptr;
  std::optional<Place> shape;
  for (const KindInfo& kind : kinds()) {
    auto at = section.find(kind.name);
    if (!at) continue;
    if (made != nullptr) {
      at->mistake(fmt::format("is there beside {}", made->name),
                  "keep one of them, or write two rules");
      return;
    }
    made = &kind;
    shape = std::move(at);
  }
  if (made == nullptr) {
    section.mistake("makes nothing", "write " + kinds_to_write());
    return;
  }
  rule.kind = made->kind;
  rule.shape = read_shape(*shape, *made);
}

// A rule makes something, or says that nothing is to be made.
void read_rule_outcome(const Section& section, mapping::Rule& rule) {
  section.read("ignore", rule.ignore);
  if (!rule.ignore) return read_rule_shape(section, rule);
  for (const KindInfo& kind : kinds()) {
    if (const auto at = section.find(kind.name)) {
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
  for (const KindInfo& kind : kinds()) {
    if (const auto at = source.find(kind.name)) {
      at->mistake("is there beside rules", "make it a rule, or leave rules out");
    }
  }
  for (const Place& item : list->items("has no rule", "write one with " + kinds_to_write())) {
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
    read_keys(section, *source);
    source->name = read_unique_name(section, names);
    source->workspace = read_workspace_reference(section, workspaces);
    source->rules = read_rules(section);
    if (item.is_faultless_so_far()) check_compiles(item, *source);
    made.push_back(std::move(source));
  }
  return made;
}

}  // namespace sluice::config
