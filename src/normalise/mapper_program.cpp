#include "mapper_program.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include <sluice/base/json_text.hpp>

#include "number_text.hpp"

namespace sluice::mapping {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};

std::unexpected<Error> invalid(std::string_view place, std::string_view message) {
  return failure(std::errc::invalid_argument, fmt::format("{}: {}", place, message));
}

template <class T>
Result<ValuePlan> with_source(Result<T> source) {
  if (!source) return std::unexpected(std::move(source.error()));
  ValuePlan plan;
  plan.source = std::move(*source);
  return plan;
}

// Compiles the values of one frame: of the raw event, or of the items of an `each`.
class Compiler {
 public:
  explicit Compiler(PointerTree& tree) : tree_(tree) {}

  Result<ValuePlan> value(const Value& value, const std::string& place);
  Result<ObjectPlan> object(const Object& object, const std::string& place);
  Result<ConditionPlan> condition(const Condition& condition, const std::string& place);

 private:
  Result<RawPlan> raw(const std::string& pointer, const std::string& place);
  Result<TemplatePlan> pieces(std::string_view text, const std::string& place);
  Result<ArrayPlan> array(const Array& array, const std::string& place);
  Result<EachPlan> each(const Each& each, const std::string& place);
  Result<ValuePlan> source(const Value& value, const std::string& place);

  PointerTree& tree_;
};

Result<RawPlan> Compiler::raw(const std::string& pointer, const std::string& place) {
  const auto slot = tree_.add(pointer);
  if (!slot) {
    return invalid(place,
                   fmt::format("\"{}\" is not a JSON Pointer: write it as /order/id, with ~1 for "
                               "a slash and ~0 for a tilde in a name",
                               pointer));
  }
  return RawPlan{.pointer = pointer, .slot = *slot};
}

Result<TemplatePlan> Compiler::pieces(std::string_view text, const std::string& place) {
  TemplatePlan plan;
  std::string literal;
  while (!text.empty()) {
    const char c = text.front();
    const bool is_literal = (c != '{' && c != '}') || text.substr(1).starts_with(c);
    if (is_literal) {
      literal += c;
      text.remove_prefix(c == '{' || c == '}' ? 2 : 1);
      continue;
    }
    const std::size_t close = text.find('}');
    if (c == '}' || close == std::string_view::npos) {
      return invalid(place,
                     "the template has a brace without its counterpart: write {/pointer} for a "
                     "value, {{ and }} for braces");
    }
    auto value = raw(std::string(text.substr(1, close - 1)), place);
    if (!value) return std::unexpected(std::move(value.error()));
    plan.pieces.push_back({.literal = std::exchange(literal, {}), .raw = std::move(*value)});
    text.remove_prefix(close + 1);
  }
  if (!literal.empty()) plan.pieces.push_back({.literal = std::move(literal), .raw = {}});
  return plan;
}

// Numbers that say the same become the same text.
std::vector<std::string> comparable_texts(const std::vector<std::string>& texts) {
  std::vector<std::string> made;
  for (const std::string& text : texts) {
    std::string scratch;
    const bool is_number = is_json_number(text);
    const auto digits = is_number ? normalise::integer_digits(text, scratch) : text;
    made.emplace_back(digits.value_or(text));
  }
  return made;
}

Identity identity_of(std::string_view member) {
  const bool is_thing = member == "eventSalt" || member == "orderId" || member == "sku";
  return is_thing ? Identity::thing : Identity::none;
}

// A number is the same identifier however it is spelt; 0 and blanks, which shops give to guests,
// are none.
void mark_profile(ObjectPlan& client) {
  for (ObjectPlan::Member& member : client.members) {
    member.value.identity = Identity::profile;
    if (!member.value.has_null_if) member.value.null_if = {"0", ""};
  }
}

