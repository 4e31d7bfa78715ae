// Runs the rules of a mapped source: raw events of any shape become events of the API.
//
// What comes out has the shape of an item of /v4/events/batch or /v4/transactions/batch and is
// validated by the normaliser like any other; a mapper checks its own rules only. Numbers keep
// their digits and copied values their bytes. docs/mapping.md is the guide for users,
// mapping_spec.hpp the contract.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/base/result.hpp>
#include <sluice/event/group.hpp>
#include <sluice/normalise/mapping_spec.hpp>
#include <sluice/normalise/normaliser.hpp>

namespace sluice::mapping {

// Why a raw event was refused.
enum class MappingErrc : std::uint8_t {
  malformed,         // it is not JSON
  too_deep,          // nested deeper than api::nesting_depth_max
  not_text,          // a string has a lone surrogate, or bytes that are not UTF-8
  not_an_object,     // a raw event is a JSON object
  no_rule,           // the conditions of no rule hold
  missing_required,  // a required value is absent, null or blank
  wrong_type,        // a value cannot be converted without loss
  bad_time,          // a text is not a time of the format, or the time does not exist
  too_large,         // the event that is made passes the limit
};
[[nodiscard]] std::string_view to_string(MappingErrc code);

// In the place of a rule's index: no rule fits.
inline constexpr std::size_t no_rule_index = std::numeric_limits<std::size_t>::max();

struct MappingError {
  MappingErrc code{};
  std::string
      field;  // of the event to be made: `client.customId`, `products[2].sku`; empty: the whole
  std::string pointer;  // to the value in the raw event, from its root; empty: the whole, or none
  std::string message;  // what was found where, and what to do; may quote a little of the raw value
  // Field, pointer and message are empty where nobody asked for them (OnEvent).
  std::size_t rule = no_rule_index;  // as of a mapped event
  std::uint32_t nulled = 0;          // likewise
};

struct MappedEvent {
  EventKind kind{};
  bool ignored = false;      // it is to be ignored: nothing was made
  std::size_t rule = 0;      // its index in Source::rules; no_rule_index: an ignored one fits none
  std::uint32_t nulled = 0;  // raw values that stood for none (Value::null_if)
  std::size_t offset = 0;    // of its JSON in the output
  std::size_t size = 0;
};
using MappingOutcome = Result<MappedEvent, MappingError>;

struct Program;   // of compiled rules
struct RunState;  // of a mapping

// Whether a mapper can read times of this format in this zone; the error says what is wrong and
// what to write instead.
[[nodiscard]] Result<void> check_time_format(const TimeFormat& format);

// One source's rules, compiled. Immutable: threads share it, each with a scratch of its own.
class Mapper {
 public:
  // What is reused from event to event. One per thread, for any number of mappers.
  class Scratch {
   public:
    Scratch();
    ~Scratch();
    Scratch(Scratch&&) noexcept;
    Scratch& operator=(Scratch&&) noexcept;

   private:
    friend class Mapper;
    std::unique_ptr<RunState> state_;
  };

  // Fails with errc::invalid_argument and the place of the mistake in the rules.
  [[nodiscard]] static Result<Mapper> compile(const Source& source);
  ~Mapper();
  Mapper(Mapper&&) noexcept;
  Mapper& operator=(Mapper&&) noexcept;

  static constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();
  // Appends the event made of one raw event to `out`; nothing after an error. No more than a value
  // above `event_bytes_max` is written of it. `raw` must have Normaliser::padding_bytes behind it,
  // the first of which is overwritten for the duration of the call.
  [[nodiscard]] MappingOutcome map(std::span<char> raw, Scratch& scratch, std::string& out,
                                   std::size_t event_bytes_max = no_limit) const;

  // Whether the next error is to say what is wrong: that costs more than the rest of it.
  using OnEvent = std::function<bool(const MappingOutcome&)>;
  // Maps each raw event of `body` and hands over one outcome after the other: an array's elements,
  // or the lines that are not blank. The first error says what is wrong. `out` holds one event at a
  // time, which is the receiver's to change. A malformed line is the error of its index; a
  // malformed object or array one of the whole body, after which what was handed over must be
  // forgotten. Padding as for map().
  [[nodiscard]] Result<void, normalise::BodyError> map_body(std::span<char> body,
                                                            normalise::Framing framing,
                                                            std::size_t event_bytes_max,
                                                            Scratch& scratch, std::string& out,
                                                            const OnEvent& on_event) const;

 private:
  explicit Mapper(std::unique_ptr<const Program> program);

  std::unique_ptr<const Program> program_;
};

}  // namespace sluice::mapping
