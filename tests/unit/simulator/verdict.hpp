// What the rules say of a text, in one line that a table can hold.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include <simdjson.h>

#include "rules.hpp"

namespace sluice::simulator {

// 2026-01-01T00:00:00Z
inline constexpr WallTime test_now{std::chrono::milliseconds{1'767'225'600'000}};

// "" when all is well, else the code and the field, such as "120 client.email".
inline std::string to_line(const std::expected<Arrival, Violation>& checked) {
  if (checked) {
    return "";
  }
  return std::to_string(static_cast<int>(checked.error().code)) + " " + checked.error().field;
}

inline std::string event_verdict(std::string_view json, std::optional<EventType> type = {},
                                 Validation validation = Validation::strict) {
  simdjson::dom::parser parser;
  simdjson::dom::element element;
  if (parser.parse(json.data(), json.size()).get(element) != simdjson::SUCCESS) {
    return "not JSON";
  }
  return to_line(check_event(element, type, validation, test_now));
}

inline std::string transaction_verdict(std::string_view json,
                                       Validation validation = Validation::strict) {
  simdjson::dom::parser parser;
  simdjson::dom::element element;
  if (parser.parse(json.data(), json.size()).get(element) != simdjson::SUCCESS) {
    return "not JSON";
  }
  return to_line(check_transaction(element, validation, test_now));
}

}  // namespace sluice::simulator
