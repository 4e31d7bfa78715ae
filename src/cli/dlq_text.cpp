#include "dlq_text.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include <fmt/format.h>
#include <simdjson.h>

#include <sluice/base/json_text.hpp>
#include <sluice/base/percent.hpp>
#include <sluice/base/printable.hpp>
#include <sluice/event/traceparent.hpp>
#include <sluice/normalise/time.hpp>

namespace sluice::cli {
namespace {

namespace ondemand = simdjson::ondemand;
using deadletter::Filter;
using deadletter::LetterId;

constexpr std::string_view row_format =
    "{:<16}  {:<24}  {:<16}  {:<11}  {:<9}  {:>6}  {:>8}  {:<32}  {}\n";
constexpr std::size_t answer_bytes_shown = 80;

std::string time_text(WallTime time) {
  std::array<char, time_text_size> text{};
  format_time(time, text.data());
  return {text.data(), text.size()};
}

// The members of the filter that say something.
std::vector<std::pair<std::string_view, std::string>> members(const Filter& filter) {
  std::vector<std::pair<std::string_view, std::string>> all{
      {"workspace", filter.workspace},
      {"reason", filter.reason},
      {"since", filter.since ? time_text(*filter.since) : ""},
      {"until", filter.until ? time_text(*filter.until) : ""},
      {"contains", filter.contains}};
  std::erase_if(all, [](const auto& member) { return member.second.empty(); });
  return all;
}

std::unexpected<Error> not_ours() {
  return failure(std::errc::protocol_error, "the answer is not that of a gateway");
}

// Cuts between two characters of UTF-8.
std::string_view shortened(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) {
    return text;
  }
  while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xC0U) == 0x80U) {
    --bytes_max;
  }
  return text.substr(0, bytes_max);
}

std::string trace_text(const deadletter::Letter& letter) {
  const std::string_view id = trace_id_of(letter.traceparent);
  return id.empty() ? "-" : printable(id);
}

// Of a value, or of what looking for it came to; empty when it is no string.
template <class Value>
std::string text_of(Value value) {
  std::string_view text;
  return value.get(text) == simdjson::SUCCESS ? std::string(text) : "";
}

bool read_letters(ondemand::value value, std::vector<deadletter::Letter>& letters) {
  ondemand::array array;
  if (value.get(array) != simdjson::SUCCESS) {
    return false;
  }
  for (auto item : array) {
    ondemand::object object;
    std::string_view line;
    if (item.get(object) != simdjson::SUCCESS || object.raw_json().get(line)) {
      return false;
    }
    auto letter = deadletter::parse_letter(line);
    if (!letter) {
      return false;
    }
    letters.push_back(*std::move(letter));
  }
  return true;
}

bool read_why(ondemand::value value, std::vector<Report::Kept>& why) {
  ondemand::array array;
  if (value.get(array) != simdjson::SUCCESS) {
    return false;
  }
  for (auto item : array) {
    std::string id = text_of(item["id"]);
    why.push_back({.id = std::move(id), .reason = text_of(item["reason"])});
  }
  return true;
}

