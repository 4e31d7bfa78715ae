#include <algorithm>
#include <cstring>
#include <utility>

#include <sluice/event/api_limits.hpp>
#include <sluice/normalise/normaliser.hpp>
#include <sluice/normalise/time.hpp>

#include "body_text.hpp"
#include "event_pass.hpp"
#include "json_walker.hpp"

namespace sluice::normalise {
namespace {

std::string too_deep_message() {
  return "is nested deeper than " + std::to_string(api::nesting_depth_max) + " levels: flatten it";
}

// `why`: simdjson's words, if it has found the mistake.
std::string malformed_line(const char* why, std::size_t offset) {
  return why == nullptr ? "malformed JSON at byte " + std::to_string(offset)
                        : "malformed JSON: " + std::string(why);
}

BodyError malformed(std::size_t offset, std::string_view why) {
  return {.code = BodyError::Code::malformed,
          .offset = offset,
          .message = "malformed JSON at byte " + std::to_string(offset) + ": " + std::string(why)};
}

}  // namespace

void Normalised::clear() {
  if (capacity_ > 2 * kept_scratch_bytes) {  // events grow a little on their way
    *this = {};
    return;
  }
  records.clear();
  dedup_keys.clear();
  indexes.clear();
  rejections.clear();
  rejected_events = 0;
  rejected_by_reason.fill(0);
  if (warning_count > 0) {
    warnings.clear();
    warning_count = 0;
    warned_by_rule.fill(0);
  }
  tally = {};
  size_ = 0;
}

void Normalised::drop_records(std::size_t kept) {
  records.resize(kept);
  dedup_keys.resize(kept);
  indexes.resize(kept);
}

char* Normalised::reserve(std::size_t extra) {
  if (capacity_ - size_ < extra) {
    const std::size_t wanted = std::max(size_ + extra, capacity_ * 2);
    auto larger = std::make_unique_for_overwrite<char[]>(wanted);
    if (size_ > 0) {
      std::memcpy(larger.get(), buffer_.get(), size_);
    }
    buffer_ = std::move(larger);
    capacity_ = wanted;
  }
  return buffer_.get() + size_;
}

void Normalised::reject(Rejection rejection, bool first_of_event) {
  if (first_of_event) {
    ++rejected_events;
    ++rejected_by_reason[static_cast<std::size_t>(rejection.reason)];
  }
  if (rejections.size() < rejections_listed_max) {
    rejections.push_back(std::move(rejection));
  }
}

Warning* Normalised::warn(Rule rule) {
  const std::uint32_t bit = 1U << static_cast<unsigned>(rule);
  if ((rules_broken_ & bit) == 0) {
    rules_broken_ |= bit;
    ++warned_by_rule[static_cast<std::size_t>(rule)];
  }
  ++warning_count;
  if (warnings.size() >= warnings_listed_max) {
    return nullptr;
  }
  warnings.push_back({.rule = rule});
  return &warnings.back();
}

void Normalised::forget_warnings() {
  for (std::size_t rule = 0; rule < rule_count; ++rule) {
    warned_by_rule[rule] -= (rules_broken_ >> rule) & 1U;
  }
  rules_broken_ = 0;
  warning_count = warnings_before_;
  warnings.resize(listed_before_);
}

struct Normaliser::State {
  explicit State(Rng seeded) : rng(seeded) {}

  Result<void, BodyError> document(std::span<char> body, const Request& request,
                                   PassContext& context);
  void lines(std::span<char> body, PassContext& context);
  void line(std::span<char> text, std::uint32_t index, PassContext& context);
  // One event; false after a syntax error.
  bool event(std::uint32_t index, PassContext& context);
  PassContext context_for(const Request& request, const Rules& rules, Normalised& out);

