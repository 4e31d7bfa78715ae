#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <sluice/event/api_limits.hpp>
#include <sluice/normalise/mapper.hpp>

#include "body_text.hpp"
#include "mapper_program.hpp"
#include "mapper_run.hpp"

namespace sluice::mapping {
namespace {

using normalise::BodyError;
using normalise::Framing;
using normalise::has_only_white_space;
using normalise::JsonWalker;
using normalise::WalkError;
using normalise::without_byte_order_mark;

std::string malformed(std::size_t offset, std::string_view why) {
  return fmt::format("malformed JSON at byte {}: {}", offset, why);
}

BodyError body_error(BodyError::Code code, std::size_t offset, std::string message) {
  return {.code = code, .offset = offset, .message = std::move(message)};
}

constexpr std::string_view unexpected_token = "unexpected token here or just before";

// One call of a mapper.
class Pass {
 public:
  Pass(const Program& program, RunState& state, std::string& out, std::size_t event_bytes_max)
      : program_(program),
        walker_(state.walker),
        state_(state),
        out_(out),
        event_bytes_max_(event_bytes_max) {
    state_.errors_say_why = true;
  }
  ~Pass() {
    walker_.unload();
    state_.shrink();
  }
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

  MappingOutcome text(std::span<char> raw);
  void lines(std::span<char> body, const Mapper::OnEvent& on_event);
  Result<void, BodyError> document(std::span<char> body, Framing framing,
                                   const Mapper::OnEvent& on_event);

 private:
  // Maps the value at the cursor and moves past it, unless the walker has an error afterwards.
  MappingOutcome event();
  MappingOutcome captured_event();
  void hand_over_event(const Mapper::OnEvent& on_event);
  // `make` makes the message, if somebody wants it.
  template <class Make>
  [[nodiscard]] std::unexpected<MappingError> refuse(MappingErrc code, Make make) const {
    MappingError error{.code = code, .field = {}, .pointer = {}, .message = {}};
    if (state_.errors_say_why) {
      error.message = make();
    }
    return std::unexpected(std::move(error));
  }

