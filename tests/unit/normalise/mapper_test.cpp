// Goal: rules make exactly the event that docs/mapping.md promises, byte for byte, or refuse with
// the field and the raw value that are at fault; no raw bytes make a mapper crash or take what is
// not JSON.
#include <array>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <simdjson.h>

#include <sluice/base/rng.hpp>
#include <sluice/normalise/mapper.hpp>

namespace sluice::mapping {
namespace {

using normalise::BodyError;
using normalise::Framing;
using normalise::Normaliser;
using When = Condition::Test;

// --- Rules, written shortly ---

Value made_by(auto source, ValueType type = ValueType::any) {
  Value value;
  value.source = std::move(source);
  value.type = type;
  return value;
}
Value constant(std::string json) { return made_by(Constant{std::move(json)}); }
Value from(std::string pointer, ValueType type = ValueType::any) {
  return made_by(From{std::move(pointer)}, type);
}
Value pattern(std::string text, ValueType type = ValueType::any) {
  return made_by(Template{std::move(text)}, type);
}
Value time_from(std::string pointer, std::string format, std::string zone = "") {
  Value value = from(std::move(pointer));
  value.time = TimeFormat{.format = std::move(format), .zone = std::move(zone)};
  return value;
}
Value required(Value value) {
  value.required = true;
  return value;
}
Value with_default(Value value, std::string json) {
  value.default_json = std::move(json);
  return value;
}
template <class... Values>
Value array(Values... values) {
  Array items;
  (items.items.push_back(std::move(values)), ...);
  return made_by(std::move(items));
}
Value each(std::string pointer, Value item) {
  return made_by(
      Each{.pointer = std::move(pointer), .item = std::make_unique<const Value>(std::move(item))});
}
template <class... Member_>
Object members(Member_... member) {
  Object object;
  (object.members.emplace_back(std::move(member.name), std::move(member.value)), ...);
  return object;
}
template <class... Member_>
Value object(Member_... member) {
  return made_by(members(std::move(member)...));
}

Rule rule(Object shape, std::vector<Condition> when = {}, EventKind kind = EventKind::event) {
  return {.when = std::move(when), .kind = kind, .shape = std::move(shape)};
}
template <class... Rules>
Source source(Rules... rules) {
  Source made{.name = "orders", .workspace = "default", .rules = {}};
  (made.rules.push_back(std::move(rules)), ...);
  return made;
}
// A source whose events have this one member, `v`.
Source source_of(Value value) { return source(rule(members(Member{"v", std::move(value)}))); }

// --- Running them ---

// Text with the padding that a mapper asks for, filled with what would show if it were read.
class Padded {
 public:
  explicit Padded(std::string_view text) : bytes_(text), size_(text.size()) {
    bytes_.append(Normaliser::padding_bytes, '"');
  }
  std::span<char> span() { return std::span(bytes_).first(size_); }

 private:
  std::string bytes_;
  std::size_t size_;
};

Mapper compiled(const Source& source) {
  auto mapper = Mapper::compile(source);
  if (!mapper) throw std::runtime_error(mapper.error().message);
  return std::move(*mapper);
}

// The event that is made, or `code field pointer` of the error.
std::string mapped(const Source& source, std::string_view raw) {
  Mapper::Scratch scratch;
  std::string out = "before";
  const auto outcome = compiled(source).map(Padded(raw).span(), scratch, out);
  if (!outcome) {
    EXPECT_EQ(out, "before");
    EXPECT_FALSE(outcome.error().message.empty());
    const MappingError& error = outcome.error();
    return std::string(to_string(error.code)) + " " + error.field + " " + error.pointer;
  }
  EXPECT_EQ(outcome->offset + outcome->size, out.size());
  return out.substr(outcome->offset);
}
std::string mapped_value(Value value, std::string_view raw) {
  std::string event = mapped(source_of(std::move(value)), raw);
  if (!event.starts_with(R"({"v":)")) return event;
  return event.substr(5, event.size() - 6);
}
std::string message_of(const Source& source, std::string_view raw) {
  Mapper::Scratch scratch;
  std::string out;
  const auto outcome = compiled(source).map(Padded(raw).span(), scratch, out);
  return outcome ? "no error" : outcome.error().message;
}

struct Body {
  Result<void, BodyError> whole;
  std::vector<std::string> events;  // each an event, or an error's code
};
Body mapped_body(const Source& source, std::string_view body, Framing framing) {
  Mapper::Scratch scratch;
  std::string out;
  Body result;
  result.whole = compiled(source).map_body(
      Padded(body).span(), framing, Mapper::no_limit, scratch, out,
      [&](const MappingOutcome& outcome) {
        result.events.push_back(outcome ? out.substr(outcome->offset, outcome->size)
                                        : std::string(to_string(outcome.error().code)));
        out += "what the receiver has changed";
        return true;
      });
  return result;
}

// --- Whole events ---

Source invoice_lines() {
  const auto line = [](const std::string& action, std::vector<Condition> when) {
    return rule(
        members(
            Member{"action", constant('"' + action + '"')},
            Member{"label", with_default(from("/Description", ValueType::string), R"("purchase")")},
            Member{"time", time_from("/InvoiceDate", "%m/%d/%y %H:%M", "Europe/London")},
            Member{"eventSalt", pattern("{/InvoiceNo}-{/LineNo}")},
            Member{"client",
                   object(Member{"customId", required(from("/CustomerID", ValueType::string))})},
            Member{"params",
                   object(Member{"sku", from("/StockCode", ValueType::string)},
                          Member{"quantity", from("/Quantity", ValueType::integer)},
                          Member{"finalUnitPrice",
                                 object(Member{"amount", from("/UnitPrice", ValueType::number)},
                                        Member{"currency", constant(R"("GBP")")})})}),
        std::move(when));
  };
  return source(
      line("order.cancelled", {{.pointer = "/InvoiceNo", .test = When::prefix, .operands = {"C"}}}),
      line("order.line", {}));
}

TEST(Mapper, makes_an_order_line) {
  EXPECT_EQ(
      mapped(
          invoice_lines(),
          R"({"InvoiceNo": "700001", "LineNo": 2, "StockCode": 10002, "Description": "PAPER LANTERN",
                 "Quantity": "12", "InvoiceDate": "7/1/11 9:05", "UnitPrice": 2.50, "CustomerID": 17850})"),
      R"({"type":"custom","action":"order.line","label":"PAPER LANTERN","time":"2011-07-01T08:05:00.000Z",)"
      R"("eventSalt":"700001-2","client":{"customId":"17850"},)"
      R"("params":{"sku":"10002","quantity":12,"finalUnitPrice":{"amount":2.50,"currency":"GBP"}}})");
}

TEST(Mapper, takes_the_first_rule_that_fits) {
  const std::string_view cancelled =
      R"({"InvoiceNo":"C700001","StockCode":"D","Quantity":-1,"InvoiceDate":"12/1/10 8:26","UnitPrice":"27.5","CustomerID":"14527"})";
  EXPECT_EQ(
      mapped(invoice_lines(), cancelled),
      R"({"type":"custom","action":"order.cancelled","label":"purchase","time":"2010-12-01T08:26:00.000Z",)"
      R"("client":{"customId":"14527"},)"
      R"("params":{"sku":"D","quantity":-1,"finalUnitPrice":{"amount":27.5,"currency":"GBP"}}})");

  Mapper::Scratch scratch;
  std::string out;
  const Mapper mapper = compiled(invoice_lines());
  EXPECT_EQ(mapper.map(Padded(cancelled).span(), scratch, out)->rule, 0U);
}

TEST(Mapper, names_the_member_that_is_at_fault) {
  const auto refused = [](std::string_view raw) { return mapped(invoice_lines(), raw); };
  EXPECT_EQ(refused(R"({"InvoiceNo":"1","CustomerID":""})"),
            "missing_required client.customId /CustomerID");
  EXPECT_EQ(refused(R"({"CustomerID":1,"UnitPrice":"2,50"})"),
            "wrong_type params.finalUnitPrice.amount /UnitPrice");
  EXPECT_EQ(refused(R"({"CustomerID":1,"InvoiceDate":"2010-12-01"})"),
            "bad_time time /InvoiceDate");
  EXPECT_EQ(message_of(invoice_lines(), R"({"CustomerID":1,"Quantity":6.0})"),
            "/Quantity is 6.0, not an integer: send one without fraction and exponent, or write "
            "type: number");
}

Source transactions() {
  auto product = object(
      Member{"sku", required(from("/sku", ValueType::string))}, Member{"name", from("/name")},
      Member{"quantity", from("/qty", ValueType::number)},
      Member{"categories", each("/categories", from("/name"))},
      Member{"finalUnitPrice", object(Member{"amount", required(from("/price", ValueType::number))},
                                      Member{"currency", constant(R"("EUR")")})});
  return source(rule(members(Member{"client", object(Member{"email", from("/customer/email")})},
                             Member{"orderId", from("/id", ValueType::string)},
                             Member{"recordedAt", from("/created_at")},
                             Member{"products", each("/items", std::move(product))}),
                     {{.pointer = "/status", .test = When::in, .operands = {"paid", "complete"}}},
                     EventKind::transaction));
}

TEST(Mapper, makes_a_transaction_of_an_order_with_items) {
  Mapper::Scratch scratch;
  std::string out;
  const auto made =
      compiled(transactions())
          .map(Padded(R"({"id":100000042,"status":"paid","created_at":"2024-05-01 10:00:00Z",
                              "customer":{"email":"jo@example.com"},"items":[
                              {"sku":"A","name":"Apple","qty":2,"price":"0.10","categories":[{"name":"fruit"},{"name":"red"}]},
                              {"sku":7,"qty":1,"price":19.990,"categories":[]}]})")
                   .span(),
               scratch, out);
  ASSERT_TRUE(made.has_value()) << made.error().message;
  EXPECT_EQ(made->kind, EventKind::transaction);
  EXPECT_EQ(
      out,
      R"({"client":{"email":"jo@example.com"},"orderId":"100000042","recordedAt":"2024-05-01 10:00:00Z",)"
      R"("products":[{"sku":"A","name":"Apple","quantity":2,"categories":["fruit","red"],)"
      R"("finalUnitPrice":{"amount":0.10,"currency":"EUR"}},)"
      R"({"sku":"7","quantity":1,"categories":[],"finalUnitPrice":{"amount":19.990,"currency":"EUR"}}]})");
}

