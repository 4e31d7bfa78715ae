#include "answers.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <sluice/base/calendar.hpp>
#include <sluice/base/json_text.hpp>
#include <sluice/normalise/time.hpp>

namespace sluice::ingest {
namespace {

using namespace std::string_view_literals;  // whose length need not be counted

void append_number(std::string& out, std::uint64_t number) {
  if (number < 10) {  // as most counts are
    out += static_cast<char>('0' + number);
    return;
  }
  const fmt::format_int digits(number);
  out.append(digits.data(), digits.size());
}

// A share from 0 to 1 with two decimals.
void append_share(std::string& out, double share) {
  const auto hundredths = static_cast<unsigned>(std::lround(std::clamp(share, 0.0, 1.0) * 100));
  out += static_cast<char>('0' + hundredths / 100);
  out += '.';
  out += static_cast<char>('0' + hundredths / 10 % 10);
  out += static_cast<char>('0' + hundredths % 10);
}

// `code` is a number because the vendor's clients take nothing else.
void append_about_event(std::string& out, std::uint32_t index, normalise::RejectReason reason) {
  if (out.back() != '[') {
    out += ',';
  }
  out += "{\"index\":";
  append_number(out, index);
  out += ",\"code\":";
  append_number(out, normalise::code_of(reason));
  out += ",\"reason\":";
  append_json_string(out, normalise::to_string(reason));
}

void append_what(std::string& out, std::string_view field, std::string_view message) {
  out += ",\"field\":";
  append_json_string(out, field);
  out += ",\"message\":";
  append_json_string(out, message);
  out += '}';
}

// A member of both kinds of body.
void append_errors(std::string& out, std::span<const normalise::Rejection> rejections) {
  out += ",\"errors\":["sv;
  for (const normalise::Rejection& rejection : rejections) {
    append_about_event(out, rejection.index, rejection.reason);
    append_what(out, rejection.field, rejection.message);
  }
  out += ']';
}

void append_warnings(std::string& out, const Warnings& warnings) {
  out += ",\"warning_count\":"sv;
  append_number(out, warnings.count);
  out += ",\"warnings\":["sv;
  for (const normalise::Warning& warning : warnings.listed) {
    const normalise::RuleInfo& rule = normalise::info(warning.rule);
    append_about_event(out, warning.index, rule.reason);
    out += ",\"rule\":"sv;
    append_json_string(out, rule.name);
    append_what(out, warning.field, warning.message);
  }
  out += ']';
}

}  // namespace

void AnswerWriter::accepted(std::string& out, const AnswerHead& head, unsigned status,
                            const Counts& counts, std::span<const normalise::Rejection> rejections,
                            const Warnings& warnings) {
  body_ = "{\"accepted\":"sv;
  append_number(body_, counts.accepted);
  body_ += ",\"rejected\":"sv;
  append_number(body_, counts.rejected);
  body_ += ",\"duplicates\":"sv;
  append_number(body_, counts.duplicates);
  if (counts.ignored > 0) {
    body_ += ",\"ignored\":"sv;
    append_number(body_, counts.ignored);
  }
  append_errors(body_, rejections);
  if (warnings.count > 0) {
    append_warnings(body_, warnings);
  }
  body_ += '}';
  write(out, head, status, nullptr);
}

void AnswerWriter::probed(std::string& out, const AnswerHead& head, bool is_well) {
  body_ = is_well ? "ok\n" : "not ready\n";
  write(out, head, is_well ? 200 : 503, nullptr, "text/plain");
}

void AnswerWriter::permissions(std::string& out, const AnswerHead& head,
                               const deliver::Permissions& permissions) {
  body_ = "{\"businessProfileName\":";
  append_json_string(body_, permissions.business_profile);
  body_ += ",\"permissions\":{";
  for (const auto& [name, is_granted] : permissions.granted) {
    body_ += body_.back() == '{' ? "" : ",";
    append_json_string(body_, name);
    body_ += is_granted ? ":true" : ":false";
  }
  body_ += "}}";
  write(out, head, 200, nullptr);
}

void AnswerWriter::logged_in(std::string& out, const AnswerHead& head, std::string_view token) {
  body_ = "{\"token\":";
  append_json_string(body_, token);
  body_ += '}';
  write(out, head, 200, nullptr);
}

void AnswerWriter::problem(std::string& out, const AnswerHead& head, const Problem& problem,
                           std::string_view path,
                           std::span<const normalise::Rejection> rejections) {
  const unsigned status = http_status(problem.refusal);
  std::array<char, time_text_size> timestamp{};
  format_time(head.now, timestamp.data());
  body_ = "{\"timestamp\":\"";
  body_.append(timestamp.data(), timestamp.size());
  body_ += "\",\"error\":";
  // The vendor's word for it, by which its SDKs know that they must log in again.
  append_json_string(
      body_, problem.refusal == Refusal::token_expired ? "Token expired." : reason_phrase(status));
  body_ += ",\"status\":";
  append_number(body_, status);
  body_ += ",\"message\":";
  append_json_string(body_, problem.message);
  body_ += ",\"path\":";
  append_json_string(body_, path);
  append_errors(body_, rejections);
  body_ += '}';
  write(out, head, status, &problem);
}

void AnswerWriter::write(std::string& out, const AnswerHead& head, unsigned status,
                         const Problem* problem, std::string_view content_type) {
  out += "HTTP/1.1 "sv;
  append_number(out, status);
  out += ' ';
  out += reason_phrase(status);
  out += "\r\nDate: "sv;
  out += date(head.now);
  const bool has_body = status != 204;  // RFC 9110, 15.3.5
  if (has_body) {
    out += "\r\nContent-Type: "sv;
    out += content_type;
    out += "\r\nContent-Length: "sv;
    append_number(out, body_.size());
  }
  out += "\r\nX-Request-Id: "sv;
  out += head.request_id;
  if (head.pressure >= 0) {
    out += "\r\nX-Sluice-Pressure: "sv;
    append_share(out, head.pressure);
  }
  if (head.rejected > 0) {
    out += "\r\nX-Sluice-Rejected: "sv;
    append_number(out, head.rejected);
  }
  if (!head.preference_applied.empty()) {
    out += "\r\nPreference-Applied: sluice-ack="sv;
    out += head.preference_applied;
  }
  if (head.replayed) {
    out += "\r\nIdempotency-Replayed: true"sv;
  }
  if (problem != nullptr) {
    if (problem->retry_after) {
      out += "\r\nRetry-After: "sv;
      append_number(out, static_cast<std::uint64_t>(problem->retry_after->count()));
    }
    if (problem->refusal == Refusal::wrong_method) {
      out += "\r\nAllow: "sv;
      out += problem->allow;
    } else if (status == 401) {
      out += "\r\nWWW-Authenticate: Basic realm=\"sluice\""sv;
    } else if (problem->refusal == Refusal::unsupported_encoding) {
      out += "\r\nAccept-Encoding: gzip, deflate, zstd"sv;
    }
  }
  if (!head.keep_alive) {
    out += "\r\nConnection: close"sv;
  }
  out += "\r\n\r\n"sv;
  if (has_body && !head.to_head) {
    out += body_;
  }
}

// IMF-fixdate (RFC 9110, 5.6.7), made once a second.
std::string_view AnswerWriter::date(WallTime now) {
  const auto second = std::chrono::floor<std::chrono::seconds>(in_calendar(now));
  if (second.time_since_epoch().count() != date_second_) {
    date_second_ = second.time_since_epoch().count();
    date_text_ =
        fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT",
                    fmt::gmtime(static_cast<std::time_t>(second.time_since_epoch().count())));
  }
  return date_text_;
}

}  // namespace sluice::ingest