  const Program& program_;
  JsonWalker& walker_;
  RunState& state_;
  std::string& out_;
  std::size_t event_bytes_max_;
};

MappingOutcome Pass::event() {
  const std::uint32_t* const start = walker_.mark();
  const bool is_object = walker_.peek() == '{';
  state_.slots.assign(program_.tree.size(), {});
  Capture(walker_, program_.tree, state_.slots, state_.text).run();
  if (walker_.error == WalkError::none && !walker_.is_text_since(start)) {
    walker_.error = WalkError::not_text;
  }
  if (walker_.error == WalkError::too_deep || walker_.error == WalkError::not_text) {
    const bool is_too_deep = walker_.error == WalkError::too_deep;
    walker_.error = WalkError::none;
    walker_.rewind(start);
    walker_.skip_any();
    if (walker_.error == WalkError::none) {
      return refuse(is_too_deep ? MappingErrc::too_deep : MappingErrc::not_text, [&] {
        return is_too_deep ? fmt::format("is nested deeper than {} levels: flatten it",
                                         api::nesting_depth_max)
                           : std::string(normalise::not_text_message);
      });
    }
  }
  if (walker_.error != WalkError::none) {
    return refuse(MappingErrc::malformed,
                  [&] { return malformed(walker_.offset(), unexpected_token); });
  }
  if (!is_object) {
    return refuse(MappingErrc::not_an_object,
                  [] { return "is not a JSON object: send one object per event"; });
  }
  return captured_event();
}

MappingOutcome Pass::captured_event() {
  Run run(state_, out_, event_bytes_max_);
  const auto fits = [&](const RulePlan& rule) {
    return std::ranges::all_of(rule.when, [&](const auto& when) { return run.holds(when); });
  };
  const auto rule = std::ranges::find_if(program_.rules, fits);
  if (rule == program_.rules.end()) {
    if (program_.ignores_unmatched) return MappedEvent{.ignored = true, .rule = no_rule_index};
    return refuse(MappingErrc::no_rule, [&] {
      return fmt::format(
          "fits none of the rules of source {}: add a rule for it, or one without `when` at the "
          "end for all that is left, or on_unmatched: ignore to the source",
          program_.name);
    });
  }
  const auto rule_index = static_cast<std::size_t>(rule - program_.rules.begin());
  if (rule->ignore) return MappedEvent{.ignored = true, .rule = rule_index};
  const std::size_t begin = out_.size();
  auto step = run.value(rule->shape, 0);
  if (!step) {
    out_.resize(begin);
    MappingError& error = step.error();
    if (error.code == MappingErrc::too_large) {  // the whole event is, not the value that came last
      error.field.clear();
      error.pointer.clear();
    }
    if (!error.pointer.empty()) error.message.insert(0, error.pointer + " is ");
    error.rule = rule_index;
    error.nulled = run.values_nulled();
    return std::unexpected(std::move(error));
  }
  return MappedEvent{.kind = rule->kind,
                     .rule = rule_index,
                     .nulled = run.values_nulled(),
                     .offset = begin,
                     .size = out_.size() - begin};
}

MappingOutcome Pass::text(std::span<char> raw) {
  const std::size_t before = out_.size();
  if (const char* why = walker_.load(raw.data(), raw.size())) {
    return refuse(MappingErrc::malformed, [&] { return malformed(0, why); });
  }
  auto outcome = event();
  if (walker_.error == WalkError::none && !walker_.at_end()) {
    out_.resize(before);
    return refuse(MappingErrc::malformed,
                  [&] { return malformed(walker_.offset(), "text behind the event"); });
  }
  return outcome;
}

void Pass::lines(std::span<char> body, const Mapper::OnEvent& on_event) {
  while (!body.empty()) {
    body = without_byte_order_mark(body);
    const auto size = static_cast<std::size_t>(std::ranges::find(body, '\n') - body.begin());
    const std::span<char> line = body.first(size);
    if (!has_only_white_space(line)) {
      out_.clear();
      state_.errors_say_why = on_event(text(line));
    }
    body = body.subspan(std::min(size + 1, body.size()));
  }
}

void Pass::hand_over_event(const Mapper::OnEvent& on_event) {
  out_.clear();
  const MappingOutcome outcome = event();
  if (walker_.error == WalkError::none) state_.errors_say_why = on_event(outcome);
}

Result<void, BodyError> Pass::document(std::span<char> body, Framing framing,
                                       const Mapper::OnEvent& on_event) {
  using Code = BodyError::Code;
  if (const char* why = walker_.load(body.data(), body.size())) {
    return std::unexpected(body_error(Code::malformed, 0, malformed(0, why)));
  }
  const char first = walker_.peek();
  if (first == '[' && framing == Framing::object_or_array) {
    walker_.each_item([&] { hand_over_event(on_event); });
  } else if (first == '{') {
    hand_over_event(on_event);
  } else {
    return std::unexpected(body_error(Code::wrong_shape, walker_.offset(),
                                      framing == Framing::object
                                          ? "the body must be one JSON object"
                                          : "the body must be a JSON object or an array of them"));
  }
  if (walker_.error != WalkError::none || !walker_.at_end()) {
    return std::unexpected(body_error(Code::malformed, walker_.offset(),
                                      malformed(walker_.offset(), unexpected_token)));
  }
  return {};
}

}  // namespace

std::string_view to_string(MappingErrc code) {
  switch (code) {
    case MappingErrc::malformed:
      return "malformed";
    case MappingErrc::too_deep:
      return "too_deep";
    case MappingErrc::not_text:
      return "not_text";
    case MappingErrc::not_an_object:
      return "not_an_object";
    case MappingErrc::no_rule:
      return "no_rule";
    case MappingErrc::missing_required:
      return "missing_required";
    case MappingErrc::wrong_type:
      return "wrong_type";
    case MappingErrc::bad_time:
      return "bad_time";
    case MappingErrc::too_large:
      return "too_large";
  }
  return "unknown";
}

Mapper::Scratch::Scratch() : state_(std::make_unique<RunState>()) {}
Mapper::Scratch::~Scratch() = default;
Mapper::Scratch::Scratch(Scratch&&) noexcept = default;
Mapper::Scratch& Mapper::Scratch::operator=(Scratch&&) noexcept = default;

Mapper::Mapper(std::unique_ptr<const Program> program) : program_(std::move(program)) {}
Mapper::~Mapper() = default;
Mapper::Mapper(Mapper&&) noexcept = default;
Mapper& Mapper::operator=(Mapper&&) noexcept = default;

Result<Mapper> Mapper::compile(const Source& source) {
  auto program = Program::make(source);
  if (!program) return std::unexpected(std::move(program.error()));
  return Mapper(std::move(*program));
}

MappingOutcome Mapper::map(std::span<char> raw, Scratch& scratch, std::string& out,
                           std::size_t event_bytes_max) const {
  return Pass(*program_, *scratch.state_, out, event_bytes_max).text(raw);
}

Result<void, BodyError> Mapper::map_body(std::span<char> body, Framing framing,
                                         std::size_t event_bytes_max, Scratch& scratch,
                                         std::string& out, const OnEvent& on_event) const {
  body = without_byte_order_mark(body);
  if (has_only_white_space(body)) {
    return std::unexpected(
        body_error(BodyError::Code::empty, 0, "the body is empty: send raw events as JSON"));
  }
  Pass pass(*program_, *scratch.state_, out, event_bytes_max);
  if (framing == Framing::lines) {
    pass.lines(body, on_event);
    return {};
  }
  return pass.document(body, framing, on_event);
}

}  // namespace sluice::mapping