TEST(Mapper, says_which_item_of_an_each_is_at_fault) {
  const auto refused = [](std::string_view items) {
    return mapped(transactions(), R"({"status":"paid","items":)" + std::string(items) + "}");
  };
  EXPECT_EQ(refused(R"([{"sku":1,"price":1},{"sku":2,"price":"free"}])"),
            "wrong_type products[1].finalUnitPrice.amount /items/1/price");
  EXPECT_EQ(refused(R"([{"price":1}])"), "missing_required products[0].sku /items/0/sku");
  EXPECT_EQ(refused(R"([{"sku":1,"price":1,"categories":{"name":"x"}}])"),
            "wrong_type products[0].categories /items/0/categories");
  EXPECT_EQ(refused(R"({"0":1})"), "wrong_type products /items");
}

// --- Single values ---

struct Conversion {
  ValueType type;
  std::string_view raw;
  std::string_view made;
};

TEST(Mapper, converts_without_loss_or_refuses) {
  constexpr std::string_view refused = "wrong_type v /x";
  constexpr std::string_view absent = "{}";
  constexpr auto any = ValueType::any;
  constexpr auto string = ValueType::string;
  constexpr auto number = ValueType::number;
  constexpr auto integer = ValueType::integer;
  constexpr auto boolean = ValueType::boolean;
  constexpr Conversion conversions[] = {
      {any, "17850", "17850"},
      {any, "2.50", "2.50"},
      {any, "1e400", "1e400"},
      {any, "-0.0E-7", "-0.0E-7"},
      {any, "12345678901234567890123", "12345678901234567890123"},
      {any, R"("a\u00e9\/\n")", R"("a\u00e9\/\n")"},
      {any, R"("")", R"("")"},
      {any, R"(" ")", R"(" ")"},
      {any, "true", "true"},
      {any, "null", absent},
      {any, R"([ 1 , null , { "a" : " b " } ])", R"([1,null,{"a":" b "}])"},
      {any, "{ }", "{}"},
      {string, "17850", R"("17850")"},
      {string, "12345678901234567890123", R"("12345678901234567890123")"},
      {string, "2.50", R"("2.50")"},
      {string, "false", R"("false")"},
      {string, R"("\u0041\"")", R"("\u0041\"")"},
      {string, R"("")", absent},
      {string, R"(" \t\n")", absent},
      {string, "null", absent},
      {string, "[1]", refused},
      {string, "{}", refused},
      {number, "2.50", "2.50"},
      {number, R"("2.50")", "2.50"},
      {number, R"("-1E+5")", "-1E+5"},
      {number, R"("\u0031")", "1"},
      {number, R"("12345678901234567890123")", "12345678901234567890123"},
      {number, R"("")", absent},
      {number, R"("+1")", refused},
      {number, R"("01")", refused},
      {number, R"(".5")", refused},
      {number, R"("5.")", refused},
      {number, R"("1e")", refused},
      {number, R"("1,000")", refused},
      {number, R"(" 1")", refused},
      {number, R"("NaN")", refused},
      {number, R"("-")", refused},
      {number, "true", refused},
      {number, "[]", refused},
      {integer, "6", "6"},
      {integer, R"("-6")", "-6"},
      {integer, "12345678901234567890123", "12345678901234567890123"},
      {integer, "6.0", refused},
      {integer, "6e0", refused},
      {integer, R"("6.0")", refused},
      {integer, "false", refused},
      {boolean, "true", "true"},
      {boolean, R"("false")", "false"},
      {boolean, "1", "true"},
      {boolean, "0", "false"},
      {boolean, R"(" ")", absent},
      {boolean, R"("1")", refused},
      {boolean, "2", refused},
      {boolean, "1.0", refused},
      {boolean, R"("TRUE")", refused},
  };
  for (const auto& [type, raw, made] : conversions) {
    EXPECT_EQ(mapped_value(from("/x", type), R"({"x":)" + std::string(raw) + "}"), made)
        << raw << " as type " << static_cast<int>(type);
  }
}

