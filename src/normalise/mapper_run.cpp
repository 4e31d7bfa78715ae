#include "mapper_run.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <simdjson.h>

#include <sluice/base/assert.hpp>
#include <sluice/base/json_text.hpp>

#include "number_text.hpp"
#include "time_fields.hpp"

namespace sluice::mapping {
namespace {

using normalise::JsonWalker;
using normalise::NoInteger;

// A little of a raw value, for a message; cut between two characters.
std::string excerpt(std::string_view text) {
  constexpr std::size_t size_max = 40;
  if (text.size() <= size_max) return std::string(text);
  std::size_t size = size_max;
  while ((static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) --size;
  return std::string(text.substr(0, size)) + "...";
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

void append_compact(std::string& out, std::string_view json) {
  if (json.front() != '{' && json.front() != '[') {
    out += json;
    return;
  }
  const std::size_t before = out.size();
  out.resize(before + json.size());
  std::size_t compact_size = 0;
  const auto status = simdjson::minify(json.data(), json.size(), out.data() + before, compact_size);
  SLUICE_ASSERT(status ==
                simdjson::SUCCESS);  // it fails on unclosed strings; the walker has seen none
  out.resize(before + compact_size);
}

std::string_view advice(ValueType type) {
  switch (type) {
    case ValueType::any:
    case ValueType::string:
      return "not a text: point at a string, a number, true or false";
    case ValueType::number:
      return "not a number: send one, without spaces, signs or grouping marks";
    case ValueType::integer:
      return "not an integer: send one without fraction and exponent, or write type: number";
    case ValueType::boolean:
      return "not a boolean: send true, false, 1 or 0";
  }
  return {};
}

std::string no_scalar(std::string_view json, ValueType type) {
  return fmt::format("an {}, {}", json.front() == '{' ? "object" : "array", advice(type));
}

bool compares(Condition::Test test, std::string_view text, double bound) {
  if (number_form(text) == NumberForm::none) return false;
  const double number = comparable(text).value_or(bound);
  return test == Condition::Test::below ? number < bound : number > bound;
}

}  // namespace

template <class Make>
std::unexpected<MappingError> Run::refuse(MappingErrc code, std::string_view pointer,
                                          Make make) const {
  MappingError error{.code = code, .field = {}, .pointer = {}, .message = {}};
  if (state_.errors_say_why) {
    error.pointer = pointer;
    error.message = make();
  }
  return std::unexpected(std::move(error));
}

Run::Step Run::below(Step step, std::string_view name) const {
  if (state_.errors_say_why) {
    std::string& field = step.error().field;
    const bool needs_dot = !field.empty() && field.front() != '[';
    field = fmt::format("{}{}{}", name, needs_dot ? "." : "", field);
  }
  return step;
}

Run::Step Run::below(Step step, std::size_t index) const {
  return state_.errors_say_why ? below(std::move(step), fmt::format("[{}]", index)) : step;
}

std::string_view Run::raw_json(const RawPlan& raw, Frame frame) {
  const std::string_view json = state_.slots[frame + raw.slot].json;
  if (!json.empty() && json != "null") return json;
  absent_ = raw.pointer;
  absent_is_nulled_ = false;
  return {};
}

std::optional<Scalar> Run::scalar(std::string_view json) {
  if (json.front() == '{' || json.front() == '[') return std::nullopt;
  if (json.front() != '"') {
    return Scalar{.text = json, .is_number = json != "true" && json != "false"};
  }
  const std::string_view raw = json.substr(1, json.size() - 2);
  if (!raw.contains('\\')) return Scalar{.text = raw, .is_string = true};
  state_.text.clear();
  JsonWalker::unescape(raw, state_.text);
  return Scalar{.text = state_.text, .is_string = true};
}

bool Run::holds(const ConditionPlan& condition) {
  using Test = Condition::Test;
  const std::string_view json = state_.slots[condition.slot].json;
  const bool exists = !json.empty() && json != "null";
  if (condition.test == Test::exists) return exists;
  if (condition.test == Test::absent) return !exists;

  const auto found = exists ? scalar(json) : std::nullopt;
  if (!found) return condition.test == Test::not_in;
  const auto is_operand = [&] {
    return std::ranges::find(condition.operands, found->text) != condition.operands.end();
  };
  switch (condition.test) {
    case Test::in:
      return is_operand();
    case Test::not_in:
      return !is_operand();
    case Test::prefix:
      return std::ranges::any_of(
          condition.operands, [&](const auto& prefix) { return found->text.starts_with(prefix); });
    default:
      return compares(condition.test, found->text, condition.bound);
  }
}

Run::Step Run::value(const ValuePlan& plan, Frame frame) {
  struct Visitor {
    Run& run;
    const ValuePlan& plan;
    Frame frame;
    Step operator()(const ConstantPlan& constant) const {
      run.out_ += constant.json;
      return true;
    }
    Step operator()(const FromPlan& from) const { return run.from(plan, from.raw, frame); }
    Step operator()(const TemplatePlan& pieces) const {
      return run.text_template(plan, pieces, frame);
    }
    Step operator()(const ObjectPlan& object) const { return run.object(object, frame); }
    Step operator()(const ArrayPlan& array) const { return run.array(array, frame); }
    Step operator()(const EachPlan& each) const { return run.each(each, frame); }
  };
  Step step = std::visit(Visitor{*this, plan, frame}, plan.source);
  if (!step) return step;
  if (!*step && plan.default_json) {
    out_ += *plan.default_json;
    step = true;
  }
  if (!*step && plan.required) {
    return refuse(MappingErrc::missing_required, absent_, [&] {
      return fmt::format("{}, and required: send it, or give it a default",
                         absent_is_nulled_ ? "no value by its null_if" : "absent, null or blank");
    });
  }
  if (out_.size() - begin_ > event_bytes_max_) {
    return refuse(MappingErrc::too_large, {}, [&] {
      return fmt::format("becomes more than {} bytes, the limit of an event: send less in it",
                         event_bytes_max_);
    });
  }
  return step;
}

// Whether the plan takes this value for none.
bool Run::stands_for_none(const ValuePlan& plan, const Scalar& scalar) {
  const auto is_among = [&](std::string_view text) {
    return std::ranges::find(plan.null_if, text) != plan.null_if.end();
  };
  if (plan.null_if.empty()) return false;
  if (is_blank(scalar.text)) return is_among("");
  if (is_among(scalar.text)) return true;
  if (number_form(scalar.text) != NumberForm::decimal && scalar.text != "-0") return false;
  const auto digits = normalise::integer_digits(scalar.text, state_.digits);
  return digits && is_among(*digits);
}

// Makes a number that is an identity its integer: one customer is one profile, however the number
// is spelt.
Result<void, MappingError> Run::settle_identity(const ValuePlan& plan, Scalar& scalar,
                                                std::string_view pointer) {
  if (plan.identity == Identity::none || scalar.is_string) return {};
  const bool is_profile = plan.identity == Identity::profile;
  if (!scalar.is_number) {
    if (!is_profile) return {};
    return refuse(MappingErrc::wrong_type, pointer, [&] {
      return fmt::format("{}, which identifies nobody: send the identifier, or none", scalar.text);
    });
  }
  const auto digits = normalise::integer_digits(scalar.text, state_.digits);
  if (digits) {
    scalar.text = *digits;
  } else if (is_profile) {
    return refuse(MappingErrc::wrong_type, pointer, [&] {
      return fmt::format(
          "{}, which as an identifier {}: send it as an integer or a text", excerpt(scalar.text),
          digits.error() == NoInteger::fraction ? "has a fraction"
                                                : "is too large to be exact in this form");
    });
  }
  return {};
}

Run::Step Run::from(const ValuePlan& plan, const RawPlan& raw, Frame frame) {
  const std::string_view json = raw_json(raw, frame);
  if (json.empty()) return false;
  auto found = scalar(json);
  if (found && stands_for_none(plan, *found)) return nulled(raw);
  if (found) {
    if (const auto settled = settle_identity(plan, *found, raw.pointer); !settled) {
      return std::unexpected(settled.error());
    }
  }
  if (plan.type == ValueType::any && !plan.time) {
    append_compact(out_, found && !found->is_string ? found->text : json);
    return true;
  }
  if (!found) {
    return refuse(MappingErrc::wrong_type, raw.pointer, [&] { return no_scalar(json, plan.type); });
  }
  if (is_blank(found->text)) {
    absent_ = raw.pointer;
    absent_is_nulled_ = false;
    return false;
  }
  return convert(plan, *found, found->is_string ? json : found->text, raw.pointer);
}

Run::Step Run::nulled(const RawPlan& raw) {
  absent_ = raw.pointer;
  absent_is_nulled_ = true;
  ++nulled_;
  return false;
}

Run::Step Run::text_template(const ValuePlan& plan, const TemplatePlan& pieces, Frame frame) {
  state_.built.clear();
  for (const TemplatePlan::Piece& piece : pieces.pieces) {
    state_.built += piece.literal;
    if (piece.raw.slot == no_slot) continue;
    const std::string_view json = raw_json(piece.raw, frame);
    if (json.empty()) return false;
    auto found = scalar(json);
    if (!found) {
      return refuse(MappingErrc::wrong_type, piece.raw.pointer,
                    [&] { return no_scalar(json, ValueType::string); });
    }
    if (is_blank(found->text)) {
      absent_ = piece.raw.pointer;
      absent_is_nulled_ = false;
      return false;
    }
    if (stands_for_none(plan, *found)) return nulled(piece.raw);
    if (const auto settled = settle_identity(plan, *found, piece.raw.pointer); !settled) {
      return std::unexpected(settled.error());
    }
    state_.built += found->text;
  }
  return convert(plan, {.text = state_.built, .is_string = true}, {}, {});
}

// `json`: the scalar as it was written; empty for text that has to be escaped.
Run::Step Run::convert(const ValuePlan& plan, Scalar scalar, std::string_view json,
                       std::string_view pointer) {
  const std::string_view text = scalar.text;
  if (plan.time) return time(*plan.time, text, pointer);
  const auto wrong = [&]() -> Step {
    return refuse(MappingErrc::wrong_type, pointer, [&] {
      return fmt::format("{}, {}",
                         json.empty() ? fmt::format("\"{}\"", excerpt(text)) : excerpt(json),
                         advice(plan.type));
    });
  };
  switch (plan.type) {
    case ValueType::any:
    case ValueType::string:
      if (json.empty()) {
        append_json_string(out_, text);
      } else if (scalar.is_string) {
        out_ += json;
      } else {
        out_ += '"';
        out_ += text;
        out_ += '"';
      }
      return true;
    case ValueType::number:
    case ValueType::integer: {
      const NumberForm form = number_form(text);
      const bool fits = form == NumberForm::integer ||
                        (form == NumberForm::decimal && plan.type == ValueType::number);
      if (!fits) return wrong();
      out_ += text;
      return true;
    }
    case ValueType::boolean: {
      const bool is_true = text == "true" || (!scalar.is_string && text == "1");
      const bool is_false = text == "false" || (!scalar.is_string && text == "0");
      if (!is_true && !is_false) return wrong();
      out_ += is_true ? "true" : "false";
      return true;
    }
  }
  return wrong();
}

Run::Step Run::time(const TimeReader& reader, std::string_view text, std::string_view pointer) {
  const auto read = reader.read(text, state_.zone_span);
  if (!read) {
    return refuse(MappingErrc::bad_time, pointer, [&] {
      const std::string reason =
          read.error() == TimeError::out_of_range
              ? "a time that does not exist or lies outside the years 1970 to 9999"
              : fmt::format("not a time of the format \"{}\"", reader.format());
      return fmt::format("\"{}\", {}", excerpt(text), reason);
    });
  }
  std::array<char, time_text_size> written{};
  format_time(*read, written.data());
  out_ += '"';
  out_.append(written.data(), written.size());
  out_ += '"';
  return true;
}

Run::Step Run::object(const ObjectPlan& plan, Frame frame) {
  const std::size_t begin = out_.size();
  out_ += '{';
  for (const ObjectPlan::Member& member : plan.members) {
    const std::size_t before = out_.size();
    if (before > begin + 1) out_ += ',';
    out_ += member.key;
    Step step = value(member.value, frame);
    if (!step) return below(std::move(step), member.name);
    if (!*step) out_.resize(before);
  }
  if (out_.size() == begin + 1) {
    out_.resize(begin);
    return false;
  }
  out_ += '}';
  return true;
}

Run::Step Run::array(const ArrayPlan& plan, Frame frame) {
  const std::size_t begin = out_.size();
  out_ += '[';
  for (std::size_t i = 0; i < plan.items.size(); ++i) {
    const std::size_t before = out_.size();
    if (before > begin + 1) out_ += ',';
    Step step = value(plan.items[i], frame);
    if (!step) return below(std::move(step), i);
    if (!*step) out_.resize(before);
  }
  if (out_.size() == begin + 1) {
    out_.resize(begin);
    return false;
  }
  out_ += ']';
  return true;
}

Run::Step Run::each(const EachPlan& plan, Frame frame) {
  const std::string_view json = raw_json(plan.raw, frame);
  if (json.empty()) return false;
  if (json.front() != '[') {
    return refuse(MappingErrc::wrong_type, plan.raw.pointer, [&] {
      return fmt::format("{}, not an array: point `each` at one", excerpt(json));
    });
  }
  const std::uint32_t* const resume = state_.walker.mark();
  state_.walker.rewind(state_.slots[frame + plan.raw.slot].mark);
  const Frame items = state_.slots.size();
  const std::size_t begin = out_.size();
  Step result = true;
  std::size_t index = 0;
  out_ += '[';
  // The array has been walked before, so that the walker finds no mistake in it now.
  state_.walker.each_item([&] {
    state_.slots.resize(items + plan.tree.size());
    Capture(state_.walker, plan.tree, std::span(state_.slots).subspan(items), state_.text).run();
    if (result) result = item(plan, index, items, begin + 1);
    state_.slots.resize(items);
    ++index;
  });
  state_.walker.rewind(resume);
  out_ += ']';
  return result;
}

Run::Step Run::item(const EachPlan& plan, std::size_t index, Frame frame, std::size_t first_at) {
  const std::size_t before = out_.size();
  if (before > first_at) out_ += ',';
  Step step = value(*plan.item, frame);
  if (!step) {
    if (state_.errors_say_why) {
      step.error().pointer = fmt::format("{}/{}{}", plan.raw.pointer, index, step.error().pointer);
    }
    return below(std::move(step), index);
  }
  if (!*step) out_.resize(before);
  return true;
}

}  // namespace sluice::mapping
