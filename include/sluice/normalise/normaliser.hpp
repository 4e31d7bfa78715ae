// From the bytes of a request to canonical upstream JSON: parses, validates and serialises in one
// pass.
//
// Canonical means: compact, `type` first, nulls left out at every depth, `time` explicit in UTC
// with milliseconds, `label` and `eventSalt` there, everything else in the order and with the bytes
// in which it came: no number changes a digit, no string an escape (but identifiers are trimmed and
// unescaped). Normalising canonical JSON again changes nothing. The rules and their sources are in
// api_limits.hpp, event_type.hpp and docs/validation.md.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/base/clock.hpp>
#include <sluice/base/result.hpp>
#include <sluice/base/rng.hpp>
#include <sluice/event/dedup_key.hpp>
#include <sluice/event/event_type.hpp>
#include <sluice/event/group.hpp>
#include <sluice/normalise/reject_reason.hpp>
#include <sluice/normalise/time_zone.hpp>
#include <sluice/normalise/validation_rules.hpp>

namespace sluice::normalise {

struct Rejection {
  std::uint32_t index = 0;  // of the event in the request, from 0
  RejectReason reason{};
  std::string field;    // path, as in `client.email` or `products[2].sku`; empty: the whole event
  std::string message;  // what is wrong and what to do
};
// A request's answer lists at most so many; the count of rejected events is exact all the same.
inline constexpr std::size_t rejections_listed_max = 1'000;

// What `strict` would have refused an accepted event for.
struct Warning {
  std::uint32_t index = 0;  // of the event in the request, from 0
  Rule rule{};
  std::string field{};         // as in Rejection
  std::string_view message{};  // static
};
// Likewise.
inline constexpr std::size_t warnings_listed_max = 100;

// What was changed or noticed on the way, for the metrics.
struct Tally {
  std::uint64_t reserved_params_dropped = 0;
  std::uint64_t nulls_removed = 0;
  std::uint64_t identifiers_trimmed = 0;
  std::uint64_t future_times_clamped = 0;
};

// The outcome of one request. Reused from request to request, so that nothing is allocated in the
// steady state; one per ingest thread.
class Normalised {
 public:
  void clear();

  // The valid events, in the order of the request, as Group::make takes them. Slices may be
  // anywhere in bytes().
  std::vector<EventRecord> records;
  // For each record: its key when the producer gave or derived its salt, so that a retry can be
  // known.
  std::vector<std::optional<DedupKey>> dedup_keys;
  std::vector<std::uint32_t> indexes;  // for each record: its index in the request
  std::vector<Rejection> rejections;   // in the order of the request; one event may have several
  std::uint32_t rejected_events = 0;
  std::array<std::uint32_t, reject_reason_count>
      rejected_by_reason{};         // by an event's first reason
  std::vector<Warning> warnings;    // about accepted events, in the order of the request
  std::uint64_t warning_count = 0;  // all of them, not only those that are listed
  std::array<std::uint32_t, rule_count> warned_by_rule{};  // events, by each rule they break
  Tally tally;

  [[nodiscard]] std::string_view bytes() const { return {buffer_.get(), size_}; }

  // For the normaliser: room for `extra` bytes after size(), then the end of what was written.
  char* reserve(std::size_t extra);
  void commit(const char* end) { size_ = static_cast<std::size_t>(end - buffer_.get()); }
  [[nodiscard]] std::size_t size() const { return size_; }
  void reject(Rejection rejection, bool first_of_event);
  // Whether the next rejection is listed, and so has to say what is wrong.
  [[nodiscard]] bool lists_more() const { return rejections.size() < rejections_listed_max; }
  // Events that were examined, whatever came of them.
  [[nodiscard]] std::size_t examined() const { return records.size() + rejected_events; }
  // Forgets all records but the first `kept`.
  void drop_records(std::size_t kept);
  // What follows is about the next event ...
  void begin_event() {
    listed_before_ = warnings.size();
    warnings_before_ = warning_count;
    rules_broken_ = 0;
  }
  // ... whose warnings are forgotten when it is not accepted.
  void forget_warnings();
  // Counts a warning, and answers the one to fill in if it is listed.
  [[nodiscard]] Warning* warn(Rule rule);

 private:
  std::unique_ptr<char[]> buffer_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  std::size_t listed_before_ = 0;
  std::uint64_t warnings_before_ = 0;
  std::uint32_t rules_broken_ = 0;  // by the event, a bit each
};
static_assert(rule_count <= 32);

// What a workspace asks of its events; immutable while requests use it.
struct Rules {
  bool strict = false;               // refuses what is told of otherwise: see Rule
  TimeZone time_zone{};              // of times that do not say theirs
  bool generated_salts = true;       // an event without a salt gets one
  std::vector<std::string> actions;  // allowed custom actions; empty: all
  std::size_t event_bytes_max = 256U << 10;
  std::size_t event_keys_max = 10'000;
  std::size_t string_bytes_max = 256U << 10;
  // A time is in the future if it is later than the arrival by more than this: producers' clocks
  // and ours differ a little.
  std::chrono::milliseconds future_tolerance = std::chrono::minutes(5);
  // Of all events of a request together: what an EventRecord can say.
  std::size_t request_bytes_max = std::numeric_limits<std::uint32_t>::max();
};

// How the events lie in the body.
enum class Framing : std::uint8_t {
  object,           // one object
  object_or_array,  // one object, or an array of them
  lines,            // NDJSON: one object per line
};

struct Request {
  Framing framing = Framing::object_or_array;
  EventKind kind{};
  std::optional<EventType> type{};  // given by the route; empty: each event says its own
  WallTime received_at{};
  bool clamps_future = true;           // false: `received_at` is of a clock that is wrong
  std::string_view idempotency_key{};  // empty: none; else salts are derived from it
};

// Why a body as a whole cannot be read.
struct BodyError {
  enum class Code : std::uint8_t { empty, malformed, wrong_shape };
  Code code{};
  std::size_t offset = 0;  // of the mistake, in bytes
  std::string message;
};

// One per ingest thread; not thread-safe.
class Normaliser {
 public:
  explicit Normaliser(Rng rng);
  ~Normaliser();
  Normaliser(Normaliser&&) noexcept;
  Normaliser& operator=(Normaliser&&) noexcept;

  // The bytes that must be readable and writable behind a body.
  static constexpr std::size_t padding_bytes = 64;

  // Appends the events of `body` to `out`. `body` must have padding_bytes behind it; the byte right
  // behind it is overwritten for the duration of the call. After an error `out` must be cleared.
  Result<void, BodyError> run(std::span<char> body, const Request& request, const Rules& rules,
                              Normalised& out);
  // The same for one event that stands alone in `body` and has this index in the request: a
  // malformed one is a rejection.
  void run_one(std::span<char> body, std::uint32_t index, const Request& request,
               const Rules& rules, Normalised& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice::normalise