Result<ObjectPlan> Compiler::object(const Object& object, const std::string& place) {
  ObjectPlan plan;
  for (const auto& [name, member] : object.members) {
    auto made = value(member, fmt::format("{}.{}", place, name));
    if (!made) return std::unexpected(std::move(made.error()));
    std::string key;
    append_json_string(key, name);
    key += ':';
    made->identity = identity_of(name);
    plan.members.push_back({.name = name, .key = std::move(key), .value = std::move(*made)});
  }
  return plan;
}

Result<ArrayPlan> Compiler::array(const Array& array, const std::string& place) {
  ArrayPlan plan;
  for (const Value& item : array.items) {
    auto made = value(item, fmt::format("{}[{}]", place, plan.items.size()));
    if (!made) return std::unexpected(std::move(made.error()));
    plan.items.push_back(std::move(*made));
  }
  return plan;
}

Result<EachPlan> Compiler::each(const Each& each, const std::string& place) {
  auto array = raw(each.pointer, place);
  if (!array) return std::unexpected(std::move(array.error()));
  if (each.item == nullptr)
    return invalid(place, "`each` says nothing of its items: write `item:`");
  EachPlan plan{.raw = std::move(*array), .tree = {}, .item = nullptr};
  auto item = Compiler(plan.tree).value(*each.item, place + "[]");
  if (!item) return std::unexpected(std::move(item.error()));
  plan.item = std::make_unique<const ValuePlan>(std::move(*item));
  return plan;
}

Result<ValuePlan> Compiler::source(const Value& value, const std::string& place) {
  return std::visit(Overloaded{
                        [&](const Constant& constant) {
                          return with_source<ConstantPlan>(ConstantPlan{constant.json});
                        },
                        [&](const From& from) {
                          auto made = raw(from.pointer, place);
                          if (!made)
                            return with_source<FromPlan>(std::unexpected(std::move(made.error())));
                          return with_source<FromPlan>(FromPlan{std::move(*made)});
                        },
                        [&](const Template& text) { return with_source(pieces(text.text, place)); },
                        [&](const Object& members) { return with_source(object(members, place)); },
                        [&](const Array& items) { return with_source(array(items, place)); },
                        [&](const Each& loop) { return with_source(each(loop, place)); },
                    },
                    value.source);
}

Result<ValuePlan> Compiler::value(const Value& value, const std::string& place) {
  auto plan = source(value, place);
  if (!plan) return plan;
  plan->type = value.type;
  plan->required = value.required;
  plan->default_json = value.default_json;
  plan->has_null_if = value.null_if.has_value();
  plan->null_if = comparable_texts(value.null_if.value_or(std::vector<std::string>{}));
  if (value.time) {
    auto reader = TimeReader::make(*value.time);
    if (!reader) return invalid(place, reader.error().message);
    plan->time = std::move(*reader);
  }
  return plan;
}

Result<ConditionPlan> Compiler::condition(const Condition& condition, const std::string& place) {
  auto tested = raw(condition.pointer, place);
  if (!tested) return std::unexpected(std::move(tested.error()));
  ConditionPlan plan{.slot = tested->slot, .test = condition.test, .operands = condition.operands};
  const bool is_bound =
      condition.test == Condition::Test::below || condition.test == Condition::Test::above;
  if (is_bound) {
    const auto bound =
        condition.operands.size() == 1 ? comparable(condition.operands.front()) : std::nullopt;
    if (bound) {
      plan.bound = *bound;
    } else {
      return invalid(place, fmt::format("`below` and `above` take one number, not \"{}\"",
                                        fmt::join(condition.operands, ", ")));
    }
  }
  return plan;
}

bool has_member(const Object& shape, std::string_view name) {
  return std::ranges::find(shape.members, name, &Member::name) != shape.members.end();
}

