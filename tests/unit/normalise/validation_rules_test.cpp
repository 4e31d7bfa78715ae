// Goal: the table of rules is what the normaliser does, at each level, and what the document says.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "normalise_support.hpp"

// Of its own: what is here has the names of other tests' helpers.
namespace sluice::normalise::validation_rules_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string custom(std::string_view members) {
  return R"({"type":"custom","action":"a.b","label":"l",)" + std::string(members) + "}";
}
std::string cart_event(std::string_view params) {
  return R"({"type":"added-to-cart","client":{"id":1},"params":{"source":"POS","name":"n",)" +
         std::string(params) + "}}";
}
std::string transaction(std::string_view members) {
  return R"({"client":{"id":1},)" + std::string(members) + "}";
}

constexpr std::string_view price = R"({"amount":5,"currency":"EUR"})";
constexpr std::string_view products =
    R"("products":[{"sku":"s","name":"n","quantity":1,"finalUnitPrice":{"amount":5,"currency":"EUR"}}])";
std::string sums() {
  return R"("revenue":)" + std::string(price) + R"(,"value":)" + std::string(price);
}
std::string paid() { return R"("paymentInfo":{"method":"CARD"},"source":"POS")"; }

// An event that breaks a rule, the field that is named, and a part of what `api` makes of it.
struct Case {
  Rule rule;
  std::string event;
  std::string_view field;
  std::string_view sent;
  std::optional<EventType> type{};
  EventKind kind = EventKind::event;
};

