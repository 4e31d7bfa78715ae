// What the normaliser's tests share: one call from text to outcome.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sluice/normalise/normaliser.hpp>

namespace sluice::normalise {

// 2024-05-01T12:00:00.000Z
inline constexpr WallTime test_now{std::chrono::milliseconds(1'714'564'800'000)};

struct Outcome {
  Result<void, BodyError> body;
  Normalised events;

  [[nodiscard]] std::string json(std::size_t i) const {
    const EventRecord& record = events.records.at(i);
    return std::string(events.bytes().substr(record.offset, record.size));
  }
  [[nodiscard]] std::vector<std::string> all() const {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < events.records.size(); ++i) {
      out.push_back(json(i));
    }
    return out;
  }
  // "params.source: param_missing", for each warning.
  [[nodiscard]] std::vector<std::string> warnings() const {
    std::vector<std::string> out;
    for (const Warning& warning : events.warnings) {
      out.push_back(warning.field + ": " + std::string(info(warning.rule).name));
    }
    return out;
  }
  // "client.email: identifier_invalid", for each rejection.
  [[nodiscard]] std::vector<std::string> refusals() const {
    std::vector<std::string> out;
    for (const Rejection& rejection : events.rejections) {
      out.push_back(rejection.field + ": " + std::string(to_string(rejection.reason)));
    }
    return out;
  }
};

// Strict, so that each rule refuses.
inline Rules plain_rules() {
  Rules rules;
  rules.strict = true;
  rules.generated_salts = false;  // so that output can be compared as a whole
  return rules;
}

inline Rules api_rules() {
  Rules rules = plain_rules();
  rules.strict = false;
  return rules;
}

inline Outcome run(std::string_view body, Request request, const Rules& rules) {
  if (request.received_at == WallTime{}) {
    request.received_at = test_now;
  }
  Normaliser normaliser(Rng(1));
  std::string padded(body);
  padded.resize(body.size() + Normaliser::padding_bytes, ']');
  Outcome outcome;
  outcome.body =
      normaliser.run(std::span(padded).first(body.size()), request, rules, outcome.events);
  return outcome;
}

inline Outcome run_batch(std::string_view body, const Rules& rules = plain_rules()) {
  return run(body, Request{}, rules);
}

}  // namespace sluice::normalise
