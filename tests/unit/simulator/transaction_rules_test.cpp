// Goal: each rule that the API has for a transaction refuses what breaks it, naming the field.
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>
#include <simdjson.h>

#include "verdict.hpp"

namespace sluice::simulator {
namespace {

constexpr std::string_view valid =
    R"({"client":{"id":1},"orderId":"o","source":"POS","paymentInfo":{"method":"cash"},)"
    R"("revenue":{"amount":10,"currency":"PLN"},"value":{"amount":12.5,"currency":"PLN"},)"
    R"("products":[{"sku":"s","name":"n","quantity":2,)"
    R"("finalUnitPrice":{"amount":5,"currency":"PLN"}}]})";

// The valid transaction with its first `from` replaced by `to`.
struct TransactionCase {
  std::string_view from;
  std::string_view to;
  std::string_view verdict;
};

std::string changed(std::string_view from, std::string_view to) {
  std::string json(valid);
  const std::size_t at = json.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return json.replace(at, from.size(), to);
}

TEST(TransactionRules, fields) {
  constexpr TransactionCase cases[] = {
      {"", "", ""},
      {R"("client":{"id":1},)", "", "120 client"},
      {R"({"id":1})", R"({"id":"1"})", "121 client.id"},
      {R"("orderId":"o",)", "", "120 orderId"},
      {R"("orderId":"o")", R"("orderId":5)", "121 orderId"},
      {R"("orderId":"o")", R"("orderId":null)", "123 orderId"},
      {R"("orderId":"o")", R"("orderId":"o","orderId":"p")", "124 orderId"},
      {R"("source":"POS",)", "", "120 source"},
      {R"("source":"POS")", R"("source":"SHOP")", "122 source"},
      {R"("paymentInfo":{"method":"cash"},)", "", "120 paymentInfo"},
      {R"({"method":"cash"})", R"({})", "120 paymentInfo.method"},
      {R"({"method":"cash"})", R"("cash")", "121 paymentInfo"},
      {R"("revenue":{"amount":10,"currency":"PLN"},)", "", "120 revenue"},
      {R"({"amount":10,"currency":"PLN"})", "10", "121 revenue"},
      {R"("amount":10)", R"("amount":-1)", "122 revenue.amount"},
      {R"("amount":10)", R"("amount":"10")", "121 revenue.amount"},
      {R"("value":{"amount":12.5,"currency":"PLN"},)", "", "120 value"},
      {R"(12.5,"currency":"PLN")", R"(12.5,"currency":"EUR")", "122 value.currency"},
      {R"("sku":"s")", R"("sku":5)", "121 products[0].sku"},
      {R"("name":"n",)", "", "120 products[0].name"},
      {R"("quantity":2)", R"("quantity":"2")", "121 products[0].quantity"},
      {R"("amount":5)", R"("amount":-5)", "122 products[0].finalUnitPrice.amount"},
      {R"("amount":5,"currency":"PLN")", R"("amount":5,"currency":"EUR")",
       "122 products[0].finalUnitPrice.currency"},
      {R"("sku":"s")", R"("sku":"s","regularPrice":{"amount":-1,"currency":"PLN"})",
       "122 products[0].regularPrice.amount"},
      {R"("sku":"s")", R"("sku":"s","netUnitPrice":{"amount":1,"currency":"EUR"})",
       "122 products[0].netUnitPrice.currency"},
      {R"("products":[{)", R"("products":[5,{)", "121 products[0]"},
      {R"("orderId":"o")", R"("orderId":"o","discountAmount":{"amount":1,"currency":"PLN"})", ""},
      {R"("orderId":"o")", R"("orderId":"o","discountAmount":{"amount":0,"currency":"PLN"})",
       "122 discountAmount.amount"},
      {R"("orderId":"o")", R"("orderId":"o","discountAmount":{"amount":1,"currency":"EUR"})",
       "122 discountAmount.currency"},
      {R"("orderId":"o")", R"("orderId":"o","metadata":[])", "121 metadata"},
      {R"("orderId":"o")", R"("orderId":"o","recordedAt":"2025-01-01T00:00:00Z")", ""},
      {R"("orderId":"o")", R"("orderId":"o","recordedAt":"2025-01-01")", "122 recordedAt"},
      {R"("orderId":"o")", R"("orderId":"o","eventSalt":5)", "121 eventSalt"},
  };
  for (const auto& [from, to, verdict] : cases) {
    EXPECT_EQ(transaction_verdict(changed(from, to)), verdict) << from << " -> " << to;
  }
}

TEST(TransactionRules, products) {
  const std::string_view products = valid.substr(valid.find(R"("products")"));
  const std::string without(valid.substr(0, valid.find(R"(,"products")")));
  EXPECT_EQ(transaction_verdict(without + "}"), "120 products");
  EXPECT_EQ(transaction_verdict(without + R"(,"products":[]})"), "120 products");
  EXPECT_EQ(transaction_verdict(without + R"(,"products":{}})"), "121 products");
  EXPECT_EQ(transaction_verdict(without + "," + std::string(products)), "");
}

TEST(TransactionRules, must_be_an_object) { EXPECT_EQ(transaction_verdict("[]"), "121 "); }

TEST(TransactionRules, arrival_is_the_charge_at_its_recorded_time) {
  const std::string json = changed(
      R"("orderId":"o")", R"("orderId":"o","eventSalt":"s","recordedAt":"1970-01-01T00:00:01Z")");
  simdjson::dom::parser parser;
  simdjson::dom::element element;
  ASSERT_EQ(parser.parse(json).get(element), simdjson::SUCCESS);
  const Arrival arrival = check_transaction(element, Validation::strict, test_now).value();
  EXPECT_EQ(arrival.action, "transaction.charge");
  EXPECT_EQ(arrival.label, "o");
  EXPECT_EQ(arrival.salt, "s");
  EXPECT_EQ(arrival.time.time_since_epoch().count(), 1'000);
  EXPECT_TRUE(arrival.time_is_own);
}

TEST(TransactionRules, by_default_what_is_there_is_of_its_kind) {
  const auto verdict = [](std::string_view json) {
    return transaction_verdict(json, Validation::api);
  };
  for (const std::string_view taken :
       {R"({"client":{"id":1}})", R"({"client":{"id":1},"products":[],"paymentInfo":{}})",
        R"({"client":{"id":1},"revenue":{"amount":"1.5"},"value":{"currency":"EUR"}})",
        R"({"client":{"id":1},"discountAmount":{"amount":-3,"currency":"PLN"},"source":"pos"})",
        R"({"client":{"id":1},"products":[{"quantity":"2"},{"sku":""}]})"}) {
    EXPECT_EQ(verdict(taken), "") << taken;
  }
  constexpr std::pair<std::string_view, std::string_view> refused[] = {
      {R"({"orderId":"o"})", "120 client"},
      {R"({"client":{"id":1},"orderId":5})", "121 orderId"},
      {R"({"client":{"id":1},"revenue":5})", "121 revenue"},
      {R"({"client":{"id":1},"value":{"amount":"x"}})", "121 value.amount"},
      {R"({"client":{"id":1},"products":{}})", "121 products"},
      {R"({"client":{"id":1},"products":[5]})", "121 products[0]"},
      {R"({"client":{"id":1},"products":[{"sku":5}]})", "121 products[0].sku"},
      {R"({"client":{"id":1},"metadata":[]})", "121 metadata"},
      {R"({"client":{"id":1},"recordedAt":"today"})", "122 recordedAt"},
  };
  for (const auto& [json, expected] : refused) {
    EXPECT_EQ(verdict(json), expected) << json;
  }
}

}  // namespace
}  // namespace sluice::simulator