TEST(Mapper, leaves_out_replaces_or_refuses_what_is_absent) {
  for (const std::string_view raw : {R"({})", R"({"x":null})", R"({"y":1})"}) {
    EXPECT_EQ(mapped_value(from("/x"), raw), "{}");
    EXPECT_EQ(mapped_value(with_default(from("/x"), "[0]"), raw), "[0]");
    EXPECT_EQ(mapped_value(required(from("/x")), raw), "missing_required v /x");
    EXPECT_EQ(mapped_value(required(with_default(from("/x"), "1")), raw), "1");
    EXPECT_EQ(mapped_value(each("/x", from("/y")), raw), "{}");
    EXPECT_EQ(mapped_value(required(each("/x", from("/y"))), raw), "missing_required v /x");
  }
  EXPECT_EQ(mapped_value(required(from("/x", ValueType::string)), R"({"x":"  "})"),
            "missing_required v /x");
  EXPECT_EQ(mapped_value(required(from("/x")), R"({"x":""})"), R"("")");
  EXPECT_EQ(message_of(source_of(required(from("/x"))), "{}"),
            "/x is absent, null or blank, and required: send it, or give it a default");
}

TEST(Mapper, leaves_out_objects_and_arrays_without_content_but_not_client_and_params) {
  const auto shape = [] {
    return source(
        rule(members(Member{"client", object(Member{"customId", from("/id")})},
                     Member{"params", object(Member{"deep", object(Member{"a", from("/a")})})},
                     Member{"list", array(from("/a"), from("/b"))})));
  };
  EXPECT_EQ(mapped(shape(), "{}"), R"({"client":{},"params":{}})");
  EXPECT_EQ(mapped(shape(), R"({"id":1,"b":2})"),
            R"({"client":{"customId":1},"params":{},"list":[2]})");
  EXPECT_EQ(mapped(shape(), R"({"a":[]})"),
            R"({"client":{},"params":{"deep":{"a":[]}},"list":[[]]})");
  EXPECT_EQ(mapped_value(required(object(Member{"a", from("/a")})), "{}"), "missing_required v /a");
}

TEST(Mapper, makes_empty_params_of_none) {
  const auto params = [](Value value, EventKind kind = EventKind::event) {
    return source(rule(members(Member{"params", std::move(value)}), {}, kind));
  };
  EXPECT_EQ(mapped(params(object()), "{}"), R"({"params":{}})");
  EXPECT_EQ(mapped(params(from("/p")), "{}"), R"({"params":{}})");
  EXPECT_EQ(mapped(params(from("/p")), R"({"p":null})"), R"({"params":{}})");
  EXPECT_EQ(mapped(params(required(from("/p"))), "{}"), "missing_required params /p");
  EXPECT_EQ(mapped(params(with_default(from("/p"), R"({"a":1})")), "{}"), R"({"params":{"a":1}})");
  EXPECT_EQ(mapped(params(from("/p"), EventKind::transaction), "{}"), "{}");
}

// --- Identities ---

struct Spelling {
  std::string_view raw;
  std::string_view as_string;  // what a customId of type string becomes
};

// A raw number, by an identifier of this type.
std::string identified(std::string_view raw, ValueType type, const char* member = "customId") {
  return mapped(source(rule(members(Member{"client", object(Member{member, from("/x", type)})}))),
                R"({"x":)" + std::string(raw) + "}");
}

TEST(Mapper, writes_a_number_that_identifies_a_profile_as_its_integer) {
  constexpr std::string_view refused = "wrong_type client.customId /x";
  constexpr Spelling spellings[] = {
      {"17850", R"("17850")"},
      {"17850.0", R"("17850")"},
      {"17850.000", R"("17850")"},
      {"1785e1", R"("17850")"},
      {"1.785E+4", R"("17850")"},
      {"178500e-1", R"("17850")"},
      {"-17850.0", R"("-17850")"},
      {"1.4104766822977e+15", R"("1410476682297700")"},
      {"9007199254740992.0", R"("9007199254740992")"},
      {"9007199254740993.0", refused},
      {"1e17", refused},
      {"1e400", refused},
      {"1e99999999999999999999", refused},
      {"1e-99999999999999999999", refused},
      {"17850.5", refused},
      {"1e-3", refused},
      {"820982911946154508", R"("820982911946154508")"},  // spelt as an integer, nothing was lost
      {"12345678901234567890123", R"("12345678901234567890123")"},
      {"true", refused},
      {"false", refused},
      {R"("17850.0")", R"("17850.0")"},  // a text is what its sender says
      {R"("007")", R"("007")"},
  };
  for (const auto& [raw, made] : spellings) {
    const bool is_refused = made == refused;
    EXPECT_EQ(
        identified(raw, ValueType::string),
        is_refused ? std::string(refused) : R"({"client":{"customId":)" + std::string(made) + "}}")
        << raw;
    const bool is_text = raw.starts_with('"');
    const std::string bare(is_text || is_refused ? made : made.substr(1, made.size() - 2));
    EXPECT_EQ(identified(raw, ValueType::any),
              is_refused ? bare : R"({"client":{"customId":)" + bare + "}}")
        << raw << " without a type";
  }
  EXPECT_EQ(identified("17850.0", ValueType::integer, "id"), R"({"client":{"id":17850}})");
  EXPECT_EQ(
      message_of(source(rule(members(
                     Member{"client", object(Member{"customId", from("/x", ValueType::string)})}))),
                 R"({"x":17850.5})"),
      "/x is 17850.5, which as an identifier has a fraction: send it as an integer or a text");
}

TEST(Mapper, writes_numbers_in_salts_orders_and_products_alike_however_they_are_spelt) {
  const auto shape = [] {
    return source(rule(
        members(Member{"orderId", from("/o", ValueType::string)},
                Member{"eventSalt", pattern("{/o}-{/t}")},
                Member{"products", each("/p", object(Member{"sku", from("/s", ValueType::string)},
                                                     Member{"price", from("/s")}))}),
        {}, EventKind::transaction));
  };
  EXPECT_EQ(mapped(shape(), R"({"o":7.0,"t":1714567890.5,"p":[{"s":1.2e1},{"s":2.50}]})"),
            R"({"orderId":"7","eventSalt":"7-1714567890.5","products":[{"sku":"12","price":1.2e1},)"
            R"({"sku":"2.50","price":2.50}]})");
}

Value null_if(Value value, std::vector<std::string> texts) {
  value.null_if = std::move(texts);
  return value;
}

TEST(Mapper, takes_zero_and_blank_identifiers_for_none) {
  for (const ValueType type : {ValueType::any, ValueType::string}) {
    for (const std::string_view none :
         {"0", "0.0", "-0", "-0.0", "0e5", R"("0")", R"("0.0")", R"("")", R"("  ")", "null"}) {
      EXPECT_EQ(identified(none, type), R"({"client":{}})") << none;
    }
    EXPECT_EQ(identified(R"("00")", type), R"({"client":{"customId":"00"}})");
    EXPECT_EQ(identified(R"("0x")", type), R"({"client":{"customId":"0x"}})");
  }
  const auto client = [](Value value) {
    return source(rule(members(Member{"client", object(Member{"customId", std::move(value)})})));
  };
  EXPECT_EQ(mapped(client(pattern("shop-{/x}")), R"({"x":0})"), R"({"client":{}})");
  EXPECT_EQ(mapped(client(null_if(pattern("shop-{/x}"), {})), R"({"x":0})"),
            R"({"client":{"customId":"shop-0"}})");
  EXPECT_EQ(mapped(client(null_if(from("/x", ValueType::string), {})), R"({"x":0})"),
            R"({"client":{"customId":"0"}})");
  EXPECT_EQ(mapped(client(null_if(from("/x"), {"guest", "-1"})), R"({"x":"guest"})"),
            R"({"client":{}})");
  EXPECT_EQ(mapped(client(null_if(from("/x"), {"guest", "-1"})), R"({"x":-1.0})"),
            R"({"client":{}})");
  EXPECT_EQ(mapped(client(null_if(from("/x"), {"false"})), R"({"x":false})"), R"({"client":{}})");
  EXPECT_EQ(mapped(client(required(from("/x"))), R"({"x":0})"),
            "missing_required client.customId /x");
  EXPECT_EQ(message_of(client(required(from("/x"))), R"({"x":0})"),
            "/x is no value by its null_if, and required: send it, or give it a default");
}