std::vector<Case> cases() {
  using enum Rule;
  constexpr EventKind sale = EventKind::transaction;
  const std::string whole = std::string(products) + "," + sums() + "," + paid();
  const std::string priced = R"("quantity":1,"finalUnitPrice":)" + std::string(price);
  return {
      {params_missing, custom(R"("client":{"id":1})"), "params", R"("params":{})"},
      {params_missing, R"({"type":"logged-out","client":{"id":1}})", "params", R"("params":{})"},
      {empty_list, custom(R"("client":{"id":1},"params":[ ])"), "params", R"("params":{})"},
      {empty_list,
       transaction(R"("orderId":"o","metadata":[],)" + whole),
       "metadata",
       R"("metadata":{})",
       {},
       sale},
      {empty_list,
       transaction(R"("orderId":"o","paymentInfo":[],"source":"POS",)" + std::string(products) +
                   "," + sums()),
       "paymentInfo",
       R"("paymentInfo":{})",
       {},
       sale},
      {param_missing, R"({"type":"searched","client":{"id":1},"params":{"query":"q"}})",
       "params.source", R"("params":{"query":"q"})"},
      {param_form,
       cart_event(R"("sku":"s","quantity":true,"finalUnitPrice":)" + std::string(price)),
       "params.quantity", R"("quantity":true)"},
      {param_form, cart_event(R"("sku":"s","regularUnitPrice":[5],)" + priced),
       "params.regularUnitPrice", R"("regularUnitPrice":[5])"},
      {param_twice,
       R"({"type":"shared","client":{"id":1},"params":{"source":"POS","source":"POS"}})",
       "params.source", R"("params":{"source":"POS","source":"POS"})"},
      {source_unknown, R"({"type":"shared","client":{"id":1},"params":{"source":"web_mobile"}})",
       "params.source", R"("source":"web_mobile")"},
      {source_unknown,
       transaction(R"("orderId":"o","paymentInfo":{"method":"C"},"source":"FAX",)" +
                   std::string(products) + "," + sums()),
       "source",
       R"("source":"FAX")",
       {},
       sale},
      {number_as_string,
       R"({"type":"assigned-to-company","client":{"id":1},"params":{"companyId":"7"}})",
       "params.companyId", R"("companyId":"7")"},
      {number_as_string,
       R"({"type":"item-search-click","client":{"id":1},"params":{"correlationId":"c","item":"i",)"
       R"("position":"1","searchType":"autocomplete"}})",
       "params.position", R"("position":"1")"},
      {string_as_number, cart_event(R"("sku":100200,)" + priced), "params.sku",
       R"("sku":"100200")"},
      {string_as_number,
       transaction(R"("orderId":123,)" + whole),
       "orderId",
       R"("orderId":"123")",
       {},
       sale},
      {string_as_number,
       custom(R"("client":{"id":1},"params":{},"eventSalt":12345678901234567890)"), "eventSalt",
       R"("eventSalt":"12345678901234567890")"},
      {string_as_number, R"({"type":"hit-timer","client":{"id":1},"label":7})", "label",
       R"("label":"7")"},
      {custom_id_as_number, custom(R"("client":{"customId":20931},"params":{})"), "client.customId",
       R"("customId":"20931")"},
      {id_as_string, custom(R"("client":{"id":"7300114522"},"params":{})"), "client.id",
       R"("client":{"id":7300114522})"},
      {amount_negative,
       transaction(R"("orderId":"o","discountAmount":{"amount":-5.10,"currency":"EUR"},)" + whole),
       "discountAmount.amount",
       R"("amount":-5.10)",
       {},
       sale},
      {price_incomplete,
       transaction(R"("orderId":"o","discountAmount":{"amount":5},)" + whole),
       "discountAmount.currency",
       R"("discountAmount":{"amount":5})",
       {},
       sale},
      {currency_differs,
       transaction(R"("orderId":"o","discountAmount":{"amount":5,"currency":"USD"},)" + sums() +
                   "," + paid() + R"(,"products":[{"sku":"s","name":"n","quantity":1,)" +
                   R"("finalUnitPrice":{"amount":5,"currency":"USD"}}])"),
       "revenue.currency",
       R"("currency":"EUR")",
       {},
       sale},
      {transaction_field_missing,
       transaction(R"("orderId":"o","source":"POS",)" + std::string(products) + "," + sums()),
       "paymentInfo",
       R"("orderId":"o")",
       {},
       sale},
      {transaction_field_missing,
       transaction(R"("orderId":"o","source":"POS","paymentInfo":{},)" + std::string(products) +
                   "," + sums()),
       "paymentInfo.method",
       R"("paymentInfo":{})",
       {},
       sale},
      {product_field_missing,
       transaction(R"("orderId":"o","products":[{"sku":"s","name":"n","quantity":1}],)" + sums() +
                   "," + paid()),
       "products[0].finalUnitPrice",
       R"([{"sku":"s","name":"n","quantity":1}])",
       {},
       sale},
      {products_empty,
       transaction(R"("orderId":"o","products":[],)" + sums() + "," + paid()),
       "products",
       R"("products":[])",
       {},
       sale},
      {text_blank,
       transaction(R"("orderId":" ",)" + whole),
       "orderId",
       R"("orderId":" ")",
       {},
       sale},
      {time_without_zone, custom(R"("client":{"id":1},"params":{},"time":"2010-12-01T08:26:00")"),
       "time", R"("time":"2010-12-01T08:26:00.000Z")"},
      {time_three_digit_seconds,
       custom(R"("client":{"id":1},"params":{},"time":"2010-12-01T08:26:000+01:00")"), "time",
       R"("time":"2010-12-01T07:26:00.000Z")"},
      {custom_id_as_number, custom(R"("client":{"customId":12.0},"params":{})"), "client.customId",
       R"("customId":"12.0")"},
      {string_as_number,
       transaction(R"("orderId":1.50,)" + whole),
       "orderId",
       R"("orderId":"1.50")",
       {},
       sale},
      {string_as_number, cart_event(R"("sku":1.5,)" + priced), "params.sku", R"("sku":"1.5")"},
      {salt_long,
       custom(R"("client":{"id":1},"params":{},"eventSalt":")" + std::string(300, 's') + '"'),
       "eventSalt", R"("eventSalt":"ssss)"},
      {field_misnamed,
       transaction(R"("orderId":"o","discount_amount":{"amount":1},)" + whole),
       "discount_amount",
       R"("discount_amount":)",
       {},
       sale},
      {field_misnamed,
       transaction(R"("orderId":"o",)" + sums() + "," + paid() +
                   R"(,"products":[{"sku":"s","name":"n","quantity":1,"final_unit_price":5}])"),
       "products[0].final_unit_price",
       R"("final_unit_price":5)",
       {},
       sale},
      {uuid_form, custom(R"("client":{"uuid":"WEB0b9c"},"params":{})"), "client.uuid",
       R"("uuid":"WEB0b9c")"},
      {email_form, custom(R"("client":{"email":"me@localhost"},"params":{})"), "client.email",
       R"("email":"me@localhost")"},
      {email_differs, custom(R"("client":{"email":"A@b.co"},"params":{"email":"a@b.co"})"),
       "params.email", R"("params":{"email":"a@b.co"})"},
      {action_of_type, R"({"type":"hit-timer","action":"mine","label":"l","client":{"id":1}})",
       "action", R"({"type":"hit-timer","label":"l",)"},
      {type_of_path, R"({"type":"custom","client":{"id":1}})", "type", R"({"type":"hit-timer",)",
       EventType::hit_timer},
      {type_deprecated, R"({"type":"recommendation-seen","client":{"id":1}})", "type",
       R"({"type":"recommendation-seen",)"},
      {salt_empty, custom(R"("client":{"id":1},"params":{},"eventSalt":"")"), "eventSalt",
       R"("params":{},"time")"},
      {field_misnamed, custom(R"("client":{"custom_id":"c","id":1},"params":{})"),
       "client.custom_id", R"("custom_id":"c")"},
      {field_misnamed,
       custom(R"("client":{"id":1},"params":{},"timestamp":"2020-01-01T00:00:00Z")"), "timestamp",
       R"("timestamp":"2020-01-01T00:00:00Z")"},
      {field_misnamed,
       transaction(R"("orderId":"o","time":"2020-01-01T00:00:00Z",)" + whole),
       "time",
       R"("recordedAt":)",
       {},
       sale},
  };
}