  JsonWalker walker;
  Rng rng;
  std::string scratch;
  std::optional<WallTime> received_at;
  std::array<char, time_text_size> received_at_text{};  // of that, once there was one
};

PassContext Normaliser::State::context_for(const Request& request, const Rules& rules,
                                           Normalised& out) {
  if (request.received_at != received_at) {  // many requests come within a millisecond
    received_at = request.received_at;
    format_time(*received_at, received_at_text.data());
  }
  return {.walker = walker,
          .rng = rng,
          .scratch = scratch,
          .request = request,
          .schema = info(request.kind).schema,
          .rules = rules,
          .out = out,
          .received_at_text = {received_at_text.data(), received_at_text.size()}};
}

bool Normaliser::State::event(std::uint32_t index, PassContext& context) {
  const std::uint32_t* const start = walker.mark();
  const std::uint64_t nulls_before = walker.nulls_skipped;
  Normalised& out = context.out;
  const std::uint32_t rejected_before = out.rejected_events;
  const std::size_t records_before = out.records.size();
  out.begin_event();
  EventPass(context, index).run();
  out.tally.nulls_removed += walker.nulls_skipped - nulls_before;
  if (walker.error == WalkError::none && !walker.is_text_since(start)) {
    walker.error = WalkError::not_text;
    out.drop_records(records_before);
  }
  if (out.records.size() == records_before) {
    out.forget_warnings();
  }
  if (walker.error == WalkError::too_deep || walker.error == WalkError::not_text) {
    const bool is_too_deep = walker.error == WalkError::too_deep;
    walker.error = WalkError::none;
    walker.rewind(start);
    walker.skip_any();
    if (walker.error != WalkError::none) {
      return false;
    }
    out.reject({.index = index,
                .reason = is_too_deep ? RejectReason::too_deep : RejectReason::string_invalid,
                .field = {},
                .message = !out.lists_more() ? std::string()
                           : is_too_deep     ? too_deep_message()
                                             : std::string(not_text_message)},
               out.rejected_events == rejected_before);
  }
  return walker.error == WalkError::none;
}

Result<void, BodyError> Normaliser::State::document(std::span<char> body, const Request& request,
                                                    PassContext& context) {
  if (const char* why = walker.load(body.data(), body.size())) {
    return std::unexpected(malformed(0, why));
  }
  const char first = walker.peek();
  if (first == '[' && request.framing == Framing::object_or_array) {
    std::uint32_t index = 0;
    walker.each_item([&] { event(index++, context); });
    if (index == 0 && walker.error == WalkError::none) {
      return std::unexpected(BodyError{.code = BodyError::Code::empty,
                                       .offset = 0,
                                       .message = "the array is empty: send at least one event"});
    }
  } else if (first == '{') {
    event(0, context);
  } else {
    return std::unexpected(BodyError{
        .code = BodyError::Code::wrong_shape,
        .offset = walker.offset(),
        .message = request.framing == Framing::object
                       ? "the body must be one JSON object; post arrays to the batch endpoint"
                       : "the body must be a JSON object or an array of objects"});
  }
  if (walker.error != WalkError::none || !walker.at_end()) {
    return std::unexpected(malformed(walker.offset(), "unexpected token here or just before"));
  }
  return {};
}

void Normaliser::State::lines(std::span<char> body, PassContext& context) {
  std::uint32_t index = 0;
  while (!body.empty()) {
    body = without_byte_order_mark(body);
    const auto* newline = static_cast<const char*>(std::memchr(body.data(), '\n', body.size()));
    const std::size_t length =
        newline == nullptr ? body.size() : static_cast<std::size_t>(newline - body.data());
    const std::span<char> text = body.first(length);
    if (!has_only_white_space(text)) {
      line(text, index++, context);
    }
    body = body.subspan(std::min(length + 1, body.size()));
  }
}

void Normaliser::State::line(std::span<char> text, std::uint32_t index, PassContext& context) {
  Normalised& out = context.out;
  const std::size_t records_before = out.records.size();
  const char* why = walker.load(text.data(), text.size());
  const std::uint32_t rejected_before = out.rejected_events;
  if (why == nullptr && event(index, context) && walker.at_end()) {
    return;
  }
  if (out.records.size() > records_before) {  // a whole event, but something behind it on the line
    out.drop_records(records_before);
    out.forget_warnings();
  }
  if (out.rejected_events == rejected_before) {
    out.reject({.index = index,
                .reason = RejectReason::malformed_json,
                .field = {},
                .message = out.lists_more() ? malformed_line(why, walker.offset()) : std::string()},
               true);
  }
}

Normaliser::Normaliser(Rng rng) : state_(std::make_unique<State>(rng)) {}
Normaliser::~Normaliser() = default;
Normaliser::Normaliser(Normaliser&&) noexcept = default;
Normaliser& Normaliser::operator=(Normaliser&&) noexcept = default;

Result<void, BodyError> Normaliser::run(std::span<char> body, const Request& request,
                                        const Rules& rules, Normalised& out) {
  body = without_byte_order_mark(body);
  if (has_only_white_space(body)) {
    return std::unexpected(BodyError{
        .code = BodyError::Code::empty, .offset = 0, .message = "the body is empty: send JSON"});
  }
  PassContext context = state_->context_for(request, rules, out);
  const JsonWalker::Unloading unloading(state_->walker);
  if (request.framing == Framing::lines) {
    state_->lines(body, context);
    return {};
  }
  return state_->document(body, request, context);
}

void Normaliser::run_one(std::span<char> body, std::uint32_t index, const Request& request,
                         const Rules& rules, Normalised& out) {
  PassContext context = state_->context_for(request, rules, out);
  const JsonWalker::Unloading unloading(state_->walker);
  state_->line(body, index, context);
}

}  // namespace sluice::normalise
