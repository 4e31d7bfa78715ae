// Goal: each rule that the API has for an event refuses what breaks it, naming the field, and
// nothing else.
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>
#include <simdjson.h>

#include <sluice/base/rng.hpp>
#include <sluice/event/event_type.hpp>
#include <sluice/normalise/normaliser.hpp>

#include "verdict.hpp"

namespace sluice::simulator {
namespace {

struct Judged {
  std::string_view json;
  std::string_view verdict;
};

void expect_all(std::span<const Judged> cases) {
  for (const auto& [json, verdict] : cases) {
    EXPECT_EQ(event_verdict(json), verdict) << json;
  }
}

// A custom event with this client.
std::string with_client(std::string_view client) {
  return R"({"type":"custom","action":"a","label":"l","params":{},"client":)" +
         std::string(client) + "}";
}

// A custom event with this further member.
std::string with_member(std::string_view member) {
  return R"({"type":"custom","action":"a","label":"l","params":{},"client":{"id":1},)" +
         std::string(member) + "}";
}

// An event of the type with these params.
std::string with_params(std::string_view type, std::string_view params) {
  return R"({"label":"l","client":{"id":1},"type":")" + std::string(type) + R"(","params":)" +
         std::string(params) + "}";
}

TEST(EventRules, outline) {
  constexpr Judged cases[] = {
      {R"({"type":"custom","action":"a","label":"l","client":{"id":1},"params":{}})", ""},
      {R"({"type":"hit-timer","label":"l","client":{"id":1}})", ""},
      {R"({"type":"push/viewed","label":"l","client":{"id":1}})", ""},
      {R"([])", "121 "},
      {R"("text")", "121 "},
      {R"({"action":"a","label":"l","client":{"id":1},"params":{}})", "120 type"},
      {R"({"type":7,"label":"l","client":{"id":1}})", "121 type"},
      {R"({"type":"completed-transaction","label":"l","client":{"id":1}})", "122 type"},
      {R"({"type":"hit-timer","client":{"id":1}})", "120 label"},
      {R"({"type":"hit-timer","label":"","client":{"id":1}})", "120 label"},
      {R"({"type":"hit-timer","label":7,"client":{"id":1}})", "121 label"},
      {R"({"type":"hit-timer","label":"l"})", "120 client"},
      {R"({"type":"custom","action":"a","label":"l","client":{"id":1}})", "120 params"},
      {R"({"type":"custom","action":"a","label":"l","client":{"id":1},"params":[]})", "121 params"},
      {R"({"type":"hit-timer","label":"l","client":{"id":1},"params":"x"})", "121 params"},
      {R"({"type":"added-to-favorites","label":"l","client":{"id":1}})", "120 params"},
  };
  expect_all(cases);
}

TEST(EventRules, structure) {
  EXPECT_EQ(event_verdict(with_member(R"("time":null)")), "123 time");
  EXPECT_EQ(event_verdict(with_member(R"("other":null)")), "123 other");
  EXPECT_EQ(event_verdict(with_client(R"({"id":1,"email":null})")), "123 client.email");
  EXPECT_EQ(event_verdict(with_params("hit-timer", R"({"a":[1,{"b":null}]})")),
            "123 params.a[1].b");
  EXPECT_EQ(event_verdict(with_member(R"("label":"again")")), "124 label");
  EXPECT_EQ(event_verdict(with_params("hit-timer", R"({"a":{"x":1,"y":2,"x":3}})")),
            "124 params.a.x");
  EXPECT_EQ(event_verdict(with_params("hit-timer", R"({"":1,"":2})")), "124 params");
  // The same key in different objects is nothing unusual.
  EXPECT_EQ(event_verdict(with_params("hit-timer", R"({"a":{"a":1},"b":{"a":1}})")), "");
}

// Keys whose quick mark collides are still different keys.
TEST(EventRules, many_keys_are_told_apart) {
  std::string params = "{";
  for (int i = 0; i < 300; ++i) {
    params += "\"key" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  }
  EXPECT_EQ(event_verdict(with_params("hit-timer", params + "\"last\":0}")), "");
  EXPECT_EQ(event_verdict(with_params("hit-timer", params + "\"key150\":0}")), "124 params.key150");
}

TEST(EventRules, nesting_ends_at_the_limit) {
  const auto nested = [](std::size_t depth) {
    return with_params("hit-timer",
                       R"({"a":)" + std::string(depth, '[') + std::string(depth, ']') + "}");
  };
  // The event and its params are the first two of 64 levels.
  EXPECT_EQ(event_verdict(nested(61)), "");
  EXPECT_TRUE(event_verdict(nested(64)).starts_with("125 params.a"));
}

TEST(EventRules, action) {
  const auto with_action = [](std::string_view type, std::string_view action) {
    return R"({"label":"l","client":{"id":1},"params":{},"type":")" + std::string(type) +
           R"(","action":)" + std::string(action) + "}";
  };
  const std::string longest(32, 'a');
  EXPECT_EQ(event_verdict(with_action("custom", '"' + longest + '"')), "");
  EXPECT_EQ(event_verdict(with_action("custom", '"' + longest + "a\"")), "122 action");
  EXPECT_EQ(event_verdict(with_action("custom", R"("a b")")), "122 action");
  EXPECT_EQ(event_verdict(with_action("custom", R"("")")), "120 action");
  EXPECT_EQ(event_verdict(with_action("custom", "5")), "121 action");
  EXPECT_EQ(event_verdict(with_action("custom", R"("transaction.charge")")), "126 action");
  EXPECT_EQ(event_verdict(with_action("added-to-favorites", R"("a")")), "126 action");
  EXPECT_EQ(event_verdict(R"({"type":"custom","label":"l","client":{"id":1},"params":{}})"),
            "120 action");
}