Outcome run_case(const Case& broken, const Rules& rules) {
  return run(broken.event, Request{.kind = broken.kind, .type = broken.type}, rules);
}

TEST(ValidationRules, StrictRefusesEachBreachByItsReason) {
  for (const Case& broken : cases()) {
    EXPECT_THAT(run_case(broken, plain_rules()).refusals(),
                testing::Contains(std::string(broken.field) + ": " +
                                  std::string(to_string(info(broken.rule).reason))))
        << broken.event;
  }
}

TEST(ValidationRules, ApiLetsEachBreachGoOnAndTellsOfIt) {
  std::set<Rule> seen;
  for (const Case& broken : cases()) {
    const Outcome outcome = run_case(broken, api_rules());
    EXPECT_THAT(outcome.refusals(), IsEmpty()) << broken.event;
    ASSERT_THAT(outcome.all(), ElementsAre(HasSubstr(broken.sent))) << broken.event;
    EXPECT_THAT(outcome.warnings(), testing::Contains(std::string(broken.field) + ": " +
                                                      std::string(info(broken.rule).name)))
        << broken.event;
    EXPECT_EQ(outcome.events.warned_by_rule[static_cast<std::size_t>(broken.rule)], 1U);
    EXPECT_GE(outcome.events.warning_count, 1U);
    // What comes out goes through again as it is.
    const Outcome again =
        run(outcome.json(0), Request{.kind = broken.kind, .type = broken.type}, api_rules());
    EXPECT_THAT(again.all(), ElementsAre(outcome.json(0))) << broken.event;
    seen.insert(broken.rule);
  }
  EXPECT_EQ(seen.size(), rule_count) << "each rule has an example";
}

