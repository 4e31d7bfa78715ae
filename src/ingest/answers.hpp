// The answers of the ingest API, all built here, straight into the connection's output.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <sluice/base/clock.hpp>
#include <sluice/deliver/permissions.hpp>
#include <sluice/normalise/normaliser.hpp>

#include "problem.hpp"

namespace sluice::ingest {

// What every answer carries, whatever its body.
struct AnswerHead {
  std::string_view request_id;
  WallTime now;         // for Date and timestamp
  double pressure = 0;  // X-Sluice-Pressure; below 0: not known, left out
  bool keep_alive = true;
  std::uint32_t rejected = 0;  // events: X-Sluice-Rejected
  bool to_head = false;        // the answer to a HEAD request: it has no body (RFC 9110, 9.3.2)
  // The acknowledgement level that was reached, where the request asked for one; empty: it did not.
  std::string_view preference_applied{};
  bool replayed = false;  // Idempotency-Replayed: it is the answer to an earlier request
};

struct Counts {
  std::uint32_t accepted = 0;
  std::uint32_t rejected = 0;
  std::uint32_t duplicates = 0;
  std::uint32_t ignored = 0;  // by the rules of a source; listed where there are any
};

// What `strict` would have refused the accepted events for.
struct Warnings {
  std::uint64_t count = 0;
  std::span<const normalise::Warning> listed{};
};

// One per ingest thread: keeps what answers have in common between requests. Not thread-safe.
class AnswerWriter {
 public:
  // `status`, with the rejections of the events that were not accepted; 204 has no body.
  void accepted(std::string& out, const AnswerHead& head, unsigned status, const Counts& counts,
                std::span<const normalise::Rejection> rejections, const Warnings& warnings);
  // 200 or 503 to who asks whether the gateway lives, or is ready.
  void probed(std::string& out, const AnswerHead& head, bool is_well);
  // 200 to a permission check.
  void permissions(std::string& out, const AnswerHead& head,
                   const deliver::Permissions& permissions);
  // 200 to a login.
  void logged_in(std::string& out, const AnswerHead& head, std::string_view token);
  // An error in the upstream's format: {timestamp, error, status, message, path, errors[]}. `path`
  // is the request's; the rejections become errors[].
  void problem(std::string& out, const AnswerHead& head, const Problem& problem,
               std::string_view path, std::span<const normalise::Rejection> rejections);

 private:
  void write(std::string& out, const AnswerHead& head, unsigned status, const Problem* problem,
             std::string_view content_type = "application/json");
  std::string_view date(WallTime now);

  std::string body_;
  std::int64_t date_second_ = -1;
  std::string date_text_;
};

inline constexpr std::string_view continue_answer = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace sluice::ingest