TEST(Mapper, takes_for_none_what_a_value_says) {
  EXPECT_EQ(mapped_value(from("/x"), R"({"x":0})"), "0");
  EXPECT_EQ(mapped_value(null_if(from("/x"), {"0", ""}), R"({"x":0})"), "{}");
  EXPECT_EQ(mapped_value(null_if(from("/x"), {"0", ""}), R"({"x":""})"), "{}");
  EXPECT_EQ(mapped_value(null_if(from("/x"), {"0.00"}), R"({"x":"0"})"), "{}");
  EXPECT_EQ(mapped_value(null_if(from("/x"), {"2.5"}), R"({"x":2.50})"), "2.50");
  EXPECT_EQ(mapped_value(with_default(null_if(from("/x"), {"n/a"}), "1"), R"({"x":"n/a"})"), "1");
  EXPECT_EQ(mapped_value(null_if(from("/x"), {"0"}), R"({"x":[0]})"), "[0]");
  Value zero_date = null_if(time_from("/x", "%F %T"), {"0000-00-00 00:00:00"});
  EXPECT_EQ(mapped_value(std::move(zero_date), R"({"x":"0000-00-00 00:00:00"})"), "{}");
}

TEST(Mapper, counts_what_it_took_for_none) {
  const Mapper mapper = compiled(source(
      rule(members(Member{"v", constant("1")}), {{.pointer = "/y", .test = When::exists}}),
      rule(members(Member{"client", object(Member{"id", from("/a")}, Member{"uuid", from("/b")})},
                   Member{"v", from("/c", ValueType::number)}))));
  Mapper::Scratch scratch;
  std::string out;
  const auto made = mapper.map(Padded(R"({"a":0,"b":"","c":0})").span(), scratch, out);
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->nulled, 2U);
  EXPECT_EQ(made->rule, 1U);
  const auto refused = mapper.map(Padded(R"({"a":0,"c":"x"})").span(), scratch, out);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().nulled, 1U);
  EXPECT_EQ(refused.error().rule, 1U);
}

TEST(Mapper, ignores_what_it_is_told_to) {
  Rule ignoring{.when = {{.pointer = "/test", .test = When::in, .operands = {"true"}}},
                .ignore = true};
  Source made = source(std::move(ignoring), rule(members(Member{"v", from("/v")}),
                                                 {{.pointer = "/v", .test = When::exists}}));
  EXPECT_EQ(mapped(made, R"({"w":1})"), "no_rule  ");
  made.ignore_unmatched = true;
  const Mapper mapper = compiled(made);
  Mapper::Scratch scratch;
  std::string out = "before";
  const auto by_rule = mapper.map(Padded(R"({"v":1,"test":true})").span(), scratch, out);
  ASSERT_TRUE(by_rule.has_value());
  EXPECT_TRUE(by_rule->ignored);
  EXPECT_EQ(by_rule->rule, 0U);
  const auto unmatched = mapper.map(Padded(R"({"w":1})").span(), scratch, out);
  ASSERT_TRUE(unmatched.has_value());
  EXPECT_TRUE(unmatched->ignored);
  EXPECT_EQ(unmatched->rule, no_rule_index);
  EXPECT_EQ(out, "before");
  EXPECT_EQ(mapped(made, "[]"), "not_an_object  ");
  EXPECT_EQ(mapped(made, "{"), "malformed  ");
}

TEST(Mapper, skips_the_items_of_an_each_that_have_no_value) {
  EXPECT_EQ(mapped_value(each("/x", from("/y")), R"({"x":[{"y":1},{},null,3,{"y":[2]}]})"),
            "[1,[2]]");
  EXPECT_EQ(mapped_value(each("/x", from("")), R"({"x":[1, "b", [ 2 ], null]})"), R"([1,"b",[2]])");
  EXPECT_EQ(mapped_value(each("/x", each("", from("/0"))), R"({"x":[[[1,2],[3]],[],[[4]]]})"),
            "[[1,3],[],[4]]");
}

TEST(Mapper, adds_the_type_of_custom_events_only) {
  const auto with = [](Object shape, EventKind kind) {
    return mapped(source(rule(std::move(shape), {}, kind)), "{}");
  };
  const auto action = [] { return Member{"action", constant(R"("a")")}; };
  EXPECT_EQ(with(members(action()), EventKind::event), R"({"type":"custom","action":"a"})");
  EXPECT_EQ(with(members(action(), Member{"type", constant(R"("searched")")}), EventKind::event),
            R"({"action":"a","type":"searched"})");
  EXPECT_EQ(with(members(action()), EventKind::transaction), R"({"action":"a"})");
}

TEST(Mapper, follows_pointers_as_rfc_6901_says) {
  const std::map<std::string, std::string> values{
      {"/a~1b", "1"},        {"/m~0n", "2"},    {"/", "3"},        {"/list/1", R"("second")"},
      {"/list/01", "{}"},    {"/list/-", "{}"}, {"/list/2", "{}"}, {"/nested/0/x", "4"},
      {"/caf\xC3\xA9", "5"}, {"/0", "6"},       {"/a", "{}"},      {"/list/1/x", "{}"}};
  for (const auto& [pointer, value] : values) {
    EXPECT_EQ(mapped_value(from(pointer),
                           R"({"a/b":1,"m~n":2,"":3,"list":["first","second"],"nested":[{"x":4}],)"
                           R"("caf\u00e9":5,"0":6})"),
              value)
        << pointer;
  }
  EXPECT_EQ(mapped_value(from(""), " { \"a\" : 1 } "), R"({"a":1})");
}

TEST(Mapper, takes_the_last_of_members_with_one_name) {
  EXPECT_EQ(mapped_value(from("/x"), R"({"x":1,"x":2})"), "2");
  EXPECT_EQ(mapped_value(from("/x/a"), R"({"x":{"a":1},"x":{"b":2}})"), "{}");
  EXPECT_EQ(mapped_value(from("/x/a"), R"({"x":{"a":1},"x":null})"), "{}");
}

TEST(Mapper, fills_templates) {
  const std::string_view raw =
      R"({"no":"5\"3","line":2.50,"ok":true,"name":"caf\u00e9","blank":" ","none":null,"list":[1]})";
  EXPECT_EQ(mapped_value(pattern("{/no}-{/line}-{/ok}"), raw), R"("5\"3-2.50-true")");
  EXPECT_EQ(mapped_value(pattern("{{{/name}}}"), raw), "\"{caf\xC3\xA9}\"");
  EXPECT_EQ(mapped_value(pattern("{/line}0", ValueType::number), raw), "2.500");
  EXPECT_EQ(mapped_value(pattern("x{/line}", ValueType::number), raw), "wrong_type v ");
  EXPECT_EQ(mapped_value(pattern("{/no}-{/missing}"), raw), "{}");
  EXPECT_EQ(mapped_value(pattern("{/no}-{/none}"), raw), "{}");
  EXPECT_EQ(mapped_value(required(pattern("{/no}-{/blank}")), raw), "missing_required v /blank");
  EXPECT_EQ(mapped_value(pattern("{/list}"), raw), "wrong_type v /list");
  EXPECT_EQ(mapped_value(pattern("plain"), raw), R"("plain")");
}