TEST(ValidationRules, ApiTellsWhatIsMissingBehindMissingParams) {
  EXPECT_THAT(run_batch(R"([{"type":"searched","client":{"id":1}}])", api_rules()).warnings(),
              ElementsAre("params: params_missing", "params.source: param_missing"));
}

TEST(ValidationRules, ApiRefusesWhatNoReadingLetsPass) {
  const std::vector<std::pair<std::string, std::string>> refused{
      {"7", ": not_an_object"},
      {R"({"client":{"id":1}})", "type: field_missing"},
      {R"({"type":"no-such","client":{"id":1}})", "type: type_unknown"},
      {R"({"type":"custom","client":{"id":1}})", "action: field_missing"},
      {R"({"type":"custom","action":"with space","client":{"id":1}})", "action: action_invalid"},
      {R"({"type":"custom","action":"transaction.charge","client":{"id":1}})",
       "action: transaction_as_event"},
      {custom(R"("client":{"uuid":" "})"), "client: client_missing"},
      {custom(R"("client":{"id":""})"), "client: client_missing"},
      {custom(R"("client":[])"), "client: field_invalid"},
      {custom(R"("client":{"customId":"a\u0000b"})"), "client.customId: identifier_invalid"},
      {custom(R"("client":{"customId":true})"), "client.customId: identifier_invalid"},
      {custom(R"("client":{"id":"x"})"), "client.id: identifier_invalid"},
      {custom(R"("client":{"id":"007"})"), "client.id: identifier_invalid"},
      {custom(R"("client":{"id":1.0})"), "client.id: identifier_invalid"},
      {custom(R"("client":{"email":"n/a"})"), "client.email: identifier_invalid"},
      {custom(R"("client":{"email":"@b.co"})"), "client.email: identifier_invalid"},
      {custom(R"("client":{"uuid":5})"), "client.uuid: identifier_invalid"},
      {custom(R"("client":{"id":1},"time":"yesterday")"), "time: time_invalid"},
      {custom(R"("client":{"id":1},"time":"")"), "time: time_invalid"},
      {custom(R"("client":{"id":1},"time":"2010-12-01T08:26:001Z")"), "time: time_invalid"},
      {custom(R"("client":{"id":1},"eventSalt":{})"), "eventSalt: field_invalid"},
      {custom(R"("client":{"id":1},"params":[1])"), "params: field_invalid"},
      {custom(R"("client":{"id":1},"params":"x")"), "params: field_invalid"},
      {R"({"type":"hit-timer","client":{"id":1},"label":[]})", "label: field_invalid"},
      {custom(R"("client":{"id":1},"client":{"id":2})"), "client: duplicate_field"},
      {custom(R"("client":{"id":1},"par\u0061ms":{})"), "params: field_invalid"},
  };
  for (const auto& [event, refusal] : refused) {
    const Outcome outcome = run_batch("[" + event + "]", api_rules());
    EXPECT_THAT(outcome.refusals(), testing::Contains(refusal)) << event;
    EXPECT_THAT(outcome.all(), IsEmpty()) << event;
    EXPECT_THAT(outcome.warnings(), IsEmpty()) << "of what is refused, nothing else is told";
    EXPECT_EQ(outcome.events.warning_count, 0U);
  }
  const std::vector<std::pair<std::string, std::string>> sales{
      {R"("revenue":49.2)", "revenue: field_invalid"},
      {R"("value":{"amount":"a lot","currency":"EUR"})", "value.amount: field_invalid"},
      {R"("products":{})", "products: field_invalid"},
      {R"("products":[null])", "products[0]: field_invalid"},
      {R"("products":[{"quantity":[]}])", "products[0].quantity: field_invalid"},
      {R"("paymentInfo":"card")", "paymentInfo: field_invalid"},
      {R"("metadata":7)", "metadata: field_invalid"},
      {R"("orderId":true)", "orderId: field_invalid"},
  };
  for (const auto& [member, refusal] : sales) {
    EXPECT_THAT(
        run(transaction(member), Request{.kind = EventKind::transaction}, api_rules()).refusals(),
        testing::Contains(refusal))
        << member;
  }
}

