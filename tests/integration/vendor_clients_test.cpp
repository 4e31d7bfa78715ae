// Goal: whatever the vendor's own clients send is answered as the vendor would answer it, and
// arrives.
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <sluice/base/base64.hpp>

#include "deflate.hpp"
#include "running_gateway.hpp"

namespace sluice::test {
namespace {

namespace dom = simdjson::dom;

// How a request is answered, and what becomes of its events.
struct Expected {
  unsigned status = 202;
  unsigned arrive = 1;  // events, at the upstream
  unsigned rejected = 0;
  std::string_view warnings = "";  // rules, in the order of the alphabet
};

struct Row {
  std::string_view file;  // of tests/payloads, without .json
  std::string_view source;
  Expected expected;
};

// Where the vendor's answer is not known, the event goes on: then the API decides.
constexpr std::array<Row, 54> rows{{
    {"doc-custom-id-salt-no-label", "hub.synerise.com, overwriting events", {}},
    {"doc-custom-without-params",
     "hub.synerise.com, sending events",
     {.warnings = "params_missing"}},
    {"doc-custom-offset-colon", "hub.synerise.com, sending events", {}},
    {"time-offset-without-colon", "php-sdk 1.0.0, EventBaseValidator", {}},
    {"time-without-zone", "Python's isoformat(); unknown", {.warnings = "time_without_zone"}},
    {"time-doc-typo-000-seconds",
     "php-sdk, comment of EventBase.time; unknown",
     {.warnings = "time_three_digit_seconds"}},
    {"magento-added-to-cart", "magento2-integration, CartAddRemove", {}},
    {"magento-order-status-pending", "magento2-integration, OrderCRUD", {}},
    {"magento-order-status-processing", "magento2-integration, OrderCRUD", {}},
    {"magento-order-negative-discount",
     "magento2-integration, orders without payment and source",
     {.warnings = "amount_negative empty_list product_field_missing transaction_field_missing"}},
    {"magento-registered", "magento2-integration, CustomerEvent", {}},
    {"magento-favorites", "magento2-integration, WishlistAdd", {}},
    {"woo-registered-no-params",
     "synerise-for-woocommerce, client-register",
     {.warnings = "field_misnamed param_missing params_missing"}},
    {"woo-logged-out-no-params",
     "synerise-for-woocommerce, client-logout",
     {.warnings = "param_missing params_missing"}},
    {"woo-added-to-cart", "synerise-for-woocommerce, add-to-cart", {}},
    {"woo-cart-without-price",
     "synerise-for-woocommerce, a free item",
     {.warnings = "param_missing"}},
    {"woo-order-placed", "synerise-for-woocommerce, order-placed", {.warnings = "field_misnamed"}},
    {"woo-review-custom_id",
     "synerise-for-woocommerce, product-review",
     {.warnings = "field_misnamed"}},
    {"sylius-order-no-paymentinfo-no-source",
     "Sylius-Integration-Plugin, OrderToTransactionMapper",
     {.warnings = "transaction_field_missing"}},
    {"sdk-minimal-transaction",
     "php-sdk 1.0.0, TransactionValidator",
     {.warnings = "time_without_zone transaction_field_missing"}},
    {"shop-order-with-numbers",
     "shops that send numbers and strings the other way round; unknown",
     {.warnings = "custom_id_as_number number_as_string source_unknown string_as_number "
                  "time_without_zone transaction_field_missing"}},
    {"android-batch-mixed", "a captured request of the Android SDK", {.arrive = 4}},
    {"mobile-batch-eventuuid-reserved", "php-sdk, DefaultParamSource", {}},
    {"hit-timer-minimal", "php-sdk, HitTimerValidator", {}},
    {"searched-no-source", "php-sdk, SearchedValidator; unknown", {.warnings = "param_missing"}},
    {"appeared-in-location-strings",
     "php-sdk, AppearedInLocationEventParams; unknown",
     {.warnings = "number_as_string"}},
    {"cart-numbers-as-strings", "an older PHP SDK; unknown", {.warnings = "number_as_string"}},
    {"customid-as-number",
     "synerise-for-woocommerce; unknown",
     {.warnings = "custom_id_as_number"}},
    {"client-id-as-string", "unknown", {.warnings = "id_as_string"}},
    {"php-empty-objects", "PHP's json_encode", {.warnings = "empty_list param_missing"}},
    {"uuid-not-hex-pattern", "php-sdk, Client; unknown", {.warnings = "uuid_form"}},
    {"js-fetch-custom-strings", "public JavaScript", {}},
    {"rails-batch-basic-amount-string", "a public Rails client", {}},
    {"batch-one-bad", "unknown: Sluice takes the others", {.arrive = 2, .rejected = 1}},
    {"batch-deprecated-types", "older SDKs; unknown", {.arrive = 3, .warnings = "type_deprecated"}},
    {"completed-transaction-path",
     "magento2-integration, generated client; unknown",
     {.warnings = "type_deprecated"}},
    {"gzip-batch", "unknown", {.arrive = 20}},
    {"api-version-missing", "the vendor refuses it; Sluice sets it itself", {}},
    {"api-version-4.0", "older public code; unknown", {}},
    {"auth-bearer-key", "the vendor takes tokens only; Sluice its producers' keys, too", {}},
    {"auth-basic-lowercase", "RFC 9110, 11.1", {}},
    {"auth-none", "401", {.status = 401, .arrive = 0}},
    {"auth-tracker-key-query", "unknown for events", {.status = 401, .arrive = 0}},
    {"ai-recommendation-view", "hub.synerise.com, recommendations: a tracker key", {.arrive = 0}},
    {"ai-batch", "php-sdk, AiCompat/Batch", {.arrive = 0}},
    {"clients-batch-merge", "php-sdk, Clients/Batch", {.arrive = 0}},
    {"permission-check", "php-sdk, PermissionCheck", {.status = 200, .arrive = 0}},
    {"catalog-items-batch", "Sylius-Integration-Plugin, AddItemRequestHandler", {.arrive = 0}},
    {"login-uauth-v2", "php-sdk 1.0.0, WorkspaceAccessTokenProvider", {.status = 200, .arrive = 0}},
    {"item-search-click",
     "php-sdk, ItemSearchClickEventDataParams; unknown",
     {.warnings = "number_as_string"}},
    {"action-transaction-charge",
     "hub.synerise.com: must not be sent",
     {.status = 400, .arrive = 0, .rejected = 1}},
    {"email-param-other-case", "php-sdk, DefaultParamSource", {.warnings = "email_differs"}},
    {"batch-empty-array", "unknown: there is nothing to take", {.status = 400, .arrive = 0}},
    {"batch-single-object", "the vendor wants an array; Sluice takes both", {}},
}};

struct Payload {
  std::string method;
  std::string path;
  Headers headers;
  std::string body;
  std::string key;  // of the producer; empty: none is shown
};

// The key of `Authorization: Basic`, or of Bearer.
std::string key_in(std::string_view authorization) {
  const std::string_view value = authorization.substr(authorization.find(' ') + 1);
  if (authorization.starts_with("Bearer")) {
    return std::string(value);
  }
  const std::string decoded = decode_base64(value).value_or("");
  return decoded.substr(decoded.find(':') + 1);
}

Payload read(const std::filesystem::path& file) {
  dom::parser parser;
  const dom::element json = parser.load(file.string());
  Payload payload{.method = std::string(json["method"].get_string().value()),
                  .path = std::string(json["path"].get_string().value()),
                  .headers = {},
                  .body = simdjson::minify(json["body"]),
                  .key = {}};
  for (const auto [name, value] : json["headers"].get_object()) {
    payload.headers.emplace_back(name, value.get_string().value());
    if (name == "Authorization") {
      payload.key = key_in(value.get_string().value());
    } else if (name == "Content-Encoding") {
      payload.body = gzip(payload.body);
    }
  }
  std::string_view api_key;
  if (json["body"]["apiKey"].get(api_key) == simdjson::SUCCESS) {
    payload.key = api_key;
  }
  return payload;
}

std::string yaml_of(const std::set<std::string>& keys) {
  std::string producers;
  for (const std::string& key : keys) {
    producers += (producers.empty() ? "{name: p" : ", {name: p") +
                 std::to_string(producers.size()) + ", key: " + key + "}";
  }
  return R"(
ingest: {producers: [)" +
         producers + R"(]}
workspaces:
  - name: default
    base_url: ${SIMULATOR}
    passthrough: true
    auth: {method: basic, workspace_guid: 01890a5d-ac96-774b-bcce-b302099a8057, api_key: upstream-secret}
batch: {linger: 1ms}
)";
}

// The rules of an answer's warnings, each once.
std::string rules_in(const std::string& body) {
  dom::parser parser;
  dom::element json;
  dom::array warnings;
  std::set<std::string> rules;
  if (parser.parse(body).get(json) == simdjson::SUCCESS &&
      json["warnings"].get(warnings) == simdjson::SUCCESS) {
    for (const dom::element warning : warnings) {
      rules.emplace(warning["rule"].get_string().value());
    }
  }
  std::string all;
  for (const std::string& rule : rules) {
    all += (all.empty() ? "" : " ") + rule;
  }
  return all;
}

void expect_answer(const Payload& payload, const Expected& expected) {
  const std::set<std::string> keys =
      payload.key.empty() ? std::set<std::string>{"another-key"} : std::set{payload.key};
  RunningGateway gateway({}, yaml_of(keys));
  HttpClient client(gateway.port());
  const HttpAnswer answer =
      client.request(payload.method, payload.path, payload.body, payload.headers);
  EXPECT_EQ(answer.status, expected.status) << answer.body;
  EXPECT_EQ(rules_in(answer.body), expected.warnings) << answer.body;
  const auto rejected = answer.headers.find("x-sluice-rejected");
  EXPECT_EQ(rejected == answer.headers.end() ? "0" : rejected->second,
            std::to_string(expected.rejected));
  EXPECT_TRUE(gateway.delivered(expected.arrive)) << gateway.metrics();
  EXPECT_EQ(gateway.upstream().ledger().summary().unique, expected.arrive);
  EXPECT_EQ(gateway.metric("events_dead_lettered_total"), 0);
  gateway.expect_conservation();
}

std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".json") {
      files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  return files;
}

const Row* row_of(std::string_view file) {
  const auto* const found = std::ranges::find(rows, file, &Row::file);
  return found == rows.end() ? nullptr : found;
}

class VendorClients : public testing::TestWithParam<Row> {};

TEST_P(VendorClients, AreAnsweredAsTheVendorWould) {
  const std::filesystem::path file =
      std::filesystem::path(SLUICE_PAYLOADS) / (std::string(GetParam().file) + ".json");
  expect_answer(read(file), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(Payloads, VendorClients, testing::ValuesIn(rows), [](const auto& row) {
  std::string name(row.param.file);
  std::ranges::replace_if(name, [](char c) { return c == '-' || c == '.'; }, '_');
  return name;
});

TEST(VendorClientsTable, HasARowForEachFile) {
  std::size_t count = 0;
  for (const auto& file : files_in(SLUICE_PAYLOADS)) {
    EXPECT_NE(row_of(file.stem().string()), nullptr) << file;
    ++count;
  }
  EXPECT_EQ(count, rows.size());
}

// Requests that were gathered elsewhere, with what the vendor is known to answer, if they are
// there: named as ours are, behind a number.
TEST(VendorClientsTable, HoldsForTheGatheredRequestsToo) {
  if (!std::filesystem::exists(SLUICE_GATHERED_PAYLOADS)) {
    GTEST_SKIP() << "no " << SLUICE_GATHERED_PAYLOADS;
  }
  for (const auto& file : files_in(SLUICE_GATHERED_PAYLOADS)) {
    SCOPED_TRACE(file.filename().string());
    const std::string stem = file.stem().string();
    const Row* const row = row_of(stem.substr(stem.find('-') + 1));
    if (row == nullptr) {
      ADD_FAILURE() << "has no row: what is it answered?";
      continue;
    }
    expect_answer(read(file), row->expected);
  }
}

}  // namespace
}  // namespace sluice::test
