#include <array>
#include <charconv>

#include <fmt/format.h>

#include <sluice/base/json_text.hpp>
#include <sluice/deadletter/letter.hpp>
#include <sluice/normalise/time.hpp>

#include "letter_line.hpp"
#include "line_parser.hpp"

namespace sluice::deadletter {
namespace {

constexpr std::size_t id_digits = 16;

void append_time(std::string& line, WallTime time) {
  std::array<char, time_text_size> text{};
  format_time(time, text.data());
  append_json_string(line, {text.data(), text.size()});
}

}  // namespace

std::string to_text(LetterId id) { return fmt::format("{:016x}", id); }

std::optional<LetterId> parse_letter_id(std::string_view text) {
  LetterId id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id, 16);
  const bool is_id = text.size() == id_digits && error == std::errc() &&
                     end == text.data() + text.size() && id != 0;
  return is_id ? std::optional(id) : std::nullopt;
}

void append_line(std::string& out, const Letter& letter, LetterId id) {
  out += "{\"id\":\"" + to_text(id) + "\",\"workspace\":";
  append_json_string(out, letter.workspace);
  out += ",\"kind\":";
  append_json_string(out, letter.kind);
  out += ",\"reason\":";
  append_json_string(out, letter.reason);
  out += ",\"status\":" + std::to_string(letter.status) + ",\"answer\":";
  append_json_string(out, letter.answer);
  out += ",\"attempts\":" + std::to_string(letter.attempts) + ",\"first_attempt_at\":";
  append_time(out, letter.first_attempt_at);
  out += ",\"last_attempt_at\":";
  append_time(out, letter.last_attempt_at);
  if (!letter.traceparent.empty()) {
    out += ",\"traceparent\":";
    append_json_string(out, letter.traceparent);
  }
  out += ",\"event\":" + letter.event + "}\n";
}

Letter copy_of(const LetterView& letter) {
  return {.id = letter.id,
          .workspace = std::string(letter.workspace),
          .kind = std::string(letter.kind),
          .reason = std::string(letter.reason),
          .status = letter.status,
          .answer = std::string(letter.answer),
          .attempts = letter.attempts,
          .first_attempt_at = letter.first_attempt_at,
          .last_attempt_at = letter.last_attempt_at,
          .traceparent = std::string(letter.traceparent),
          .event = std::string(letter.event),
          .line = std::string(letter.line)};
}

std::optional<Letter> parse_letter(std::string_view line) {
  std::string padded(line);
  padded.resize(line.size() + LineParser::padding_bytes);
  LineParser parser;
  const auto letter = parser.parse(std::string_view(padded).substr(0, line.size()));
  return letter && letter->id != 0 ? std::optional(copy_of(*letter)) : std::nullopt;
}

}  // namespace sluice::deadletter