TEST(ValidationRules, ACleanEventHasNoWarnings) {
  const Outcome outcome = run_batch(
      "[" + custom(R"("client":{"id":1},"params":{})") + "," +
          cart_event(R"("sku":"s","quantity":1,"finalUnitPrice":)" + std::string(price)) + "]",
      api_rules());
  EXPECT_EQ(outcome.events.records.size(), 2U);
  EXPECT_THAT(outcome.warnings(), IsEmpty());
  EXPECT_EQ(outcome.events.warning_count, 0U);
}

// It is taken back after it was written: nothing may be compared with what was there.
TEST(ValidationRules, ADiscountThatIsLeftOutSaysNothingOfTheCurrency) {
  const Outcome outcome =
      run(transaction(R"("orderId":"o","discountAmount":{"amount":0,"currency":"EUR"},)" + sums() +
                      "," + std::string(products) + "," + paid()),
          Request{.kind = EventKind::transaction}, api_rules());
  EXPECT_EQ(outcome.events.records.size(), 1U);
  EXPECT_EQ(outcome.events.warning_count, 0U);
}

TEST(ValidationRules, ListsAHundredWarningsAndCountsAll) {
  std::string body = "[";
  for (int i = 0; i < 150; ++i) {
    body += (i == 0 ? "" : ",") + std::string(R"({"type":"searched","client":{"customId":7}})");
  }
  const Outcome outcome = run_batch(body + "]", api_rules());
  EXPECT_EQ(outcome.events.records.size(), 150U);
  EXPECT_EQ(outcome.events.warnings.size(), warnings_listed_max);
  EXPECT_EQ(outcome.events.warning_count, 450U) << "a number, params, and the one they lack";
  EXPECT_EQ(outcome.events.warned_by_rule[static_cast<std::size_t>(Rule::params_missing)], 150U);
}

TEST(ValidationRules, AnIdentifierThatIsMisnamedIsNamedInTheRefusal) {
  const Outcome outcome =
      run_batch(custom(R"("client":{"customID":"c"},"params":{})"), api_rules());
  ASSERT_THAT(outcome.refusals(), ElementsAre("client: client_missing"));
  EXPECT_THAT(outcome.events.rejections[0].message,
              HasSubstr("`customID` is none, did you mean `customId`?"));
  EXPECT_EQ(outcome.events.warning_count, 0U);
}

TEST(ValidationRules, ALineThatIsRefusedAfterAllWarnsOfNothing) {
  const Outcome outcome = run(R"({"type":"searched","client":{"id":1}} x)",
                              Request{.framing = Framing::lines}, api_rules());
  EXPECT_THAT(outcome.refusals(), ElementsAre(": malformed_json"));
  EXPECT_EQ(outcome.events.warning_count, 0U);
  EXPECT_THAT(outcome.events.warned_by_rule, testing::Each(0U));
}

TEST(ValidationRules, AnIdentityIsTheSameAsANumberAndAsAString) {
  const auto hash = [](std::string_view client) {
    return run_batch(custom(R"("params":{},"client":)" + std::string(client)), api_rules())
        .events.records.at(0)
        .profile_hash;
  };
  EXPECT_EQ(hash(R"({"customId":20931})"), hash(R"({"customId":"20931"})"));
  EXPECT_EQ(hash(R"({"id":"20931"})"), hash(R"({"id":20931})"));
}

