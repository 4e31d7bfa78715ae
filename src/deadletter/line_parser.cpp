#include "line_parser.hpp"

#include <algorithm>

#include <sluice/base/json_text.hpp>
#include <sluice/event/kind.hpp>
#include <sluice/normalise/time.hpp>

namespace sluice::deadletter {
namespace {

namespace ondemand = simdjson::ondemand;

std::string_view without_space_behind(std::string_view text) {
  return text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
}

bool is_valid(ondemand::value value);

bool is_valid(ondemand::object object) {
  for (auto field : object) {
    ondemand::value value;
    if (field.unescaped_key().error() != simdjson::SUCCESS ||
        field.value().get(value) != simdjson::SUCCESS || !is_valid(value)) {
      return false;
    }
  }
  return true;
}

bool is_valid(ondemand::array array) {
  for (auto element : array) {
    ondemand::value value;
    if (element.get(value) != simdjson::SUCCESS || !is_valid(value)) {
      return false;
    }
  }
  return true;
}

// simdjson reads on demand and checks only what it reads.
bool is_valid(ondemand::value value) {
  ondemand::json_type type{};
  if (value.type().get(type) != simdjson::SUCCESS) {
    return false;
  }
  switch (type) {
    case ondemand::json_type::object: {
      ondemand::object object;
      return value.get(object) == simdjson::SUCCESS && is_valid(object);
    }
    case ondemand::json_type::array: {
      ondemand::array array;
      return value.get(array) == simdjson::SUCCESS && is_valid(array);
    }
    case ondemand::json_type::string:
      return value.get_string().error() == simdjson::SUCCESS;
    default:
      break;
  }
  const std::string_view token = without_space_behind(value.raw_json_token());
  return token == "true" || token == "false" || token == "null" || is_json_number(token);
}

bool read_event(ondemand::value value, LetterView& letter) {
  ondemand::object object;
  if (value.get(object) != simdjson::SUCCESS ||
      object.raw_json().get(letter.event) != simdjson::SUCCESS ||
      object.reset().error() != simdjson::SUCCESS || !is_valid(object)) {
    return false;
  }
  letter.event = without_space_behind(letter.event);
  return true;
}

bool read_time(ondemand::value value, WallTime& out) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) {
    return false;
  }
  const auto time = parse_time(text);
  out = time ? time->time : out;
  return time.has_value();
}

template <class T>
bool read_count(ondemand::value value, T& out) {
  std::uint64_t number = 0;
  const bool read = value.get(number) == simdjson::SUCCESS;
  out = static_cast<T>(number);
  return read && number <= std::numeric_limits<T>::max();
}

bool read_member(std::string_view name, ondemand::value value, LetterView& letter) {
  const auto read_text = [&value](std::string_view& out) {
    return value.get(out) == simdjson::SUCCESS;
  };
  if (name == "id") {
    std::string_view text;
    const bool read = read_text(text);
    letter.id = parse_letter_id(text).value_or(0);
    return read;
  }
  if (name == "workspace") {
    return read_text(letter.workspace);
  }
  if (name == "kind") {
    return read_text(letter.kind) && kind_from_name(letter.kind);
  }
  if (name == "reason") {
    return read_text(letter.reason);
  }
  if (name == "status") {
    return read_count(value, letter.status);
  }
  if (name == "answer") {
    return read_text(letter.answer);
  }
  if (name == "attempts") {
    return read_count(value, letter.attempts);
  }
  if (name == "first_attempt_at") {
    std::string_view text;
    if (!read_text(text)) {
      return is_valid(value);
    }
    const auto time = parse_time(text);  // nothing hangs on it
    letter.first_attempt_at = time ? time->time : letter.first_attempt_at;
    return true;
  }
  if (name == "last_attempt_at") {
    return read_time(value, letter.last_attempt_at);
  }
  if (name == "traceparent") {
    return read_text(letter.traceparent);
  }
  if (name == "event") {
    return read_event(value, letter);
  }
  return is_valid(value);
}

}  // namespace

std::optional<LetterView> LineParser::parse(std::string_view line) {
  ondemand::document document;
  ondemand::object object;
  if (parser_.iterate(line.data(), line.size(), line.size() + padding_bytes).get(document) !=
          simdjson::SUCCESS ||
      document.get_object().get(object) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  LetterView letter{.line = line};
  for (auto field : object) {
    std::string_view name;
    ondemand::value value;
    if (field.unescaped_key().get(name) != simdjson::SUCCESS ||
        field.value().get(value) != simdjson::SUCCESS || !read_member(name, value, letter)) {
      return std::nullopt;
    }
  }
  const bool at_end = document.current_location().error() == simdjson::OUT_OF_BOUNDS;
  const bool is_whole = at_end && !letter.workspace.empty() && !letter.kind.empty() &&
                        !letter.reason.empty() && !letter.event.empty();
  return is_whole ? std::optional(letter) : std::nullopt;
}

}  // namespace sluice::deadletter