// Calls `use` with each member of the object; false when it is none, or `use` says so.
template <class Use>
bool read_object(std::string_view json, Use&& use) {
  ondemand::parser parser;
  const simdjson::padded_string padded(json);
  ondemand::document document;
  ondemand::object object;
  if (parser.iterate(padded).get(document) != simdjson::SUCCESS ||
      document.get_object().get(object) != simdjson::SUCCESS) {
    return false;
  }
  for (auto field : object) {
    std::string_view name;
    ondemand::value value;
    if (field.unescaped_key().get(name) != simdjson::SUCCESS ||
        field.value().get(value) != simdjson::SUCCESS || !use(name, value)) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::string list_target(const deadletter::Query& query) {
  std::string target =
      fmt::format("/dlq?limit={}&order={}", query.letters_max,
                  query.order == deadletter::Order::newest_first ? "newest" : "oldest");
  for (const auto& [name, value] : members(std::get<Filter>(query.selection))) {
    fmt::format_to(std::back_inserter(target), "&{}={}", name, encode_percent(value));
  }
  if (query.after != 0) {
    target += "&cursor=" + deadletter::to_text(query.after);
  }
  return target;
}

Result<deadletter::Page> parse_list(std::string_view json) {
  deadletter::Page page;
  bool has_letters = false;
  const bool read = read_object(json, [&](std::string_view name, ondemand::value value) {
    if (name == "letters") {
      has_letters = true;
      return read_letters(value, page.letters);
    }
    if (name == "cursor") {
      page.next = deadletter::parse_letter_id(text_of(value));
    }
    return true;
  });
  return read && has_letters ? Result<deadletter::Page>(std::move(page)) : not_ours();
}

std::string pass_body(const deadletter::Selection& selection, const std::string& cursor) {
  std::string body = "{";
  const auto* filter = std::get_if<Filter>(&selection);
  if (filter == nullptr) {
    body += "\"ids\":[";
    for (const LetterId id : std::get<std::set<LetterId>>(selection)) {
      body += (body.ends_with('[') ? "\"" : ",\"") + deadletter::to_text(id) + '"';
    }
    body += ']';
  } else if (const auto said = members(*filter); said.empty()) {
    body += "\"all\":true";
  } else {
    body += "\"filter\":{";
    for (const auto& [name, value] : said) {
      body += body.ends_with('{') ? "" : ",";
      append_json_string(body, name);
      body += ':';
      append_json_string(body, value);
    }
    body += '}';
  }
  return body + (cursor.empty() ? "" : ",\"cursor\":\"" + cursor + "\"") + "}";
}

Result<Report> parse_report(std::string_view json) {
  Report report;
  bool has_count = false;
  const bool read = read_object(json, [&](std::string_view name, ondemand::value value) {
    if (name == "replayed" || name == "purged") {
      has_count = true;
      return value.get(report.done) == simdjson::SUCCESS;
    }
    if (name == "kept") {
      return value.get(report.kept) == simdjson::SUCCESS;
    }
    if (name == "why") {
      return read_why(value, report.why);
    }
    if (name == "stopped") {
      report.stopped = text_of(value);
    } else if (name == "cursor") {
      report.cursor = text_of(value);
    }
    return true;
  });
  return read && has_count ? Result<Report>(std::move(report)) : not_ours();
}

std::string to_json(const Report& report, std::string_view verb) {
  std::string out = fmt::format("{{\"{}\":{}", verb, report.done);
  if (verb == "replayed") {
    fmt::format_to(std::back_inserter(out), ",\"kept\":{},\"why\":[", report.kept);
    for (const Report::Kept& kept : report.why) {
      out += out.ends_with('[') ? "{\"id\":" : ",{\"id\":";
      append_json_string(out, kept.id);
      out += ",\"reason\":";
      append_json_string(out, kept.reason);
      out += '}';
    }
    out += ']';
  }
  out += ",\"stopped\":";
  if (report.stopped.empty()) {
    out += "null";
  } else {
    append_json_string(out, report.stopped);
  }
  return out + "}\n";
}

std::string message_of(std::string_view answer) {
  std::string message;
  const bool read = read_object(answer, [&](std::string_view name, ondemand::value value) {
    message = name == "message" ? text_of(value) : message;
    return true;
  });
  return read && !message.empty() ? message : std::string(shortened(answer, 200));
}

std::string table_head() {
  return fmt::format(row_format, "ID", "LAST ATTEMPT", "WORKSPACE", "KIND", "REASON", "STATUS",
                     "ATTEMPTS", "TRACE", "ANSWER");
}

std::string table_row(const deadletter::Letter& letter) {
  return fmt::format(row_format, deadletter::to_text(letter.id), time_text(letter.last_attempt_at),
                     printable(letter.workspace), printable(letter.kind), printable(letter.reason),
                     letter.status, letter.attempts, trace_text(letter),
                     printable(shortened(letter.answer, answer_bytes_shown)));
}

std::string description(const deadletter::Letter& letter) {
  return fmt::format(
      "id            {}\nworkspace     {}\nkind          {}\nreason        {}\n"
      "status        {}\nattempts      {}\nlast attempt  {}\ntraceparent   {}\nanswer        "
      "{}\nevent         {}\n",
      deadletter::to_text(letter.id), printable(letter.workspace), printable(letter.kind),
      printable(letter.reason), letter.status, letter.attempts, time_text(letter.last_attempt_at),
      letter.traceparent.empty() ? "-" : printable(letter.traceparent), printable(letter.answer),
      letter.event);
}

}  // namespace sluice::cli
