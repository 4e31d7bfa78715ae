// What becomes of a request on its way through to the upstream, and of the answer on its way back.
// Pure functions: relay.hpp does what they say.
//
// Framing is made anew on both ways and never copied: what says where a message ends
// (Content-Length, Transfer-Encoding), and all that concerns one connection only (RFC 9110, 7.6.1),
// is left out here and written as this side means it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "request_head.hpp"

namespace sluice::ingest {

// The methods that are passed through. Not TRACE, which would send the workspace's credentials back
// to the caller, and not CONNECT.
inline constexpr std::string_view passed_methods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
[[nodiscard]] bool is_passed_method(std::string_view method);

enum class PathVerdict : std::uint8_t {
  plain,      // every server reads it in the same way, and none as a route of ours
  ambiguous,  // dot segments, empty segments, encoded slashes; or a route of ours in disguise
  login,      // it has a segment `auth`: what is behind it hands out credentials
};
// With the workspace's credentials, nothing that hands out others may be called. Without, a login
// goes through, and the gateway's own paths of logins are none.
[[nodiscard]] PathVerdict judge_path(std::string_view path, bool with_credentials);

// Whether a request may be sent again after a connection that had served before was closed on it
// without a byte of an answer (RFC 9110, 9.2.2).
[[nodiscard]] bool may_repeat(std::string_view method, bool has_body);

// How the end of a message is told.
struct BodyFraming {
  enum class Kind : std::uint8_t {
    none,     // there is no body, and no length is stated
    length,   // Content-Length
    chunked,  // Transfer-Encoding
    to_end,   // by the end of the connection: for HTTP/1.0
  };
  Kind kind = Kind::none;
  std::uint64_t length = 0;

  bool operator==(const BodyFraming&) const = default;
};

// The framing that a request had, for the upstream.
[[nodiscard]] BodyFraming request_framing(bool chunked, std::optional<std::uint64_t> length);

struct RequestRewrite {
  std::string_view host;  // of the upstream
  BodyFraming framing{};
  // In place of all that the caller has sent to prove who it is. Nothing: that goes on as it came.
  std::optional<std::string_view> authorization{};
};
// The head of the request to the upstream.
[[nodiscard]] std::string upstream_request_head(const RequestHead& head,
                                                const RequestRewrite& rewrite);

// The head of an answer, as it came.
struct UpstreamHead {
  unsigned status = 0;
  bool http11 = true;
  std::string reason;
  std::vector<HeadField> fields;
};

struct AnswerRewrite {
  BodyFraming framing{};
  std::string_view request_id{};  // when the upstream gives none; empty: with an interim answer
  bool close = false;             // the connection ends after it
  // The answer was got with the workspace's credentials: no session made of them goes back.
  bool hide_session = false;
};
// The head of the answer to the caller.
[[nodiscard]] std::string client_answer_head(const UpstreamHead& head,
                                             const AnswerRewrite& rewrite);

// `data` as one chunk; the last one is empty.
void append_chunk(std::string& out, std::string_view data);

}  // namespace sluice::ingest
