// A compiled mapping::Source: pointers have become slots, constant text is ready to be copied.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <sluice/base/result.hpp>
#include <sluice/normalise/mapper.hpp>

#include "mapper_capture.hpp"
#include "mapper_time.hpp"

namespace sluice::mapping {

struct ValuePlan;

// A raw value: its pointer for messages, its slot in the frame in which the plan runs.
struct RawPlan {
  std::string pointer;
  Slot slot = no_slot;
};
struct ConstantPlan {
  std::string json;
};
struct FromPlan {
  RawPlan raw;
};
struct TemplatePlan {
  struct Piece {
    std::string literal;  // comes before the raw value
    RawPlan raw;          // without a slot: none
  };
  std::vector<Piece> pieces;
};
struct ObjectPlan {
  struct Member;
  std::vector<Member> members;
};
struct ArrayPlan {
  std::vector<ValuePlan> items;
};
struct EachPlan {
  RawPlan raw;
  PointerTree tree;  // the item's frame
  std::unique_ptr<const ValuePlan> item;
};

// What a value identifies, so that a number in it must not change with its spelling.
enum class Identity : std::uint8_t {
  none,
  thing,    // an order, a product, the event itself: an integer is written as one
  profile,  // likewise, and what is no integer is refused
};

struct ValuePlan {
  std::variant<ConstantPlan, FromPlan, TemplatePlan, ObjectPlan, ArrayPlan, EachPlan> source;
  ValueType type = ValueType::any;
  bool required = false;
  std::optional<std::string> default_json;
  std::optional<TimeReader> time;
  Identity identity = Identity::none;
  bool has_null_if = false;          // of its own
  std::vector<std::string> null_if;  // numbers as their integer, where they are one
};
struct ObjectPlan::Member {
  std::string name;
  std::string key;  // `"name":`
  ValuePlan value;
};

// What the text of a number is compared as: the nearest double, which is infinite or 0 for a number
// beyond the doubles. Nothing for a text that is no number.
[[nodiscard]] std::optional<double> comparable(std::string_view text);

struct ConditionPlan {
  Slot slot = no_slot;
  Condition::Test test{};
  std::vector<std::string> operands;
  double bound = 0;  // of below and above
};
struct RulePlan {
  std::vector<ConditionPlan> when;
  EventKind kind{};
  bool ignore = false;
  ValuePlan shape;  // an object
};

struct Program {
  std::string name;
  PointerTree tree;  // the raw event's frame
  std::vector<RulePlan> rules;
  bool ignores_unmatched = false;

  [[nodiscard]] static Result<std::unique_ptr<const Program>> make(const Source& source);
};

}  // namespace sluice::mapping
