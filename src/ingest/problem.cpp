#include "problem.hpp"

namespace sluice::ingest {

std::unexpected<Problem> refused(Refusal refusal, std::string message) {
  return std::unexpected(Problem{.refusal = refusal, .message = std::move(message)});
}

Problem not_stored(const std::string& why) {
  return {.refusal = Refusal::not_stored,
          .message = "events cannot be stored at present: " + why + ": send this again later",
          .retry_after = std::chrono::seconds(1)};
}

unsigned http_status(Refusal refusal) {
  switch (refusal) {
    case Refusal::bad_request:
    case Refusal::malformed_body:
    case Refusal::undecodable_body:
    case Refusal::invalid_events:
      return 400;
    case Refusal::no_key:
    case Refusal::wrong_key:
    case Refusal::token_expired:
      return 401;
    case Refusal::not_allowed:
      return 403;
    case Refusal::unknown_route:
      return 404;
    case Refusal::wrong_method:
      return 405;
    case Refusal::timed_out:
      return 408;
    case Refusal::body_too_large:
      return 413;
    case Refusal::unsupported_type:
    case Refusal::unsupported_encoding:
      return 415;
    case Refusal::idempotency_key_reused:
      return 422;
    case Refusal::over_rate:
      return 429;
    case Refusal::head_too_large:
      return 431;
    case Refusal::full:
    case Refusal::being_stored:
    case Refusal::not_stored:
    case Refusal::draining:
    case Refusal::upstream_away:
      return 503;
    case Refusal::bad_upstream:
      return 502;
    case Refusal::slow_upstream:
      return 504;
    case Refusal::internal:
      break;
  }
  return 500;
}

std::string_view reason_phrase(unsigned status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 207:
      return "Multi-Status";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Internal Server Error";
  }
}

}  // namespace sluice::ingest
