// The seam between deciding and sending: what is sent upstream, and what comes back.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <sluice/base/clock.hpp>
#include <sluice/base/result.hpp>

namespace sluice::deliver {

// How far an attempt came when it failed without an answer.
enum class Failure : std::uint8_t {
  none,              // there is an answer with a status
  resolve,           // the name could not be resolved
  connect,           // no TCP connection, in time or at all
  tls,               // the handshake failed: certificate, name, protocol
  not_sent,          // the connection broke before the request was written as a whole
  no_answer,         // ambiguous: all was written, and the connection broke without an answer
  answer_timeout,    // ambiguous: all was written, and no answer came in time
  malformed_answer,  // ambiguous: what came back is not an HTTP answer, or is too large
  credentials,       // the credentials were refused at the login; nothing was sent
  wrong_login,       // what answers at the login is not the API; nothing was sent
  stopped,           // the client was stopped before or during the attempt
};

// What one attempt came to. What the upstream says is as it came, to be judged, and may repeat the
// credentials that it was sent: what is kept or shown of it is redacted (redactor.hpp).
struct UpstreamAnswer {
  Failure failure = Failure::none;
  std::string detail;  // of a failure, for people
  unsigned status = 0;
  std::optional<std::string> retry_after;  // the header, as it came
  std::optional<std::string> deprecated;   // the header X-API-DEPRECATED
  std::optional<std::string> date;         // the header Date
  std::string content_type;                // the header, as it came; empty: none
  std::string body;                        // at most answer_body_bytes_max
  bool body_is_cut = false;                // there was more, or should have been
  std::chrono::nanoseconds duration{};     // from the first byte written to the answer's end
};
inline constexpr std::size_t answer_body_bytes_max = 64U << 10;

// One workspace's way to its upstream: connections, credentials, time-outs. Used from one thread;
// `done` is called on it, never from within the call, exactly once, also after stop().
class Upstream {
 public:
  virtual ~Upstream() = default;
  // POSTs `body` (application/json) to `path`. `body` must stay valid until `done` is called.
  virtual void post(std::string_view path, std::string_view body,
                    std::function<void(UpstreamAnswer)> done) = 0;
  // Throws the present credentials away and gets new ones: reads the key's file again, and with JWT
  // logs in. Calls while one is under way share its outcome.
  virtual void refresh_credentials(std::function<void(Result<void>)> done) = 0;
  // Ends what is under way with Failure::stopped; nothing is sent from now on.
  virtual void stop() = 0;
};

}  // namespace sluice::deliver
