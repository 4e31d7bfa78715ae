// Why a request as a whole is refused: the one table from a reason to its HTTP status.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::ingest {

enum class Refusal : std::uint8_t {
  bad_request,       // not HTTP as RFC 9112 has it
  malformed_body,    // not the JSON that the route takes
  undecodable_body,  // the content coding is broken
  invalid_events,    // none of the events is valid, or one is not and all must be
  no_key,            // the producer did not say who it is
  wrong_key,         // nobody has this key
  token_expired,     // the login's token is too old
  not_allowed,       // the producer may not do this
  unknown_route,
  wrong_method,
  timed_out,  // the client took too long to send its request
  body_too_large,
  unsupported_type,        // media type
  unsupported_encoding,    // content coding
  idempotency_key_reused,  // the key came with another request before
  head_too_large,
  over_rate,      // the producer's own limit
  full,           // the buffer is above its high watermark
  being_stored,   // an event of it has been handed to the buffer by another request
  not_stored,     // the buffer could not keep it
  draining,       // the gateway is about to stop
  bad_upstream,   // what a request was passed through to cannot be reached, or gives no answer
  slow_upstream,  // or takes too long
  upstream_away,  // what only it knows is not known for the moment
  internal,       // our mistake
};

// What a body was larger than: `limit` in sluice_ingest_bodies_refused_total.
enum class BodyLimit : std::uint8_t {
  ingest,       // ingest.max_body_bytes
  producer,     // the producer's own
  decoded,      // either of them, once the body was decompressed
  ratio,        // limits.max_decompression_ratio
  passthrough,  // passthrough.max_body_bytes
  login,        // of a login or a probe: nobody is known yet
  mapped,       // of what a source's rules make of it
};
inline constexpr std::array<std::string_view, 7> body_limit_names{"max_body_bytes",
                                                                  "producer_max_body_bytes",
                                                                  "decoded_bytes",
                                                                  "max_decompression_ratio",
                                                                  "passthrough_max_body_bytes",
                                                                  "login",
                                                                  "mapped_bytes"};

struct Problem {
  Refusal refusal{};
  std::string message;  // what is wrong and what to do
  std::optional<std::chrono::seconds> retry_after{};
  double pressure = -1;              // of the workspace's buffer; below 0: not known
  std::string_view allow = "POST";   // the method that the path takes, with wrong_method
  std::optional<BodyLimit> limit{};  // with body_too_large
};

[[nodiscard]] std::unexpected<Problem> refused(Refusal refusal, std::string message);
// The buffer cannot keep events, for this reason.
[[nodiscard]] Problem not_stored(const std::string& why);
[[nodiscard]] unsigned http_status(Refusal refusal);
[[nodiscard]] std::string_view reason_phrase(unsigned status);

}  // namespace sluice::ingest