// An event with an action of its own is a custom one; the API wants to be told so.
void add_custom_type(const Rule& rule, ObjectPlan& shape) {
  const bool is_custom = info(rule.kind).schema == Schema::event &&
                         has_member(rule.shape, "action") && !has_member(rule.shape, "type");
  if (!is_custom) return;
  ValuePlan custom;
  custom.source = ConstantPlan{R"("custom")"};
  shape.members.insert(shape.members.begin(),
                       {.name = "type", .key = R"("type":)", .value = std::move(custom)});
}

// An empty `client` stays, so that validation can say which identifiers it needs, and so do empty
// `params`, without which there is no event.
void settle_plain_objects(const Rule& rule, ObjectPlan& shape) {
  for (ObjectPlan::Member& member : shape.members) {
    auto* const object = std::get_if<ObjectPlan>(&member.value.source);
    const bool is_client = member.name == "client" && object != nullptr;
    const bool is_params = member.name == "params" && info(rule.kind).schema == Schema::event;
    if (is_client) mark_profile(*object);
    if ((is_client || is_params) && !member.value.default_json && !member.value.required) {
      member.value.default_json = "{}";
    }
  }
}

Result<RulePlan> compile_rule(const Rule& rule, PointerTree& tree, const std::string& place) {
  Compiler compiler(tree);
  RulePlan plan;
  plan.kind = rule.kind;
  plan.ignore = rule.ignore;
  for (const Condition& condition : rule.when) {
    auto made = compiler.condition(condition, place + ", when");
    if (!made) return std::unexpected(std::move(made.error()));
    plan.when.push_back(std::move(*made));
  }
  auto shape = compiler.object(rule.shape, fmt::format("{}, {}", place, info(rule.kind).name));
  if (!shape) return std::unexpected(std::move(shape.error()));
  add_custom_type(rule, *shape);
  settle_plain_objects(rule, *shape);
  plan.shape.source = std::move(*shape);
  plan.shape.default_json = "{}";
  return plan;
}

// Infinity or 0, for a number whose first digit from 1 stands too far from the decimal point.
double beyond_doubles(std::string_view number) {
  constexpr std::int64_t farthest = std::numeric_limits<std::int64_t>::max() / 4;
  const bool is_negative = number.starts_with('-');
  number.remove_prefix(is_negative ? 1 : 0);
  const std::string_view mantissa = number.substr(0, number.find_first_of("eE"));
  std::string_view power = number.substr(std::min(mantissa.size() + 1, number.size()));
  power.remove_prefix(power.starts_with('+') ? 1 : 0);
  std::int64_t exponent = 0;
  const auto read = std::from_chars(power.data(), power.data() + power.size(), exponent);
  if (read.ec == std::errc::result_out_of_range) {
    exponent = power.starts_with('-') ? -farthest : farthest;
  }
  exponent = std::clamp(exponent, -farthest, farthest);
  const auto point = static_cast<std::int64_t>(std::min(mantissa.find('.'), mantissa.size()));
  const auto first =
      static_cast<std::int64_t>(std::min(mantissa.find_first_of("123456789"), mantissa.size()));
  const double magnitude =
      point - first + exponent > 0 ? std::numeric_limits<double>::infinity() : 0.0;
  return is_negative ? -magnitude : magnitude;
}

}  // namespace

std::optional<double> comparable(std::string_view text) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ptr != end || read.ec == std::errc::invalid_argument) return std::nullopt;
  return read.ec == std::errc{} ? number : beyond_doubles(text);
}

Result<std::unique_ptr<const Program>> Program::make(const Source& source) {
  auto program = std::make_unique<Program>();
  program->name = source.name;
  program->ignores_unmatched = source.ignore_unmatched;
  for (const Rule& rule : source.rules) {
    auto plan =
        compile_rule(rule, program->tree,
                     fmt::format("source {}, rule {}", source.name, program->rules.size() + 1));
    if (!plan) return std::unexpected(std::move(plan.error()));
    program->rules.push_back(std::move(*plan));
  }
  return program;
}

}  // namespace sluice::mapping
