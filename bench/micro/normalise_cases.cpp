#include <memory>
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>
#include <identifiers.hpp>
#include <salt.hpp>
#include <simdjson.h>
#include <text_bytes.hpp>

#include <sluice/base/assert.hpp>
#include <sluice/normalise/normaliser.hpp>
#include <sluice/normalise/time.hpp>

#include "cases.hpp"
#include "payloads.hpp"

namespace sluice::micro {
namespace {

using normalise::Normalised;
using normalise::Normaliser;

// One body, normalised again and again into the same memory.
struct Normalisation {
  explicit Normalisation(std::string_view text) : padded(text), size(text.size()) {
    padded.resize(size + Normaliser::padding_bytes);
  }

  void run() {
    out.clear();
    const auto done = normaliser.run(std::span(padded).first(size), request, rules, out);
    SLUICE_ASSERT(done.has_value() && out.records.size() == events);
    benchmark::DoNotOptimize(out.bytes().data());
  }

  std::string padded;
  std::size_t size;
  std::size_t events = 1;
  normalise::Request request{.received_at = received_at};
  normalise::Rules rules;
  Normaliser normaliser{Rng(1)};
  Normalised out;
};

// The measure of what is possible: the same bytes, read into simdjson's DOM and no further.
struct DomParse {
  explicit DomParse(std::string_view text) : padded(text) {}
  void run() {
    simdjson::dom::element root;
    SLUICE_ASSERT(parser.parse(padded).get(root) == simdjson::SUCCESS);
    benchmark::DoNotOptimize(root);
  }
  simdjson::padded_string padded;
  simdjson::dom::parser parser;
};

void add_body(std::vector<Case>& cases, const std::string& name, const std::string& body,
              std::size_t events, const normalise::Request& request) {
  auto normalisation = std::make_shared<Normalisation>(body);
  normalisation->events = events;
  normalisation->request = request;
  normalisation->request.received_at = received_at;
  cases.push_back(
      {.name = "normalise/" + name, .items = events, .bytes = body.size(), .run = [normalisation] {
         normalisation->run();
       }});
  auto parse = std::make_shared<DomParse>(body);
  cases.push_back(
      {.name = "dom_parse/" + name, .items = events, .bytes = body.size(), .run = [parse] {
         parse->run();
       }});
}

template <class Text, class Check>
void add_text(std::vector<Case>& cases, const std::string& name, Text text, Check check) {
  cases.push_back({.name = name, .items = 1, .bytes = text.size(), .run = [text, check] {
                     std::string_view seen = text;
                     benchmark::DoNotOptimize(seen);
                     benchmark::DoNotOptimize(check(seen));
                   }});
}

void add_identifiers(std::vector<Case>& cases) {
  using namespace std::string_view_literals;
  add_text(cases, "identifier/email", "customer42@mail.example"sv, normalise::is_email);
  add_text(cases, "identifier/uuid", "0195c2f0-7a52-7c3e-9f0d-3b1f6a2e4d5c"sv, normalise::is_uuid);
  // Read block by block: what is behind it must be readable.
  constexpr std::string_view padded = "C0000042                                ";
  add_text(cases, "identifier/plain", padded.substr(0, 8), [](std::string_view text) {
    return normalise::is_plain_ascii(text.data(), text.size());
  });
  add_text(cases, "identifier/unicode", "klient-zażółć-42"sv, normalise::holds_forbidden_character);
}

void add_times_and_salts(std::vector<Case>& cases) {
  using namespace std::string_view_literals;
  const auto parse = [](std::string_view text) { return parse_time(text).has_value(); };
  add_text(cases, "time/parse_utc", "2025-02-28T23:59:30.250Z"sv, parse);
  add_text(cases, "time/parse_offset", "2025-02-28 23:59:30.250123+01:00"sv, parse);
  add_text(cases, "time/parse_epoch", "1740787170250"sv, parse);
  cases.push_back({.name = "time/format", .run = [] {
                     std::array<char, time_text_size> text;
                     format_time(received_at, text.data());
                     benchmark::DoNotOptimize(text);
                   }});
  auto rng = std::make_shared<Rng>(1);
  cases.push_back({.name = "salt/random", .run = [rng] {
                     std::array<char, normalise::salt_length> text;
                     normalise::write_random_salt(text.data(), received_at, *rng);
                     benchmark::DoNotOptimize(text);
                   }});
  cases.push_back({.name = "salt/derived", .run = [] {
                     std::array<char, normalise::salt_length> text;
                     normalise::write_derived_salt(text.data(), "checkout-2025-000042", 7);
                     benchmark::DoNotOptimize(text);
                   }});
}

}  // namespace

void add_normalise_cases(std::vector<Case>& cases) {
  const auto single = [&](const std::string& name, const std::string& body, EventType type) {
    add_body(cases, name, body, 1, {.framing = normalise::Framing::object, .type = type});
  };
  single("custom-small", small_custom_event(), EventType::custom);
  single("custom-large", large_custom_event(), EventType::custom);
  single("product-view", single_event("/v4/events/product-view"), EventType::product_view);
  single("added-to-cart", single_event("/v4/events/added-to-cart"), EventType::added_to_cart);
  add_body(cases, "transaction", transaction(), 1,
           {.framing = normalise::Framing::object, .kind = EventKind::transaction});
  constexpr std::size_t events_many = 100;
  add_body(cases, "array-100", mixed_array(events_many), events_many, {});
  add_identifiers(cases);
  add_times_and_salts(cases);
}

}  // namespace sluice::micro