TEST(ValidationRules, ALocalTimeIsReadInTheWorkspacesZone) {
  Rules rules = api_rules();
  const auto zone = TimeZone::find("Europe/Warsaw");
  ASSERT_TRUE(zone);
  rules.time_zone = *zone;
  const auto time = [&](std::string_view local) {
    const Outcome outcome = run_batch(
        custom(R"("client":{"id":1},"params":{},"time":")" + std::string(local) + '"'), rules);
    const std::string json = outcome.all().empty() ? std::string() : outcome.json(0);
    return json.substr(json.find(R"("time":")") + 8, 24);
  };
  EXPECT_EQ(time("2023-12-01T09:26:00"), "2023-12-01T08:26:00.000Z");
  EXPECT_EQ(time("2023-07-01 09:26:00.5"), "2023-07-01T07:26:00.500Z");
  EXPECT_EQ(time("2023-10-29T02:30:00"), "2023-10-29T00:30:00.000Z") << "twice: the earlier";
  EXPECT_EQ(time("2023-03-26T02:30:00"), "2023-03-26T01:30:00.000Z") << "never: shifted";
  EXPECT_EQ(time("2023-07-01T09:26:00Z"), "2023-07-01T09:26:00.000Z");
  EXPECT_FALSE(TimeZone::find("Europe/Nowhere"));
}

// Numbers that become strings make the output longer than the input.
TEST(ValidationRules, ManyNumbersThatBecomeStringsFit) {
  std::string body = R"({"client":{"id":1},"orderId":"o","products":[)";
  for (int i = 0; i < 5000; ++i) {
    body += (i == 0 ? "" : ",") + std::string(R"({"sku":1,"sku":2,"sku":3,"sku":4})");
  }
  const Outcome outcome = run(body + "]}", Request{.kind = EventKind::transaction}, [] {
    Rules rules = api_rules();
    rules.event_bytes_max = 1U << 20;
    rules.event_keys_max = 100'000;
    return rules;
  }());
  ASSERT_THAT(outcome.all(), testing::SizeIs(1));
  EXPECT_GT(outcome.json(0).size(), body.size() + 40'000);
}

std::string document() {
  std::ifstream file(std::filesystem::path(SLUICE_DOCS_DIR) / "validation.md");
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(ValidationRules, TheDocumentHasTheTable) {
  const std::string text = document();
  std::size_t rows = 0;
  for (const RuleInfo& rule : validation_rules()) {
    const std::string row = "| `" + std::string(rule.name) + "` | " + std::string(rule.breach) +
                            " | `" + std::string(to_string(rule.reason)) + "` | " +
                            std::string(rule.api) + " | " + std::string(rule.source) + " |\n";
    EXPECT_THAT(text, HasSubstr(row));
    ++rows;
  }
  for (const FixedRule& rule : fixed_rules()) {
    const std::string row = "| | " + std::string(rule.breach) + " | `" +
                            std::string(to_string(rule.reason)) + "` | refused | " +
                            std::string(rule.source) + " |\n";
    EXPECT_THAT(text, HasSubstr(row));
    ++rows;
  }
  const std::size_t begin = text.find("| rule | the event | `strict` refuses with |");
  ASSERT_NE(begin, std::string::npos);
  const std::string table = text.substr(begin, text.find("\n\n", begin) - begin);
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(table, '\n')), rows + 1)
      << "the document has no row besides";
}

TEST(RejectReasons, HaveCodesThatAreListed) {
  std::ifstream file(std::filesystem::path(SLUICE_DOCS_DIR) / "ingest-api.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::set<unsigned> codes;
  for (std::size_t i = 0; i < reject_reason_count; ++i) {
    const auto reason = static_cast<RejectReason>(i);
    EXPECT_TRUE(codes.insert(code_of(reason)).second) << to_string(reason);
    EXPECT_THAT(text, HasSubstr("| " + std::to_string(code_of(reason)) + " | `" +
                                std::string(to_string(reason)) + "` |"));
  }
}

}  // namespace
}  // namespace sluice::normalise::validation_rules_test