TEST(EventRules, client) {
  constexpr Judged cases[] = {
      {R"({"id":1})", ""},
      {R"({"id":-9223372036854775808})", ""},
      {R"({"customId":"c"})", ""},
      {R"({"customId":"c d"})", ""},
      {R"({"uuid":"07243772-008a-42e1-ba37-c3807cebde8f"})", ""},
      {R"({"email":"a@b.pl"})", ""},
      {R"({"id":1,"customId":"c","email":"a@b.pl","city":"Kraków"})", ""},
      {R"([])", "121 client"},
      {R"({})", "120 client"},
      {R"({"city":"Kraków"})", "120 client"},
      {R"({"id":"1"})", "121 client.id"},
      {R"({"id":1.5})", "121 client.id"},
      {R"({"id":9223372036854775808})", "121 client.id"},
      {R"({"customId":7})", "121 client.customId"},
      {R"({"customId":""})", "122 client.customId"},
      {R"({"customId":" c"})", "122 client.customId"},
      {R"({"customId":"c\u00a0"})", "122 client.customId"},
      {R"({"customId":"a\nb"})", "122 client.customId"},
      {R"({"customId":"a\u0000b"})", "122 client.customId"},
      {R"({"customId":"\ud83d\ude00"})", "122 client.customId"},
      {R"({"email":"a\u00adb@c.pl"})", "122 client.email"},
      {R"({"email":"nobody"})", "122 client.email"},
      {R"({"email":"a@b.pl "})", "122 client.email"},
      {R"({"uuid":"07243772"})", "122 client.uuid"},
      {R"({"id":1,"email":"nobody"})", "122 client.email"},
  };
  for (const auto& [client, verdict] : cases) {
    EXPECT_EQ(event_verdict(with_client(client)), verdict) << client;
  }
}

