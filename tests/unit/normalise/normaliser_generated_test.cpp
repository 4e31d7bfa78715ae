// Goal: whatever JSON goes in, valid canonical JSON or a clear rejection comes out, with numbers
// intact; and whatever bytes go in, nothing breaks. Seeds are printed and replay.
#include <algorithm>
#include <regex>

#include <gtest/gtest.h>
#include <simdjson.h>

#include "normalise_support.hpp"

namespace sluice::normalise {
namespace {

// A random JSON value, as it comes (with space and nulls) and as it must come out.
struct Value {
  std::string given;
  std::string canonical;
  bool is_null = false;
};

// By another parser's judgement. It refuses numbers that no double or no 64 bits can hold, whose
// digits we pass on: it is shown shorter ones.
bool is_json(const std::string& text) {
  static const std::regex digits("[0-9]{16,}");
  static const std::regex exponent("([0-9][eE][+-])[0-9]+");
  const std::string shorter =
      std::regex_replace(std::regex_replace(text, digits, "1"), exponent, "$011");
  simdjson::dom::parser parser;
  return parser.parse(shorter).error() == simdjson::SUCCESS;
}

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : rng_(seed) {}

  Value value(int depth) {
    switch (rng_.below(depth > 4 ? 5 : 7)) {
      case 0:
        return {"null", "", true};
      case 1:
        return same(rng_.below(2) == 0 ? "true" : "false");
      case 2:
        return same(number());
      case 3:
      case 4:
        return same(string());
      case 5:
        return container('[', ']', depth, false);
      default:
        return container('{', '}', depth, true);
    }
  }
  std::string space() {
    constexpr std::array<std::string_view, 5> spaces{"", "", " ", "\n\t", "  \r\n "};
    return std::string(spaces[rng_.below(spaces.size())]);
  }
  Rng& rng() { return rng_; }

 private:
  static Value same(std::string text) { return {text, text}; }

  std::string number() {
    std::string text = rng_.below(3) == 0 ? "-" : "";
    text += rng_.below(4) == 0 ? "0" : std::to_string(1 + rng_.below(1'000'000'000));
    for (std::uint64_t i = rng_.below(4) == 0 ? 30 : 0; i > 0 && text.back() != '0'; --i) {
      text += static_cast<char>('1' + rng_.below(9));
    }
    if (rng_.below(2) == 0) {
      text += '.' + std::to_string(rng_.below(100'000)) + "0";
    }
    if (rng_.below(4) == 0) {
      text += rng_.below(2) == 0 ? "e+" : "E-";
      text += std::to_string(rng_.below(500));
    }
    return text;
  }
  std::string string() {
    constexpr std::array<std::string_view, 9> pieces{"a",
                                                     "plain text of some length",
                                                     "\\n",
                                                     "\\u00e9",
                                                     "\xc3\xa9",
                                                     "\\ud83d\\ude00",
                                                     "\xf0\x9f\x98\x80",
                                                     "\\\"",
                                                     "{[,:]}"};
    std::string text = "\"";
    for (std::uint64_t i = rng_.below(5); i > 0; --i) {
      text += pieces[rng_.below(pieces.size())];
    }
    return text + '"';
  }
  Value container(char open, char close, int depth, bool named) {
    Value out{std::string(1, open), std::string(1, open)};
    for (std::uint64_t i = 0, n = rng_.below(5); i < n; ++i) {
      const std::string name = named ? "\"k" + std::to_string(i) + "\"" : "";
      const Value item = value(depth + 1);
      out.given += (i > 0 ? "," : "") + space() + name + space() + (named ? ":" : "") + space() +
                   item.given + space();
      if (!item.is_null) {
        out.canonical += std::string(out.canonical.size() > 1 ? "," : "") + name +
                         (named ? ":" : "") + item.canonical;
      }
    }
    out.given += space() + close;
    out.canonical += close;
    return out;
  }

  Rng rng_;
};

TEST(NormaliserGenerated, ParamsComeOutCompactAndByteExact) {
  for (std::uint64_t seed = 1; seed <= 5'000; ++seed) {
    Generator generator(seed);
    const Value value = generator.value(0);
    const std::string head =
        R"({"type":"custom","action":"a","label":"l","client":{"id":1},"params":{)";
    const std::string tail = R"(},"time":"2024-05-01T12:00:00.000Z"})";
    const std::string expected = head + (value.is_null ? "" : "\"x\":" + value.canonical) + tail;
    const Outcome outcome = run_batch(generator.space() + head + "\"x\" :" + value.given + tail);
    ASSERT_TRUE(outcome.body) << "seed " << seed << ": " << outcome.body.error().message;
    ASSERT_EQ(outcome.events.records.size(), 1) << "seed " << seed;
    ASSERT_EQ(outcome.json(0), expected) << "seed " << seed;
    const Outcome again = run_batch(expected);
    ASSERT_EQ(again.json(0), expected) << "normalising twice changes nothing; seed " << seed;
    ASSERT_TRUE(is_json(expected)) << "seed " << seed;
  }
}

TEST(NormaliserGenerated, MutatedBytesNeverBreakIt) {
  const std::string good =
      R"([{"type":"added-to-cart","label":"l\u00e9","time":"2024-05-01T12:00:00Z","client":{"email":"a@b.com",)"
      R"("customId":"x y"},"params":{"source":"POS","sku":"s","name":"n\n","quantity":1.50,"finalUnitPrice":)"
      R"({"amount":2.5,"currency":"EUR"},"n":null,"deep":[[{"a":[true,false,null]}]]},"eventSalt":"s"}])";
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
    Rng rng(seed);
    std::string body = good;
    for (std::uint64_t i = 1 + rng.below(3); i > 0; --i) {
      constexpr std::string_view bytes = "{}[]:,\"\\ntf0e.-+ \xff\x00\x01";
      switch (rng.below(3)) {
        case 0:
          body[rng.below(body.size())] = bytes[rng.below(bytes.size())];
          break;
        case 1:
          body.erase(rng.below(body.size()), 1 + rng.below(8));
          break;
        default:
          body.insert(rng.below(body.size()), 1, bytes[rng.below(bytes.size())]);
          break;
      }
    }
    const Outcome outcome = run_batch(body);
    // Bytes that are not UTF-8 cost their event alone.
    const auto refusals = outcome.refusals();
    const bool is_text = std::ranges::find(refusals, ": string_invalid") == refusals.end();
    ASSERT_TRUE(!outcome.body || !is_text || is_json(body)) << "seed " << seed << ": " << body;
    for (const std::string& json : outcome.all()) {
      ASSERT_TRUE(!outcome.body || is_json(json)) << "seed " << seed << ": " << json;
    }
    ASSERT_EQ(outcome.events.records.size(), outcome.events.indexes.size()) << "seed " << seed;
    ASSERT_EQ(outcome.events.rejections.empty(), outcome.events.rejected_events == 0)
        << "seed " << seed;
    const Outcome lenient = run_batch(body, api_rules());
    ASSERT_EQ(lenient.body.has_value(), outcome.body.has_value()) << "seed " << seed;
    ASSERT_GE(lenient.events.records.size(), outcome.events.records.size()) << "seed " << seed;
    for (const std::string& json : lenient.all()) {
      ASSERT_TRUE(!lenient.body || is_json(json)) << "seed " << seed << ": " << json;
      ASSERT_TRUE(!lenient.body || run_batch(json, api_rules()).all() == std::vector{json})
          << "normalising twice changes nothing; seed " << seed << ": " << json;
    }
  }
}

}  // namespace
}  // namespace sluice::normalise