// --- Conditions ---

TEST(Mapper, tests_conditions) {
  const auto holds = [](When test, std::string_view raw, std::vector<std::string> operands = {}) {
    std::vector<Condition> when;
    when.push_back({.pointer = "/x", .test = test, .operands = std::move(operands)});
    const std::string made =
        mapped(source(rule(members(Member{"v", constant("1")}), std::move(when))), raw);
    EXPECT_TRUE(made == R"({"v":1})" || made == "no_rule  ") << made;
    return made != "no_rule  ";
  };
  EXPECT_TRUE(holds(When::exists, R"({"x":""})"));
  EXPECT_TRUE(holds(When::exists, R"({"x":false})"));
  EXPECT_FALSE(holds(When::exists, R"({"x":null})"));
  EXPECT_FALSE(holds(When::exists, "{}"));
  EXPECT_TRUE(holds(When::absent, "{}"));
  EXPECT_TRUE(holds(When::absent, R"({"x":null})"));
  EXPECT_FALSE(holds(When::absent, R"({"x":0})"));
  EXPECT_TRUE(holds(When::in, R"({"x":"b\u0062"})", {"a", "bb"}));
  EXPECT_TRUE(holds(When::in, R"({"x":17})", {"17"}));
  EXPECT_FALSE(holds(When::in, R"({"x":17.0})", {"17"}));
  EXPECT_TRUE(holds(When::in, R"({"x":true})", {"true"}));
  EXPECT_FALSE(holds(When::in, R"({"x":["a"]})", {"a"}));
  EXPECT_FALSE(holds(When::in, "{}", {""}));
  EXPECT_TRUE(holds(When::not_in, R"({"x":"c"})", {"a", "b"}));
  EXPECT_TRUE(holds(When::not_in, "{}", {"a"}));
  EXPECT_TRUE(holds(When::not_in, R"({"x":{}})", {"a"}));
  EXPECT_FALSE(holds(When::not_in, R"({"x":"a"})", {"a"}));
  EXPECT_TRUE(holds(When::prefix, R"({"x":"C536379"})", {"C"}));
  EXPECT_FALSE(holds(When::prefix, R"({"x":"536379C"})", {"C"}));
  EXPECT_TRUE(holds(When::prefix, R"({"x":536379})", {"53"}));
  EXPECT_TRUE(holds(When::below, R"({"x":-0.5})", {"0"}));
  EXPECT_TRUE(holds(When::below, R"({"x":"9"})", {"10"}));
  EXPECT_FALSE(holds(When::below, R"({"x":10})", {"10"}));
  EXPECT_FALSE(holds(When::below, R"({"x":"abc"})", {"10"}));
  EXPECT_TRUE(holds(When::above, R"({"x":1e3})", {"999.5"}));
  EXPECT_FALSE(holds(When::above, R"({"x":1e3})", {"1000"}));
  EXPECT_FALSE(holds(When::above, "{}", {"-1"}));
  // Beyond the doubles: infinite, or 0.
  EXPECT_TRUE(holds(When::above, R"({"x":1e400})", {"1000"}));
  EXPECT_FALSE(holds(When::below, R"({"x":1e400})", {"1000"}));
  EXPECT_TRUE(holds(When::below, R"({"x":-1e400})", {"-1000"}));
  EXPECT_TRUE(holds(When::below, R"({"x":1e-400})", {"0.5"}));
  EXPECT_FALSE(holds(When::above, R"({"x":1e-400})", {"0"}));
  EXPECT_FALSE(holds(When::below, R"({"x":1e99999999999999999999})", {"1e99999999999999999999"}));
  EXPECT_TRUE(holds(When::below, R"({"x":5})", {"1e400"}));
  EXPECT_TRUE(holds(When::above, R"({"x":5})", {"-1e400"}));
  EXPECT_TRUE(holds(When::above, R"({"x":5})", {"1e-400"}));
  EXPECT_TRUE(holds(When::above, R"({"x":1)" + std::string(400, '0') + "}", {"1e300"}));
  EXPECT_TRUE(holds(When::below, R"({"x":0.)" + std::string(400, '0') + "1}", {"1e-300"}));
}

TEST(Mapper, needs_all_conditions_of_a_rule) {
  const auto made = [](std::string_view raw) {
    std::vector<Condition> when;
    when.push_back({.pointer = "/a", .test = When::exists, .operands = {}});
    when.push_back({.pointer = "/b", .test = When::in, .operands = {"1"}});
    return mapped(source(rule(members(Member{"v", from("/a")}), std::move(when))), raw);
  };
  EXPECT_EQ(made(R"({"a":1,"b":1})"), R"({"v":1})");
  EXPECT_EQ(made(R"({"a":1,"b":2})"), "no_rule  ");
  EXPECT_EQ(made(R"({"b":1})"), "no_rule  ");
}

// --- Times ---

struct TimeCase {
  std::string_view format;
  std::string_view zone;
  std::string_view text;
  std::string_view made;
};

void expect_times(std::span<const TimeCase> cases) {
  for (const auto& [format, zone, text, made] : cases) {
    const std::string raw = R"({"t":")" + std::string(text) + R"("})";
    const std::string value =
        mapped_value(time_from("/t", std::string(format), std::string(zone)), raw);
    EXPECT_EQ(value, made.starts_with("bad") ? "bad_time v /t" : '"' + std::string(made) + '"')
        << text << " as " << format;
  }
}

TEST(MapperTime, reads_formats) {
  constexpr TimeCase cases[] = {
      {"%m/%d/%y %H:%M", "", "12/1/10 8:26", "2010-12-01T08:26:00.000Z"},
      {"%m/%d/%y %H:%M", "", "12/1/99 8:26", "1999-12-01T08:26:00.000Z"},
      {"%m/%d/%y %H:%M", "", "12/1/68 8:26", "2068-12-01T08:26:00.000Z"},
      {"%m/%d/%y %H:%M", "", "12/1/69 8:26", "bad"},
      {"%d.%m.%Y", "", "01.02.2024", "2024-02-01T00:00:00.000Z"},
      {"%Y%m%d%H%M%S", "", "20240201123456", "2024-02-01T12:34:56.000Z"},
      {"%Y%m%d%H%M%S%f", "", "20240201123456789012", "2024-02-01T12:34:56.789Z"},
      {"%F %T", "", "2024-02-01 12:34:56", "2024-02-01T12:34:56.000Z"},
      {"%F %T", "", "2024-02-01 12:34:56.5", "2024-02-01T12:34:56.500Z"},
      {"%F %T,%f", "", "2024-02-01 12:34:56,25", "2024-02-01T12:34:56.250Z"},
      {"%F %T.%f", "", "2024-02-01 12:34:56.25", "2024-02-01T12:34:56.250Z"},
      {"%D %R", "", "02/01/24 12:34", "2024-02-01T12:34:00.000Z"},
      {"%d/%b/%Y:%H:%M:%S %z", "", "10/Oct/2023:13:55:36 -0700", "2023-10-10T20:55:36.000Z"},
      {"%a, %d %B %Y %T %z", "", "tuesday, 10 OCTOBER 2023 13:55:36 Z", "2023-10-10T13:55:36.000Z"},
      {"%b %e, %Y %I:%M %p", "", "May  1, 2024 12:05 AM", "2024-05-01T00:05:00.000Z"},
      {"%b %e, %Y %I:%M %p", "", "May 1, 2024 12:05 pm", "2024-05-01T12:05:00.000Z"},
      {"%b %e, %Y %I:%M %p", "", "May 1, 2024 1:05 PM", "2024-05-01T13:05:00.000Z"},
      {"%b %e, %Y %I:%M %p", "", "May 1, 2024 13:05 PM", "bad"},
      {"%b %e, %Y %I:%M %p", "", "May 1, 2024 1:05", "bad"},
      {"%%%Y-%m-%d", "", "%2024-05-01", "2024-05-01T00:00:00.000Z"},
      {"%Y-%m-%d", "", "2024-02-30", "bad"},
      {"%Y-%m-%d", "", "2024-05-01 10:00", "bad"},
      {"%Y-%m-%d", "", "24-05-01", "bad"},
      {"%Y-%m-%d", "", "today", "bad"},
      {"%Y-%m-%d %H:%M", "", "2024-05-01 24:00", "bad"},
  };
  expect_times(cases);
  EXPECT_EQ(mapped_value(time_from("/t", "%Y%m%d"), R"({"t":20240501})"),
            R"("2024-05-01T00:00:00.000Z")");
  EXPECT_EQ(mapped_value(time_from("/t", "%Y%m%d"), R"({"t":" "})"), "{}");
  EXPECT_EQ(mapped_value(time_from("/t", "%Y%m%d"), R"({"t":[2024]})"), "wrong_type v /t");
  Value two = pattern("{/d} {/t}");
  two.time = TimeFormat{.format = "%F %R", .zone = {}};
  EXPECT_EQ(mapped_value(std::move(two), R"({"d":"2024-05-01","t":"10:00"})"),
            R"("2024-05-01T10:00:00.000Z")");
}

