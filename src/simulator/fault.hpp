// Faults: what the simulator does wrong on purpose. As JSON, a list of objects (or one object):
//
//   [{"action": "status", "status": 503, "probability": 0.2, "retry_after": 2},
//    {"action": "latency", "latency_mean_ms": 40, "path": "*"},
//    {"action": "poison", "pointer": "/params/sku", "contains": "BAD"}]
//
// or in the compact form of the command line, one fault: status=503,probability=0.2 or
// reset_after,count=3.
//
// Any fault: `action` (left out when another key implies it); `path`, exact, or with a * at its end
// as a prefix (default: the two batch endpoints; for revoke all paths); `count`, how often it fires
// (default: without end); `probability` (default 1).
//
//   status        status, body, content_type ("": none), retry_after (seconds, or an HTTP date)
//   web_page      200 and a page of HTML, as a captive portal gives it; nothing is stored
//   error_object  200 and an error of `status` (default 400) in the body; nothing is stored
//   latency       latency_ms | latency_min_ms + latency_max_ms (uniform) | latency_mean_ms
//   (exponential) reset_before  the connection is reset, and nothing was stored reset_after   the
//   request is carried out, then the connection is reset hang          the request is carried out,
//   its answer held back for hang_ms (default 30,000) slow_body     the answer's body comes in
//   pieces over slow_ms (default 1,000); `body` replaces it cut_body      the connection closes
//   amid the answer's body malformed     the request is carried out, the answer is not HTTP
//   deprecated    the answer carries X-API-DEPRECATED
//   poison        events whose value at `pointer` (RFC 6901) `equals` or `contains` this one are
//   refused revoke        all credentials are refused with `status` (default 401) rate_limit    so
//   many requests a second, `burst` at once (default 1), then 429 with Retry-After
//
// latency, deprecated and poison add to whatever else happens; of the others the first that fires
// decides.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <sluice/base/clock.hpp>
#include <sluice/base/result.hpp>
#include <sluice/base/rng.hpp>

namespace sluice::simulator {

enum class FaultAction : std::uint8_t {
  status,
  latency,
  reset_before,
  reset_after,
  hang,
  slow_body,
  cut_body,
  malformed,
  deprecated,
  poison,
  revoke,
  rate_limit,
  web_page,
  error_object,
};
inline constexpr std::size_t fault_action_count = 14;
[[nodiscard]] std::string_view name_of(FaultAction action);

// A value of a fault's JSON: numbers and strings are all there is.
using Scalar = std::variant<double, std::string>;

struct Fault {
  FaultAction action = FaultAction::status;
  std::string path = {};
  std::optional<std::uint64_t> count = {};
  double probability = 1;
  unsigned status = 0;
  std::string retry_after = {};
  std::string body = {};
  std::optional<std::string> content_type = {};
  double latency_min_ms = 0;
  double latency_max_ms = 0;
  double latency_mean_ms = 0;  // more than 0: exponential
  double hang_ms = 30'000;
  double slow_ms = 1'000;
  double rate_limit = 0;
  double burst = 1;
  std::string pointer = {};
  std::optional<Scalar> equals = {};
  std::string contains = {};
  std::string text = {};  // the JSON that it was made of
};

[[nodiscard]] Result<std::vector<Fault>> parse_faults(std::string_view text);

// What the faults make of one request.
struct FaultPlan {
  std::shared_ptr<const Fault> decisive;  // none: an ordinary answer
  std::chrono::nanoseconds delay{};
  std::chrono::seconds wait_for_token{};  // of a decisive rate limit
  bool deprecated = false;
  std::vector<std::shared_ptr<const Fault>> poisons;
};

// How often each action fired, by FaultAction.
using FaultCounts = std::array<std::uint64_t, fault_action_count>;

// The faults in force. Deterministic: each draws from a generator of its own, seeded by its place,
// so that the same list does the same again. Thread-safe.
class FaultSet {
 public:
  explicit FaultSet(std::uint64_t seed) : seed_(seed) {}

  // Puts these in force from their beginnings, in place of those before.
  void replace(std::vector<Fault> faults);
  [[nodiscard]] FaultPlan plan(std::string_view path, MonoTime now);
  // A poison fault refused an event.
  void count_poisoned();

  [[nodiscard]] FaultCounts fired() const;
  void reset_fired();
  // [{"fault": {…}, "fired": 3}, …]
  [[nodiscard]] std::string to_json() const;

 private:
  struct State {
    std::shared_ptr<const Fault> fault;
    Rng rng;
    std::uint64_t fired = 0;
    double tokens = 0;
    std::optional<MonoTime> filled_at = {};
  };

  static bool fires(State& state, MonoTime now);
  static bool takes_token(State& state, MonoTime now);
  void apply(State& state, FaultPlan& plan);

  const std::uint64_t seed_;
  mutable std::mutex mutex_;
  std::vector<State> states_;
  FaultCounts fired_{};
};

}  // namespace sluice::simulator