TEST(EventRules, time_and_salt) {
  EXPECT_EQ(event_verdict(with_member(R"("time":"2025-01-01T00:00:00+01:00")")), "");
  EXPECT_EQ(event_verdict(with_member(R"("time":"2025-01-01T00:00:00")")), "122 time");
  EXPECT_EQ(event_verdict(with_member(R"("time":1735689600000)")), "121 time");
  // The future is not refused: it is replaced.
  EXPECT_EQ(event_verdict(with_member(R"("time":"2099-01-01T00:00:00Z")")), "");
  const std::string longest(256, 's');
  EXPECT_EQ(event_verdict(with_member(R"("eventSalt":")" + longest + '"')), "");
  EXPECT_EQ(event_verdict(with_member(R"("eventSalt":"s)" + longest + '"')), "122 eventSalt");
  EXPECT_EQ(event_verdict(with_member(R"("eventSalt":"")")), "120 eventSalt");
  EXPECT_EQ(event_verdict(with_member(R"("eventSalt":5)")), "121 eventSalt");
}

TEST(EventRules, email_in_params_equals_the_clients) {
  const auto verdict = [](std::string_view client, std::string_view params) {
    return event_verdict(R"({"type":"hit-timer","label":"l","client":)" + std::string(client) +
                         R"(,"params":)" + std::string(params) + "}");
  };
  EXPECT_EQ(verdict(R"({"email":"a@b.pl"})", R"({"email":"a@b.pl"})"), "");
  EXPECT_EQ(verdict(R"({"email":"a@b.pl"})", R"({"email":"x@b.pl"})"), "122 params.email");
  EXPECT_EQ(verdict(R"({"email":"a@b.pl"})", R"({"email":5})"), "122 params.email");
  EXPECT_EQ(verdict(R"({"id":1})", R"({"email":"x@b.pl"})"), "");
}

struct ParamsCase {
  std::string_view type;
  std::string_view params;
  std::string_view verdict;
};

TEST(EventRules, required_params) {
  constexpr ParamsCase cases[] = {
      {"added-to-cart",
       R"({"source":"POS","sku":"s","name":"n","quantity":1.5,"finalUnitPrice":{"amount":0,"currency":"PLN"}})",
       ""},
      {"added-to-cart", R"({})", "120 params.source"},
      {"added-to-cart", R"({"source":"SHOP"})", "122 params.source"},
      {"added-to-cart", R"({"source":5})", "121 params.source"},
      {"added-to-cart", R"({"source":"POS"})", "120 params.sku"},
      {"added-to-cart", R"({"source":"POS","sku":5})", "121 params.sku"},
      {"added-to-cart", R"({"source":"POS","sku":""})", "120 params.sku"},
      {"added-to-cart", R"({"source":"POS","sku":"s"})", "120 params.name"},
      {"removed-from-cart", R"({"source":"POS","sku":"s","name":"n"})", "120 params.quantity"},
      {"removed-from-cart", R"({"source":"POS","sku":"s","name":"n","quantity":"1"})",
       "121 params.quantity"},
      {"removed-from-cart", R"({"source":"POS","sku":"s","name":"n","quantity":1})",
       "120 params.finalUnitPrice"},
      {"removed-from-cart",
       R"({"source":"POS","sku":"s","name":"n","quantity":1,"finalUnitPrice":5})",
       "121 params.finalUnitPrice"},
      {"added-to-cart",
       R"({"source":"POS","sku":"s","name":"n","quantity":1,"finalUnitPrice":{"currency":"PLN"}})",
       "120 params.finalUnitPrice.amount"},
      {"added-to-cart",
       R"({"source":"POS","sku":"s","name":"n","quantity":1,"finalUnitPrice":{"amount":-0.01,"currency":"PLN"}})",
       "122 params.finalUnitPrice.amount"},
      {"added-to-cart",
       R"({"source":"POS","sku":"s","name":"n","quantity":1,"finalUnitPrice":{"amount":1}})",
       "120 params.finalUnitPrice.currency"},
      {"added-to-cart",
       R"({"source":"POS","sku":"s","name":"n","quantity":1,"finalUnitPrice":{"amount":1,"currency":"PLN"},"regularUnitPrice":{"amount":-1,"currency":"PLN"}})",
       "122 params.regularUnitPrice.amount"},
      {"product-view", R"({"productId":"p"})", "120 params.source"},
      {"searched", R"({})", "120 params.source"},
      {"shared", R"({})", "120 params.source"},
      {"visited-screen", R"({})", "120 params.source"},
      {"registered", R"({})", "120 params.source"},
      {"logged-in", R"({"source":"WEB_DESKTOP"})", ""},
      {"logged-in", R"({})", "120 params.source"},
      {"logged-out", R"({})", "120 params.source"},
      {"appeared-in-location", R"({"lat":50.06,"lon":19.94})", ""},
      {"appeared-in-location", R"({"lat":50.06})", "120 params.lon"},
      {"appeared-in-location", R"({"lat":"50.06","lon":19.94})", "121 params.lat"},
      {"application-started", R"({"applicationName":"a","version":"1"})", ""},
      {"application-started", R"({"applicationName":"a"})", "120 params.version"},
      {"application-started", R"({"applicationName":"a","version":1})", "121 params.version"},
      {"assigned-to-company", R"({"companyId":7})", ""},
      {"assigned-to-company", R"({"companyId":"7"})", "121 params.companyId"},
      {"cancelled-transaction", R"({"orderId":"o"})", ""},
      {"cancelled-transaction", R"({})", "120 params.orderId"},
      {"item-search-click",
       R"({"correlationId":"c","item":"i","position":1,"searchType":"autocomplete"})", ""},
      {"item-search-click", R"({"correlationId":"c","position":1})", "120 params.item"},
      {"item-search-click",
       R"({"correlationId":"c","item":"i","position":0,"searchType":"autocomplete"})",
       "122 params.position"},
      {"item-search-click",
       R"({"correlationId":"c","item":"i","position":1.5,"searchType":"autocomplete"})",
       "121 params.position"},
      {"item-search-click", R"({"correlationId":"c","item":"i","position":1,"searchType":"x"})",
       "122 params.searchType"},
  };
  for (const auto& [type, params, verdict] : cases) {
    EXPECT_EQ(event_verdict(with_params(type, params)), verdict) << type << " " << params;
  }
}

// The table of types and the forms of their params must not drift apart.
TEST(EventRules, every_required_param_of_every_type_is_checked) {
  for (const EventTypeInfo& type : event_types()) {
    if (type.deprecated) {
      continue;
    }
    const std::string verdict =
        event_verdict(R"({"label":"l","client":{"id":1},"params":{}})",
                      type.type == EventType::custom ? EventType::hit_timer : type.type);
    EXPECT_EQ(verdict, type.required_params.empty()
                           ? ""
                           : "120 params." + std::string(type.required_params.front()))
        << type.path;
  }
}

TEST(EventRules, the_path_gives_the_type_of_a_single_event) {
  EXPECT_EQ(event_verdict(R"({"label":"l","client":{"id":1},"params":{}})", EventType::logged_in),
            "120 params.source");
  EXPECT_EQ(event_verdict(R"({"label":"l","client":{"id":1},"params":{},"action":"a"})",
                          EventType::custom),
            "");
}

class ArrivalOf : public ::testing::Test {
 protected:
  Arrival read(std::string_view json) {
    simdjson::dom::element element;
    EXPECT_EQ(parser_.parse(json.data(), json.size()).get(element), simdjson::SUCCESS);
    return check_event(element, {}, Validation::strict, test_now).value();
  }

 private:
  simdjson::dom::parser parser_;
};

TEST_F(ArrivalOf, event_with_all_fields) {
  const Arrival arrival =
      read(R"({"type":"logged-in","label":"l","client":{"id":1,"customId":"c"},"eventSalt":"s",)"
           R"("time":"2025-12-31T23:00:00-01:00","params":{"source":"POS"}})");
  EXPECT_EQ(arrival.salt, "s");
  EXPECT_EQ(arrival.time, test_now);
  EXPECT_TRUE(arrival.time_is_own);
  EXPECT_FALSE(arrival.time_replaced);
  EXPECT_EQ(arrival.client.id, 1);
  EXPECT_EQ(arrival.client.custom_id, "c");
  EXPECT_EQ(arrival.action, "client.login");
  EXPECT_EQ(arrival.label, "l");
}

TEST_F(ArrivalOf, event_in_the_future_gets_the_arrival_time) {
  const Arrival arrival = read(
      R"({"type":"hit-timer","label":"l","client":{"id":1},"time":"2026-01-01T00:00:00.001Z"})");
  EXPECT_EQ(arrival.time, test_now);
  EXPECT_FALSE(arrival.time_is_own);
  EXPECT_TRUE(arrival.time_replaced);
}

TEST_F(ArrivalOf, event_without_a_time_gets_the_arrival_time) {
  const Arrival arrival = read(R"({"type":"hit-timer","label":"l","client":{"id":1}})");
  EXPECT_EQ(arrival.time, test_now);
  EXPECT_FALSE(arrival.time_is_own);
  EXPECT_FALSE(arrival.time_replaced);
}

// --- What the gateway takes ---

// Events and transactions, nearly valid: each field is now and then of another kind, or missing.
class Generator {
 public:
  explicit Generator(std::uint64_t seed) : rng_(seed) {}

  std::string event() {
    const EventTypeInfo& type = event_types()[rng_.below(event_type_count)];
    Members event;
    add(event, "type", '"' + std::string(type.path) + '"', 100);
    add(event, "action", R"("a.b")", type.type == EventType::custom ? 30 : 0);
    add(event, "label", R"("l")", 5);
    add(event, "client", client(), 30);
    add(event, "time", R"("2025-05-01T12:00:00Z")", 10);
    add(event, "eventSalt", R"("salt")", 10);
    add(event, "params", params(type), 30);
    return close(event);
  }

  std::string transaction() {
    Members made;
    add(made, "client", client(), 30);
    add(made, "orderId", R"("o")", 30);
    std::string products = product();
    for (std::uint64_t more = rng_.below(3); more > 0; --more) {
      products += ',' + product();
    }
    add(made, "products", '[' + products + ']', 30);
    for (const std::string_view price : {"revenue", "value", "discountAmount"}) {
      add(made, price, money(), 30);
    }
    add(made, "paymentInfo", R"({"method":)" + either(R"("CARD")", 10) + '}', 30);
    add(made, "source", R"("POS")", 30);
    add(made, "metadata", R"({"a":1})", 10);
    add(made, "recordedAt", R"("2025-05-01T12:00:00Z")", 10);
    return close(made);
  }

 private:
  using Members = std::string;

  static std::string close(const Members& members) {
    return '{' + (members.empty() ? members : members.substr(1)) + '}';
  }
  // `likely`: how many times in that many and one the member is there and of its kind.
  void add(Members& members, std::string_view name, std::string value, std::uint64_t likely) {
    if (rng_.below(likely + 1) != 0 || rng_.below(2) == 0) {
      members += ",\"" + std::string(name) + "\":" + either(std::move(value), likely);
    }
  }
  std::string either(std::string value, std::uint64_t likely) {
    static constexpr std::array<std::string_view, 22> odd{R"("")",
                                                          R"(" ")",
                                                          R"(" x ")",
                                                          R"("x")",
                                                          R"("\u0020")",
                                                          R"("\ud83d\ude00")",
                                                          "0",
                                                          "-0",
                                                          "1",
                                                          "-1",
                                                          "1.0",
                                                          "1.5",
                                                          "1e3",
                                                          "12345678901234567890",
                                                          "true",
                                                          "null",
                                                          "[]",
                                                          "{}",
                                                          R"([{"a":1}])",
                                                          R"({"amount":1,"currency":"EUR"})",
                                                          R"({"amount":"1","currency":"EUR"})",
                                                          R"(" a@b.co ")"};
    return rng_.below(likely + 1) == 0 ? std::string(odd[rng_.below(odd.size())])
                                       : std::move(value);
  }
  std::string client() {
    Members made;
    add(made, "id", "5", 10);
    add(made, "customId", R"("c")", 10);
    add(made, "email", R"("a@b.co")", 10);
    add(made, "uuid", R"("01890a5d-ac96-774b-bcce-b302099a8057")", 10);
    return close(made);
  }
  std::string money() {
    Members made;
    add(made, "amount", rng_.below(4) == 0 ? "0" : "1.50", 50);
    add(made, "currency", R"("EUR")", 50);
    return close(made);
  }
  std::string product() {
    Members made;
    add(made, "sku", R"("s")", 50);
    add(made, "name", R"("n")", 50);
    add(made, "quantity", "2", 50);
    for (const std::string_view price : {"finalUnitPrice", "regularPrice", "netUnitPrice"}) {
      add(made, price, money(), 50);
    }
    return close(made);
  }
  std::string params(const EventTypeInfo& type) {
    Members made;
    for (const std::string_view name : type.required_params) {
      add(made, name, param(name), 30);
    }
    add(made, "regularUnitPrice", money(), 3);
    add(made, "discountedUnitPrice", money(), 3);
    add(made, "email", R"("a@b.co")", 3);
    add(made, "other", R"("o")", 1);
    return close(made);
  }
  std::string param(std::string_view name) {
    if (name == "source") return R"("POS")";
    if (name == "searchType") return R"("autocomplete")";
    if (name == "finalUnitPrice") return money();
    const bool is_number = name == "quantity" || name == "lat" || name == "lon" ||
                           name == "companyId" || name == "position";
    return is_number ? "3" : R"("t")";
  }

  Rng rng_;
};

// At each level: what it lets through, the API's stand-in at the same level takes.
void expect_that_what_the_gateway_takes_is_taken(Validation validation) {
  normalise::Normaliser normaliser(Rng(1));
  normalise::Normalised events;
  normalise::Rules rules;
  rules.strict = validation == Validation::strict;
  Generator generator(20'260'101);
  std::size_t taken = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto kind = i % 4 == 0 ? EventKind::transaction : EventKind::event;
    const std::string given =
        kind == EventKind::event ? generator.event() : generator.transaction();
    std::string padded = given + std::string(normalise::Normaliser::padding_bytes, ' ');
    events.clear();
    normaliser.run_one(std::span(padded).first(given.size()), 0,
                       {.kind = kind, .received_at = test_now}, rules, events);
    if (events.records.empty()) {
      continue;
    }
    ++taken;
    const std::string made(events.bytes());
    ASSERT_EQ(kind == EventKind::event ? event_verdict(made, {}, validation)
                                       : transaction_verdict(made, validation),
              "")
        << given << '\n'
        << made;
  }
  EXPECT_GT(taken, 2'000U);
}

TEST(EventRules, whatever_the_gateway_takes_strictly_is_taken) {
  expect_that_what_the_gateway_takes_is_taken(Validation::strict);
}

TEST(EventRules, whatever_the_gateway_takes_by_default_is_taken_by_default) {
  expect_that_what_the_gateway_takes_is_taken(Validation::api);
}

TEST(EventRules, by_default_only_what_the_api_is_known_to_refuse) {
  const auto verdict = [](std::string_view json) {
    return event_verdict(json, {}, Validation::api);
  };
  for (const std::string_view taken :
       {R"({"type":"custom","action":"a","client":{"id":1}})",
        R"({"type":"logged-out","label":"l","client":{"uuid":"WEB1"}})",
        R"({"type":"added-to-cart","client":{"email":"a@b"},"params":{"quantity":"2"}})",
        R"({"type":"completed-transaction","client":{"id":1},"params":{"a":1,"a":2}})"}) {
    EXPECT_EQ(verdict(taken), "") << taken;
  }
  constexpr Judged refused[] = {
      {R"({"type":"no-such","client":{"id":1}})", "122 type"},
      {R"({"type":"custom","client":{"id":1}})", "120 action"},
      {R"({"type":"custom","action":"transaction.charge","client":{"id":1}})", "126 action"},
      {R"({"type":"hit-timer","label":7,"client":{"id":1}})", "121 label"},
      {R"({"type":"hit-timer","client":{}})", "120 client"},
      {R"({"type":"hit-timer","client":{"email":"x"}})", "122 client.email"},
      {R"({"type":"hit-timer","client":{"customId":5}})", "121 client.customId"},
      {R"({"type":"hit-timer","client":{"id":1},"params":[]})", "121 params"},
      {R"({"type":"hit-timer","client":{"id":1},"params":{"a":null}})", "123 params.a"},
  };
  for (const auto& [json, expected] : refused) {
    EXPECT_EQ(verdict(json), expected) << json;
  }
}

}  // namespace
}  // namespace sluice::simulator