TEST(MapperTime, knows_when_clocks_change) {
  constexpr TimeCase cases[] = {
      {"%F %R", "Europe/London", "2024-01-15 12:00", "2024-01-15T12:00:00.000Z"},
      {"%F %R", "Europe/London", "2024-07-15 12:00", "2024-07-15T11:00:00.000Z"},
      // Forward at 01:00: 01:30 never occurs, and 02:30 in summer time is meant.
      {"%F %R", "Europe/London", "2024-03-31 00:59", "2024-03-31T00:59:00.000Z"},
      {"%F %R", "Europe/London", "2024-03-31 01:30", "2024-03-31T01:30:00.000Z"},
      {"%F %R", "Europe/London", "2024-03-31 02:30", "2024-03-31T01:30:00.000Z"},
      // Back at 02:00: 01:30 occurs twice, the earlier is in summer time.
      {"%F %R", "Europe/London", "2024-10-27 00:30", "2024-10-26T23:30:00.000Z"},
      {"%F %R", "Europe/London", "2024-10-27 01:30", "2024-10-27T00:30:00.000Z"},
      {"%F %R", "Europe/London", "2024-10-27 02:00", "2024-10-27T02:00:00.000Z"},
      {"%F %R", "America/New_York", "2024-03-10 01:59", "2024-03-10T06:59:00.000Z"},
      {"%F %R", "America/New_York", "2024-03-10 02:30", "2024-03-10T07:30:00.000Z"},
      {"%F %R", "America/New_York", "2024-03-10 03:30", "2024-03-10T07:30:00.000Z"},
      {"%F %R", "America/New_York", "2024-11-03 01:30", "2024-11-03T05:30:00.000Z"},
      {"%F %R", "America/New_York", "2024-11-03 02:30", "2024-11-03T07:30:00.000Z"},
      {"%F %R", "America/New_York", "1969-12-31 20:00", "bad"},
      {"%F %T", "America/New_York", "1969-12-31 19:30:00", "bad"},
  };
  expect_times(cases);
}

// One scratch sees every hour of two years in two zones, so that a remembered offset must never be
// used for a time that it does not hold for.
TEST(MapperTime, gives_the_same_with_and_without_memory) {
  const Mapper london = compiled(source_of(time_from("/t", "%F %R", "Europe/London")));
  const Mapper new_york = compiled(source_of(time_from("/t", "%F %R", "America/New_York")));
  Mapper::Scratch warm;
  Rng rng(7);
  for (int hour = 0; hour < 2 * 366 * 24; ++hour) {
    const auto local =
        std::chrono::sys_days(std::chrono::year(2023) / 1 / 1) + std::chrono::hours(hour);
    const auto day = std::chrono::floor<std::chrono::days>(local);
    const std::chrono::year_month_day date(day);
    std::array<char, 64> raw{};
    const int size =
        std::snprintf(raw.data(), raw.size(), R"({"t":"%d-%u-%u %d:30"})",
                      static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                      static_cast<unsigned>(date.day()), static_cast<int>((local - day).count()));
    const std::string_view text(raw.data(), static_cast<std::size_t>(size));
    const Mapper& mapper = rng.below(50) == 0 ? new_york : london;
    Mapper::Scratch cold;
    std::string expected;
    std::string made;
    ASSERT_TRUE(mapper.map(Padded(text).span(), cold, expected).has_value()) << text;
    ASSERT_TRUE(mapper.map(Padded(text).span(), warm, made).has_value()) << text;
    ASSERT_EQ(made, expected) << text;
  }
}

// --- Bodies ---

Source ids() { return source_of(required(from("/id"))); }

using Events = std::vector<std::string>;

TEST(MapperBody, maps_objects_arrays_and_lines) {
  constexpr auto any = Framing::object_or_array;
  EXPECT_EQ(mapped_body(ids(), R"( {"id":1} )", any).events, Events{R"({"v":1})"});
  EXPECT_EQ(mapped_body(ids(), R"([{"id":1},{},7,{"id":2}])", any).events,
            (Events{R"({"v":1})", "missing_required", "not_an_object", R"({"v":2})"}));
  EXPECT_EQ(mapped_body(ids(), "[]", any).events, Events{});
  EXPECT_EQ(
      mapped_body(
          ids(),
          "{\"id\":1}\n\n  \r\n{\"id\":\n{}\n{\"id\":\"a\xFF\"}\n[1]\n{\"id\":2} x\r\n{\"id\":3}",
          Framing::lines)
          .events,
      (Events{R"({"v":1})", "malformed", "missing_required", "not_text", "not_an_object",
              "malformed", R"({"v":3})"}));
}

TEST(MapperBody, refuses_a_malformed_body_as_a_whole) {
  using Code = BodyError::Code;
  const std::pair<std::string_view, Code> bodies[] = {
      {"", Code::empty},
      {" \n", Code::empty},
      {"7", Code::wrong_shape},
      {R"("text")", Code::wrong_shape},
      {R"([{"id":1},{"id":tru}])", Code::malformed},
      {R"([{"id":1},])", Code::malformed},
      {R"([{"id":1} {"id":2}])", Code::malformed},
      {R"([{"id":1})", Code::malformed},
      {R"([{"id":1}]])", Code::malformed},
      {R"({"id":1}{"id":2})", Code::malformed},
      {R"({"id":1)", Code::malformed},
      {R"({"id":01})", Code::malformed},
      {R"({"id":1,"other":"\x"})", Code::malformed},
      {"[{\"id\":1},{\"id\":\"\xC0\xAF\"]", Code::malformed},
      {"{\"id\":1,\"other\":\"\n\"}", Code::malformed},
  };
  for (const auto& [body, code] : bodies) {
    const Body result = mapped_body(ids(), body, Framing::object_or_array);
    ASSERT_FALSE(result.whole.has_value()) << body;
    EXPECT_EQ(result.whole.error().code, code) << body;
    EXPECT_FALSE(result.whole.error().message.empty());
  }
  EXPECT_EQ(mapped_body(ids(), R"([{"id":1}])", Framing::object).whole.error().code,
            Code::wrong_shape);
}

