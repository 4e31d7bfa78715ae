// Runs compiled rules over the captured values of one raw event.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "json_walker.hpp"
#include "mapper_program.hpp"

namespace sluice::mapping {

// What is reused from event to event.
struct RunState {
  normalise::JsonWalker walker;
  std::vector<Captured>
      slots;           // a stack of frames: of the event, then of the items that are being made
  std::string text;    // of a string without its escapes
  std::string built;   // of a template
  std::string digits;  // of a number that is spelt another way
  ZoneSpan zone_span;
  bool errors_say_why = true;  // else they have their code alone

  // Gives back what only an uncommonly large text needed.
  void shrink() {
    for (std::string* const scratch : {&text, &built}) {
      if (scratch->capacity() > normalise::kept_scratch_bytes) *scratch = {};
    }
  }
};

// The text of a string (without escapes), a number, true or false.
struct Scalar {
  std::string_view text;
  bool is_string = false;
  bool is_number = false;
};

class Run {
 public:
  // Whether the value is there; when it is not, nothing was written.
  using Step = Result<bool, MappingError>;
  // Where the values of the event, or of an item, begin among the slots.
  using Frame = std::size_t;

  Run(RunState& state, std::string& out, std::size_t event_bytes_max)
      : state_(state), out_(out), begin_(out.size()), event_bytes_max_(event_bytes_max) {}

  bool holds(const ConditionPlan& condition);  // on the raw event
  Step value(const ValuePlan& plan, Frame frame);
  // The raw values so far that were there and stood for none.
  [[nodiscard]] std::uint32_t values_nulled() const { return nulled_; }

 private:
  Step from(const ValuePlan& plan, const RawPlan& raw, Frame frame);
  Step text_template(const ValuePlan& plan, const TemplatePlan& pieces, Frame frame);
  Step object(const ObjectPlan& plan, Frame frame);
  Step array(const ArrayPlan& plan, Frame frame);
  Step each(const EachPlan& plan, Frame frame);
  Step item(const EachPlan& plan, std::size_t index, Frame frame, std::size_t first_at);
  // An error; `make` makes its message, if somebody wants it.
  template <class Make>
  std::unexpected<MappingError> refuse(MappingErrc code, std::string_view pointer, Make make) const;
  // Says of an error that it happened below this place of the event.
  [[nodiscard]] Step below(Step step, std::string_view name) const;
  [[nodiscard]] Step below(Step step, std::size_t index) const;
  Step convert(const ValuePlan& plan, Scalar scalar, std::string_view json,
               std::string_view pointer);
  bool stands_for_none(const ValuePlan& plan, const Scalar& scalar);
  Step nulled(const RawPlan& raw);
  Result<void, MappingError> settle_identity(const ValuePlan& plan, Scalar& scalar,
                                             std::string_view pointer);
  Step time(const TimeReader& reader, std::string_view text, std::string_view pointer);

  // The raw value's JSON; empty: absent or null. Remembers the pointer for the message that it is.
  std::string_view raw_json(const RawPlan& raw, Frame frame);
  std::optional<Scalar> scalar(std::string_view json);

  RunState& state_;
  std::string& out_;
  std::size_t begin_;  // of the event in the output
  std::size_t event_bytes_max_;
  std::uint32_t nulled_ = 0;
  std::string_view absent_;        // the pointer whose value was found absent last
  bool absent_is_nulled_ = false;  // by its null_if
};

}  // namespace sluice::mapping
