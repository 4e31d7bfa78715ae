#include "answer.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <sluice/base/json_text.hpp>

#include "iso_time.hpp"

namespace sluice::simulator {
namespace {

struct StatusName {
  unsigned status;
  std::string_view name;
};
constexpr std::array<StatusName, 17> status_names{{{200, "OK"},
                                                   {202, "Accepted"},
                                                   {207, "Multi-Status"},
                                                   {400, "Bad Request"},
                                                   {401, "Unauthorized"},
                                                   {403, "Forbidden"},
                                                   {404, "Not Found"},
                                                   {405, "Method Not Allowed"},
                                                   {408, "Request Timeout"},
                                                   {409, "Conflict"},
                                                   {413, "Payload Too Large"},
                                                   {415, "Unsupported Media Type"},
                                                   {429, "Too Many Requests"},
                                                   {500, "Internal Server Error"},
                                                   {502, "Bad Gateway"},
                                                   {503, "Service Unavailable"},
                                                   {504, "Gateway Timeout"}}};

std::string_view status_name(unsigned status) {
  const auto found = std::ranges::find(status_names, status, &StatusName::status);
  return found == status_names.end() ? "Unknown" : found->name;
}

// An answer that lists a thousand errors would be larger than what it refuses.
constexpr std::size_t errors_listed_max = 100;

void append_head(std::string& out, unsigned status, std::string_view error,
                 std::string_view message, std::string_view path, WallTime now) {
  fmt::format_to(std::back_inserter(out), R"({{"timestamp":"{}","error":)", iso_time(now));
  append_json_string(out, error);
  fmt::format_to(std::back_inserter(out), R"(,"status":{},"message":)", status);
  append_json_string(out, message);
  out += R"(,"path":)";
  append_json_string(out, path);
  out += R"(,"errors":[)";
}

void append_violation(std::string& out, const Violation& violation, std::string_view field_prefix) {
  fmt::format_to(std::back_inserter(out), R"("code":{},"field":)",
                 static_cast<int>(violation.code));
  append_json_string(out, std::string(field_prefix) + violation.field);
  out += R"(,"message":)";
  append_json_string(out, violation.message);
  if (!violation.rejected_value.empty()) {
    out += R"(,"rejectedValue":)";
    out += violation.rejected_value;
  }
  out += '}';
}

}  // namespace

Answer error_answer(unsigned status, std::string_view message, std::string_view path, WallTime now,
                    std::string_view error) {
  Answer answer{.status = status};
  append_head(answer.body, status, error.empty() ? status_name(status) : error, message, path, now);
  answer.body += "]}";
  return answer;
}

Answer violation_answer(const Violation& violation, std::string_view path, WallTime now) {
  Answer answer{.status = 400};
  append_head(answer.body, 400, status_name(400), "Validation failed", path, now);
  answer.body += '{';
  append_violation(answer.body, violation, "");
  answer.body += "]}";
  return answer;
}

Answer refusals_answer(unsigned status, std::span<const Refusal> refusals, std::string_view path,
                       WallTime now) {
  const bool partial = status == 207;
  Answer answer{.status = status};
  append_head(answer.body, status, status_name(status),
              fmt::format("{} of the events are invalid", refusals.size()), path, now);
  // Whoever deals with a partial answer needs all of them.
  const std::size_t listed =
      partial ? refusals.size() : std::min(refusals.size(), errors_listed_max);
  for (const Refusal& refusal : refusals.first(listed)) {
    answer.body += answer.body.ends_with('[') ? "{" : ",{";
    if (partial) {
      fmt::format_to(std::back_inserter(answer.body), R"("index":{},)", refusal.index);
    }
    const std::string_view dot = refusal.violation.field.empty() ? "" : ".";
    append_violation(answer.body, refusal.violation, fmt::format("[{}]{}", refusal.index, dot));
  }
  answer.body += "]}";
  return answer;
}

Wire to_wire(const Answer& answer, bool keep_alive, WallTime now) {
  Wire wire;
  auto out = std::back_inserter(wire.text);
  wire.text.reserve(256 + answer.body.size());
  fmt::format_to(out,
                 "HTTP/1.1 {} {}\r\nServer: synerise-sim\r\nDate: {:%a, %d %b %Y %H:%M:%S} GMT\r\n"
                 "Content-Length: {}\r\n",
                 answer.status, status_name(answer.status),
                 fmt::gmtime(std::chrono::system_clock::to_time_t(now)), answer.body.size());
  const auto append = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) {
      fmt::format_to(out, "{}: {}\r\n", name, value);
    }
  };
  append("Content-Type", answer.body.empty() ? "" : answer.content_type);
  append("Retry-After", answer.retry_after);
  append("Allow", answer.allow);
  append("X-API-DEPRECATED", answer.deprecated ? "true" : "");
  append("Connection", keep_alive ? "" : "close");
  wire.text += "\r\n";
  wire.head_size = wire.text.size();
  wire.text += answer.body;
  return wire;
}

}  // namespace sluice::simulator