TEST(MapperBody, refuses_one_event_with_a_string_that_is_no_text) {
  for (const std::string_view bad :
       {R"({"id":"\ud800"})", R"({"id":1,"other":"\udc00x"})", R"({"id":1,"\ud800":{"a":[]}})",
        "{\"id\":1,\"other\":\"\xC0\xAF\"}", "{\"id\":\"\xFF\"}"}) {
    const std::string body = R"([{"id":1},)" + std::string(bad) + R"(,{"id":2}])";
    EXPECT_EQ(mapped_body(ids(), body, Framing::object_or_array).events,
              (Events{R"({"v":1})", "not_text", R"({"v":2})"}))
        << bad;
    EXPECT_EQ(mapped_body(ids(), std::string(bad) + "\n{\"id\":2}", Framing::lines).events,
              (Events{"not_text", R"({"v":2})"}))
        << bad;
  }
}

TEST(MapperBody, skips_a_byte_order_mark) {
  const std::string mark = "\xEF\xBB\xBF";
  EXPECT_EQ(mapped_body(ids(), mark + R"([{"id":1}])", Framing::object_or_array).events,
            Events{R"({"v":1})"});
  EXPECT_EQ(mapped_body(ids(), mark + "{\"id\":1}\n" + mark + "{\"id\":2}", Framing::lines).events,
            (Events{R"({"v":1})", R"({"v":2})"}));
}

// Malformed is malformed, however deep.
TEST(MapperBody, refuses_a_body_that_is_malformed_in_an_event_that_is_too_deep) {
  const auto body = [](std::string_view inside) {
    return R"([{"id":)" + std::string(100, '[') + std::string(inside) + std::string(100, ']') +
           R"(},{"id":2}])";
  };
  EXPECT_EQ(mapped_body(ids(), body("1"), Framing::object_or_array).events,
            (Events{"too_deep", R"({"v":2})"}));
  for (const std::string_view inside : {"1 2", "01", R"({"a"})", R"("\x")", "}"}) {
    const Body result = mapped_body(ids(), body(inside), Framing::object_or_array);
    EXPECT_FALSE(result.whole.has_value()) << inside;
  }
}

