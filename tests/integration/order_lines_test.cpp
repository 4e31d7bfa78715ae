// Goal: real order lines go through a mapped source to the upstream, each exactly once and
// well-formed.
#include <fstream>
#include <set>
#include <sstream>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sluice/base/json_text.hpp>

#include "running_gateway.hpp"

namespace sluice::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view orders_source = R"(
sources:
  - name: orders
    workspace: default
    event:
      action: {value: order.line}
      label: {from: /Description, default: "purchase"}
      time: {from: /InvoiceDate, format: "%m/%d/%y %H:%M", zone: Europe/London}
      client: {customId: {from: /CustomerID, type: string, required: true}}
      params:
        sku: {from: /StockCode, type: string}
        quantity: {from: /Quantity, type: integer}
        finalUnitPrice: {object: {amount: {from: /UnitPrice, type: number}, currency: {value: GBP}}}
)";

// The fields of one line of CSV; quotes as in RFC 4180.
std::vector<std::string> split_csv(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else if (c != '\r') {
      fields.back() += c;
    }
  }
  return fields;
}

std::string to_json(const std::vector<std::string>& names, const std::vector<std::string>& fields) {
  static const std::set<std::string> numbers{"Quantity", "UnitPrice", "CustomerID"};
  std::string json = "{";
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (fields[i].empty()) {
      continue;
    }
    json += json.size() > 1 ? "," : "";
    append_json_string(json, names[i]);
    json += ':';
    if (numbers.contains(names[i])) {
      json += fields[i];
    } else {
      append_json_string(json, fields[i]);
    }
  }
  return json + "}";
}

TEST(OrderLines, AreDeliveredOnceEachInLargeBatches) {
  std::ifstream file(SLUICE_ORDER_LINES);
  if (!file) {
    GTEST_SKIP() << "no " << SLUICE_ORDER_LINES;
  }
  std::string line;
  std::getline(file, line);
  const std::vector<std::string> names = split_csv(line);
  std::string body = "[";
  while (std::getline(file, line)) {
    body += (body.size() > 1 ? "," : "") + to_json(names, split_csv(line));
  }
  RunningGateway gateway({.validation = simulator::Validation::strict}, plain_yaml(orders_source));
  const HttpAnswer answer = post(gateway.port(), "/v1/events/orders", body + "]");
  ASSERT_EQ(answer.status, 202);
  EXPECT_THAT(
      answer.body,
      StartsWith(R"({"accepted":3795,"rejected":1205,"duplicates":0,"errors":[{"index":622,)"
                 R"("code":1003,"reason":"field_missing","field":"client.customId",)"));
  ASSERT_TRUE(gateway.delivered(3795));
  const auto summary = gateway.upstream().ledger().summary();
  EXPECT_EQ(summary.unique, 3795);
  EXPECT_EQ(summary.deliveries, 3795);
  EXPECT_EQ(gateway.metric("events_rejected_total", R"(reason="field_missing")"), 1205);
  // Four batches would hold all; a lane that was cut in part waits for its first part, which may
  // make more.
  const simulator::Series batches = gateway.upstream().stats().batch_events;
  EXPECT_LE(batches.count, 6) << "batches close to 1,000";
  EXPECT_GE(batches.max, 950);
  gateway.expect_conservation();
  const auto entries =
      gateway.upstream().ledger().entries({.profile = "customId:17850", .limit = 1});
  EXPECT_EQ(entries.front().time, "2010-12-01T08:26:00.000Z");
  EXPECT_EQ(entries.front().profile, "customId:17850");
  EXPECT_THAT(
      entries.front().body,
      HasSubstr(
          R"("params":{"sku":"85123A","quantity":6,"finalUnitPrice":{"amount":2.55,"currency":"GBP"}})"));
}

}  // namespace
}  // namespace sluice::test