TEST(MapperBody, refuses_one_event_that_is_too_deep) {
  const auto nested = [](std::size_t depth) {
    return R"({"id":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  for (const std::string_view pointer : {"/id", "/id/0/0", "/other"}) {
    const Source source = source_of(with_default(from(std::string(pointer)), "0"));
    EXPECT_EQ(mapped(source, nested(64)), "too_deep  ") << pointer;
    EXPECT_NE(mapped(source, nested(63)), "too_deep  ") << pointer;
    const auto events =
        mapped_body(source, "[" + nested(100'000) + R"(,{"id":[[1]]}])", Framing::object_or_array)
            .events;
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[0], "too_deep");
    EXPECT_TRUE(events[1].starts_with(R"({"v":)")) << events[1];
  }
}

// --- Large events and bodies ---

TEST(MapperLimits, an_event_is_given_up_once_it_is_too_large) {
  const Source source = source_of(with_default(
      each("/items", object(Member{"n", from("/n")},
                            Member{"filler", constant('"' + std::string(100, 'x') + '"')})),
      "[]"));
  const Mapper mapper = compiled(source);
  std::string raw = R"({"items":[0)";
  for (int i = 1; i < 100'000; ++i) raw += ",0";
  raw += "]}";
  Mapper::Scratch scratch;
  std::string out;
  const auto refused = mapper.map(Padded(raw).span(), scratch, out, 10'000);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, MappingErrc::too_large);
  EXPECT_EQ(refused.error().field + refused.error().pointer, "");
  EXPECT_EQ(refused.error().message,
            "becomes more than 10000 bytes, the limit of an event: send less in it");
  EXPECT_LT(out.capacity(), 30'000U) << "it is not written as a whole first";

  const std::string small = R"({"items":[0]})";
  const auto taken = mapper.map(Padded(small).span(), scratch, out, 10'000);
  ASSERT_TRUE(taken.has_value());
  EXPECT_TRUE(mapper.map(Padded(small).span(), scratch, out, taken->size).has_value());
  EXPECT_FALSE(mapper.map(Padded(small).span(), scratch, out, taken->size - 1).has_value());
}

TEST(MapperLimits, a_body_of_many_events_needs_the_room_of_one) {
  std::string body = "[{}";
  for (int i = 1; i < 10'000; ++i) body += i % 2 == 0 ? ",{}" : ",0";
  body += "]";
  Mapper::Scratch scratch;
  std::string out;
  std::size_t events = 0;
  const Mapper mapper = compiled(source_of(constant('"' + std::string(1'000, 'x') + '"')));
  ASSERT_TRUE(mapper
                  .map_body(Padded(body).span(), Framing::object_or_array, Mapper::no_limit,
                            scratch, out,
                            [&](const MappingOutcome&) {
                              ++events;
                              return true;
                            })
                  .has_value());
  EXPECT_EQ(events, 10'000U);
  EXPECT_LT(out.capacity(), 4'000U);
}

TEST(MapperLimits, errors_say_what_is_wrong_as_long_as_somebody_wants_to_know) {
  const Source wants_id = source(rule(members(
      Member{"params",
             object(Member{"items", each("/items", object(Member{"id", required(from("/id"))}))})},
      Member{"when", time_from("/at", "%Y-%m-%d", "UTC")},
      Member{"n", from("/n", ValueType::number)})));
  const std::vector<std::pair<std::string, MappingErrc>> wrong = {
      {R"({"items":[{"id":1},{}]})", MappingErrc::missing_required},
      {R"({"at":"then"})", MappingErrc::bad_time},
      {R"({"n":"many"})", MappingErrc::wrong_type},
      {R"({"items":7})", MappingErrc::wrong_type},
      {R"(7)", MappingErrc::not_an_object},
      {R"({"n":"\ud800"})", MappingErrc::not_text},
      {std::string(200, '[') + std::string(200, ']'), MappingErrc::too_deep}};
  const Mapper mapper = compiled(wants_id);
  for (const auto& [raw, code] : wrong) {
    Mapper::Scratch scratch;
    std::string out;
    std::string words;
    const auto take = [&](const MappingOutcome& outcome) {
      EXPECT_EQ(outcome.error().code, code) << raw;
      EXPECT_EQ(outcome.error().rule == no_rule_index,
                code > MappingErrc::malformed && code <= MappingErrc::not_an_object)
          << raw;
      words += outcome.error().field + outcome.error().pointer + outcome.error().message + "|";
      return false;
    };
    const std::string body = "[" + raw + "," + raw + "]";
    EXPECT_TRUE(mapper
                    .map_body(Padded(body).span(), Framing::object_or_array, Mapper::no_limit,
                              scratch, out, take)
                    .has_value());
    EXPECT_TRUE(words.ends_with("||") && words.size() > 10) << words;
    EXPECT_NE(message_of(wants_id, raw), "") << "another body is told again";
  }
}

// --- Compiling ---

TEST(MapperCompile, names_the_place_of_a_mistake) {
  const auto mistake = [](Value value) {
    const auto mapper = Mapper::compile(
        source(rule(members(Member{"params", object(Member{"v", std::move(value)})}))));
    return mapper ? std::string("none") : mapper.error().message;
  };
  const std::string place = "source orders, rule 1, event.params.v: ";
  EXPECT_EQ(mistake(from("/a")), "none");
  EXPECT_TRUE(mistake(from("a")).starts_with(place + "\"a\" is not a JSON Pointer"));
  EXPECT_TRUE(mistake(from("/a~2")).starts_with(place + "\"/a~2\" is not a JSON Pointer"));
  EXPECT_TRUE(
      mistake(each("/a", from("b")))
          .starts_with("source orders, rule 1, event.params.v[]: \"b\" is not a JSON Pointer"));
  for (const std::string_view text : {"{/a", "a}", "{/a}}", "{"}) {
    EXPECT_TRUE(mistake(pattern(std::string(text))).starts_with(place + "the template")) << text;
  }
  for (const std::string_view format :
       {"%q", "%Y-%m-%d %", "%Y", "%m/%d", "%Y-%d", "%Y-%m-%d %I:%M", "%Y-%m-%d %H %p", "%6Y-%m-%d",
        "plain", ""}) {
    EXPECT_TRUE(mistake(time_from("/t", std::string(format))).starts_with(place + "the format"))
        << format;
  }
  EXPECT_TRUE(
      mistake(time_from("/t", "%F %R %z", "Europe/London")).starts_with(place + "the format"));
  EXPECT_TRUE(mistake(time_from("/t", "%F", "Europe/Lundon")).starts_with(place + "the zone"));
}

TEST(MapperCompile, wants_one_number_to_compare_with) {
  for (const std::vector<std::string>& operands :
       {std::vector<std::string>{}, {"x"}, {"1", "2"}, {""}, {"1 "}}) {
    std::vector<Condition> when;
    when.push_back({.pointer = "/x", .test = When::below, .operands = operands});
    const auto mapper = Mapper::compile(source(rule(members(), std::move(when))));
    ASSERT_FALSE(mapper.has_value());
    EXPECT_EQ(mapper.error().code, std::make_error_code(std::errc::invalid_argument));
    EXPECT_TRUE(mapper.error().message.starts_with("source orders, rule 1, when: "));
  }
}

// --- Generated ---

// The same random value written compactly and with white space in between.
struct Written {
  std::string compact;
  std::string spaced;

  void both(std::string_view text) {
    compact += text;
    spaced += text;
  }
};

void space(Rng& rng, Written& out) {
  constexpr std::string_view spaces = " \n\t\r";
  for (auto i = rng.below(3); i > 0; --i) out.spaced += spaces[rng.below(spaces.size())];
}

void generate_scalar(Rng& rng, Written& out) {
  constexpr std::string_view scalars[] = {"null",
                                          "true",
                                          "false",
                                          "0",
                                          "-0",
                                          "1.50",
                                          "1e400",
                                          "-2.5E-3",
                                          "12345678901234567890123",
                                          "1E+09",
                                          R"("")",
                                          R"("a b")",
                                          R"(" { [ , : ] } ")",
                                          R"("\"\\\/\b\f\n\r\t\u0000\ud83d\ude00")",
                                          "\"caf\xC3\xA9 \xF0\x9F\x98\x80\"",
                                          R"("\\")",
                                          R"("0123456789012345678901234567890123456789\\\"")"};
  out.both(scalars[rng.below(std::size(scalars))]);
}

void generate(Rng& rng, Written& out, int depth) {
  const auto kind = depth == 0 ? 2 : rng.below(4);
  if (kind >= 2) {
    generate_scalar(rng, out);
    return;
  }
  out.both(kind == 0 ? "{" : "[");
  space(rng, out);
  const auto count = rng.below(5);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (i > 0) out.both(",");
    space(rng, out);
    if (kind == 0) {
      constexpr std::string_view names[] = {R"("a")", R"("b c")", R"("\u0041")", R"("\\\"")",
                                            R"("")"};
      out.both(names[rng.below(std::size(names))]);
      space(rng, out);
      out.both(":");
      space(rng, out);
    }
    generate(rng, out, depth - 1);
    space(rng, out);
  }
  out.both(kind == 0 ? "}" : "]");
}

TEST(MapperGenerated, copies_any_value_with_its_bytes) {
  const Mapper direct = compiled(source_of(from("/x/1")));
  const Mapper looped = compiled(source_of(each("/x", from(""))));
  Mapper::Scratch scratch;
  Rng rng(4);
  for (int i = 0; i < 5'000; ++i) {
    Written value;
    generate(rng, value, 6);
    const std::string raw = R"({"before":[{}],"x":[0, )" + value.spaced + R"(],"after":{"y":[]}})";
    const bool is_null = value.compact == "null";
    std::string out;
    ASSERT_TRUE(direct.map(Padded(raw).span(), scratch, out).has_value()) << raw;
    ASSERT_EQ(out, is_null ? "{}" : R"({"v":)" + value.compact + "}") << raw;
    out.clear();
    ASSERT_TRUE(looped.map(Padded(raw).span(), scratch, out).has_value()) << raw;
    ASSERT_EQ(out, is_null ? R"({"v":[0]})" : R"({"v":[0,)" + value.compact + "]}") << raw;
  }
}

// The numbers are small, so that simdjson's refusal of large ones plays no part.
TEST(MapperGenerated, takes_the_json_that_simdjson_takes_however_it_is_damaged) {
  constexpr std::string_view original = R"({"id":12,"x":[{"y":"a\u00e9\\"},true,null,-1.5,"caf)"
                                        "\xC3\xA9"
                                        R"("],"z":{"n":false,"m":[[]]}})";
  constexpr std::string_view bytes = "{}[]:,\"\\ \ntfn0-.e1\x80\xC3\x01";
  const Mapper mapper = compiled(
      source(rule(members(Member{"a", from("/x/0/y")}, Member{"b", each("/x", pattern("{/y}"))},
                          Member{"c", from("/z")}))));
  simdjson::dom::parser parser;
  Mapper::Scratch scratch;
  Rng rng(5);
  int taken = 0;
  for (int i = 0; i < 100'000; ++i) {
    std::string raw(original);
    for (auto damage = 1 + rng.below(3); damage > 0; --damage) {
      const std::size_t at = rng.below(raw.size());
      const auto kind = rng.below(3);
      if (kind == 0) raw.erase(at, 1 + rng.below(4));
      if (kind == 1) raw[at] = bytes[rng.below(bytes.size())];
      if (kind == 2) raw.insert(at, 1, bytes[rng.below(bytes.size())]);
    }
    const auto parsed = parser.parse(simdjson::padded_string(raw));
    std::string out;
    const auto outcome = mapper.map(Padded(raw).span(), scratch, out);
    const bool is_refused = !outcome && (outcome.error().code == MappingErrc::malformed ||
                                         outcome.error().code == MappingErrc::not_text);
    ASSERT_EQ(is_refused, parsed.error() != simdjson::SUCCESS) << raw;
    if (outcome) {
      ++taken;
      ASSERT_EQ(parser.parse(simdjson::padded_string(out)).error(), simdjson::SUCCESS)
          << raw << out;
    }
  }
  EXPECT_GT(taken, 1'000);
}

}  // namespace
}  // namespace sluice::mapping
