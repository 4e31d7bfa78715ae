// Goal: the rules of mapped sources arrive as the mapper's contract (mapping_spec.hpp) says, and
// what could never make a valid event is found before one is sent.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <sluice/normalise/mapper.hpp>

#include "reading.hpp"

namespace sluice::config {
namespace {

using mapping::Condition;
using mapping::Constant;
using mapping::From;
using mapping::ValueType;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// The first source of a file whose sources are on line 4, and its list on line 5.
std::string with_source(std::string_view source) {
  return fmt::format("{}sources:\n  - {}", small_file, source);
}

std::shared_ptr<const mapping::Source> source_of(std::string_view source) {
  const Config config = config_of(with_source(source));
  return config.sources.empty() ? nullptr : config.sources.front();
}

// A value as text, so that a whole shape can be compared at once.
std::string describe(const mapping::Value& value);
struct DescribeForm {
  std::string operator()(const Constant& constant) const { return constant.json; }
  std::string operator()(const From& from) const { return "from(" + from.pointer + ")"; }
  std::string operator()(const mapping::Template& made) const {
    return "template(" + made.text + ")";
  }
  std::string operator()(const mapping::Object& object) const {
    std::string text = "{";
    for (const auto& [name, value] : object.members) text += name + ": " + describe(value) + ", ";
    return text + "}";
  }
  std::string operator()(const mapping::Array& array) const {
    std::string text = "[";
    for (const auto& item : array.items) text += describe(item) + ", ";
    return text + "]";
  }
  std::string operator()(const mapping::Each& each) const {
    return "each(" + each.pointer + ", " + describe(*each.item) + ")";
  }
};
std::string describe(const mapping::Value& value) {
  std::string text = std::visit(DescribeForm{}, value.source);
  if (value.type != ValueType::any) text += fmt::format(" type={}", static_cast<int>(value.type));
  if (value.required) text += " required";
  if (value.default_json) text += " default=" + *value.default_json;
  if (value.time) text += " format=" + value.time->format + " zone=" + value.time->zone;
  return text;
}

// A member of the only rule's shape.
std::string describe_member(const mapping::Source& source, std::size_t index) {
  const auto& [name, value] = source.rules.at(0).shape.members.at(index);
  return describe(value);
}

TEST(Sources, DesignExample) {
  const auto source = source_of(R"(name: orders
    workspace: default
    event:
      action: {value: order.line}
      label: {from: /Description, default: "purchase"}
      time: {from: /InvoiceDate, format: "%m/%d/%y %H:%M", zone: Europe/London}
      eventSalt: {template: "{/InvoiceNo}-{/LineNo}"}
      client: {customId: {from: /CustomerID, type: string, required: true}}
      params:
        sku: {from: /StockCode, type: string}
        quantity: {from: /Quantity, type: integer}
        finalUnitPrice: {object: {amount: {from: /UnitPrice, type: number}, currency: {value: GBP}}}
)");
  ASSERT_NE(source, nullptr);
  EXPECT_EQ(source->name, "orders");
  EXPECT_EQ(source->workspace, "default");
  ASSERT_EQ(source->rules.size(), 1U);
  EXPECT_THAT(source->rules[0].when, IsEmpty());
  EXPECT_EQ(source->rules[0].kind, EventKind::event);
  EXPECT_EQ(DescribeForm{}(source->rules[0].shape),
            "{action: \"order.line\", label: from(/Description) default=\"purchase\", "
            "time: from(/InvoiceDate) format=%m/%d/%y %H:%M zone=Europe/London, "
            "eventSalt: template({/InvoiceNo}-{/LineNo}), "
            "client: {customId: from(/CustomerID) type=1 required, }, "
            "params: {sku: from(/StockCode) type=1, quantity: from(/Quantity) type=3, "
            "finalUnitPrice: {amount: from(/UnitPrice) type=2, currency: \"GBP\", }, }, }");
}

TEST(Sources, ValuesInEachOfTheirForms) {
  struct Case {
    const char* written;
    const char* read;
  };
  for (const Case& c : {
           Case{"plain text", "\"plain text\""},
           Case{"'5'", "\"5\""},
           Case{"5", "\"5\""},  // without `value:` a constant is text, whatever it looks like
           Case{"{value: 5}", "5"},
           Case{"{value: -1.50e3}", "-1.50e3"},
           Case{"{value: '5'}", "\"5\""},
           Case{"{value: +48123}", "\"+48123\""},
           Case{"{value: 007}", "\"007\""},
           Case{"{value: true}", "true"},
           Case{"{value: 'true'}", "\"true\""},
           Case{"{value: \"a\\\"b\\n\"}", "\"a\\\"b\\u000a\""},
           Case{"{value: [1, {a: b, 'c d': []}, {}]}", "[1,{\"a\":\"b\",\"c d\":[]},{}]"},
           Case{"{from: ''}", "from()"},
           Case{"{from: /a~1b, type: boolean, default: false}", "from(/a~1b) type=4 default=false"},
           Case{"{template: 'a{{{/x}}}', required: true}", "template(a{{{/x}}}) required"},
           Case{"{object: {a: x, b: {from: /b}}}", "{a: \"x\", b: from(/b), }"},
           Case{"{array: [x, {from: /b}]}", "[\"x\", from(/b), ]"},
           Case{"{each: /l, item: {object: {n: {from: /n}}}, required: true}",
                "each(/l, {n: from(/n), }) required"},
           Case{"{from: /t, format: '%FT%T'}", "from(/t) format=%FT%T zone="},
       }) {
    const auto source = source_of(
        fmt::format("{{name: s, event: {{action: a, client: {{id: x}}, label: {}}}}}", c.written));
    ASSERT_NE(source, nullptr) << c.written;
    EXPECT_EQ(describe_member(*source, 2), c.read) << c.written;
  }
}

TEST(Sources, WhatIsTakenCanBeCompiled) {
  for (const std::string_view bound : {"1e400", "-1e400", "1e-400", "0", "5"}) {
    const auto source =
        source_of(fmt::format("{{name: s, rules: [{{when: {{from: /n, above: {}}}, event: "
                              "{{action: a, client: {{id: x}}}}}}]}}",
                              bound));
    ASSERT_NE(source, nullptr) << bound;
    EXPECT_TRUE(mapping::Mapper::compile(*source).has_value()) << bound;
  }
}

TEST(Sources, ParamsMayBeAWholeObjectOfTheRawEvent) {
  const auto source = source_of(
      "{name: s, event: {action: a, label: l, client: {from: /who}, params: {from: /what, "
      "required: true}}}");
  ASSERT_NE(source, nullptr);
  EXPECT_EQ(DescribeForm{}(source->rules.at(0).shape),
            "{action: \"a\", label: \"l\", client: from(/who), params: from(/what) required, }");
}

TEST(Sources, AnEventHasParamsInAnyCase) {
  for (const char* params : {"", ", params: {}", ", params: "}) {
    const auto source =
        source_of(fmt::format("{{name: s, event: {{action: a, client: {{id: x}}{}}}}}", params));
    ASSERT_NE(source, nullptr);
    EXPECT_EQ(describe_member(*source, 2), "{}") << params;
  }
  const auto whole =
      source_of("{name: s, event: {action: a, client: {id: x}, params: {from: ''}}}");
  ASSERT_NE(whole, nullptr);
  EXPECT_EQ(describe_member(*whole, 2), "from()");
}

TEST(Sources, NullIfIsOneTextOrSeveral) {
  const auto null_if_of = [](std::string_view written) {
    const auto source = source_of(fmt::format(
        "{{name: s, event: {{action: a, client: {{customId: {{from: /c{}}}}}}}}}", written));
    return std::get<mapping::Object>(source->rules.at(0).shape.members.at(1).value.source)
        .members.at(0)
        .value.null_if;
  };
  EXPECT_EQ(null_if_of(""), std::nullopt);
  EXPECT_EQ(null_if_of(", null_if: []"), std::vector<std::string>());
  EXPECT_EQ(null_if_of(", null_if: guest"), std::vector<std::string>({"guest"}));
  EXPECT_EQ(null_if_of(", null_if: [0, \"\", -1]"), std::vector<std::string>({"0", "", "-1"}));
}

TEST(Sources, WhatIsIgnoredAndHowSuccessIsAnswered) {
  const auto plain = source_of("{name: s, event: {action: a, client: {id: x}}}");
  EXPECT_FALSE(plain->ignore_unmatched);
  EXPECT_EQ(plain->success_status, 202U);
  const auto source = source_of(
      "{name: s, on_unmatched: ignore, success_status: 204, rules: [{when: {from: /t, exists: "
      "true}, ignore: true}, {event: {action: a, client: {id: x}}}]}");
  ASSERT_NE(source, nullptr);
  EXPECT_TRUE(source->ignore_unmatched);
  EXPECT_EQ(source->success_status, 204U);
  EXPECT_TRUE(source->rules.at(0).ignore);
  EXPECT_FALSE(source->rules.at(1).ignore);
}

TEST(Sources, ParamsMayHaveTheNamesOfForms) {
  const auto source = source_of(
      "{name: s, event: {action: a, label: l, client: {id: x}, params: {from: {from: /a}, value: "
      "{from: "
      "/b}, object: London}}}");
  ASSERT_NE(source, nullptr);
  EXPECT_EQ(describe_member(*source, 3), "{from: from(/a), value: from(/b), object: \"London\", }");
}

TEST(Sources, RulesAndTheirConditions) {
  const auto source = source_of(R"(name: s
    rules:
      - when: {from: /kind, equals: 5}
        event: {type: logged-in, label: l, client: {id: x}}
      - when:
          - {from: /a, exists: true}
          - {from: /b, exists: false}
          - {from: /c, not_equals: x}
          - {from: /d, in: [a, 1]}
          - {from: /e, not_in: ["b"]}
          - {from: /f, prefix: "C"}
          - {from: /g, below: 0.5}
          - {from: /h, above: -1}
        transaction:
          client: {email: {from: /e}}
          orderId: {from: /o, type: string}
          products: {each: /lines, item: {object: {sku: {from: /sku}}}}
          revenue: {object: {amount: {from: /r}, currency: GBP}}
          value: {object: {amount: {from: /v}, currency: GBP}}
          paymentInfo: {object: {method: CARD}}
          source: POS
          metadata: {shop: {from: /shop}}
)");
  ASSERT_NE(source, nullptr);
  ASSERT_EQ(source->rules.size(), 2U);
  EXPECT_EQ(source->rules[0].kind, EventKind::event);
  EXPECT_EQ(source->rules[1].kind, EventKind::transaction);
  EXPECT_EQ(source->rules[1].shape.members.size(), 8U);
  const auto is = [](std::string pointer, Condition::Test test, std::vector<std::string> operands) {
    return testing::AllOf(testing::Field(&Condition::pointer, pointer),
                          testing::Field(&Condition::test, test),
                          testing::Field(&Condition::operands, operands));
  };
  using enum Condition::Test;
  EXPECT_THAT(source->rules[0].when, ElementsAre(is("/kind", in, {"5"})));
  EXPECT_THAT(
      source->rules[1].when,
      ElementsAre(is("/a", exists, {}), is("/b", absent, {}), is("/c", not_in, {"x"}),
                  is("/d", in, {"a", "1"}), is("/e", not_in, {"b"}), is("/f", prefix, {"C"}),
                  is("/g", below, {"0.5"}), is("/h", above, {"-1"})));
}

TEST(Sources, TransactionWithoutRules) {
  const auto source = source_of(
      "{name: s, transaction: {client: {id: x}, orderId: o, products: {array: []}, revenue: r, "
      "value: v, "
      "paymentInfo: p, source: POS}}");
  ASSERT_NE(source, nullptr);
  ASSERT_EQ(source->rules.size(), 1U);
  EXPECT_EQ(source->rules[0].kind, EventKind::transaction);
}

void expect_mistake(const std::string& text, const std::string& mistake) {
  EXPECT_THAT(mistakes_in(text), ElementsAre(testing::StartsWith("sluice.yaml:" + mistake)))
      << text;
}

TEST(Sources, MistakesOfSourcesAndRules) {
  struct Case {
    const char* source;
    const char* mistake;
  };
  constexpr const char* event = "{action: a, label: l, client: {id: x}}";
  for (const Case& c : {
           Case{"event: EVENT", "5: sources[0] has no name"},
           Case{"{name: a/b, event: EVENT}", "5: sources[0].name is \"a/b\", which is not a name"},
           Case{"name: s", "5: sources[0] makes nothing: write event: or transaction:"},
           Case{"text", "5: sources[0] is not a map"},
           Case{"{name: s, event: text}", "5: sources[0].event is not a map"},
           Case{"{name: s, workspace: x, event: EVENT}",
                "5: sources[0].workspace is \"x\", which is not among the workspaces"},
           Case{"name: s\n    event: EVENT\n    transaction: {}",
                "7: sources[0].transaction is there beside event"},
           Case{"name: s\n    event: EVENT\n    rules: [{event: EVENT}]",
                "6: sources[0].event is there beside rules"},
           Case{"name: s\n    rules: []", "6: sources[0].rules has no rule"},
           Case{"name: s\n    rules:\n      - when: {from: /a, exists: true}",
                "7: sources[0].rules[0] makes nothing"},
           Case{"{name: s, rules: [{evnt: EVENT, event: EVENT}]}",
                "5: sources[0].rules[0].evnt is not a known key: did you mean event?"},
           Case{"{name: s, rules: [{when: , event: EVENT}]}",
                "5: sources[0].rules[0].when is empty: write a condition, or leave it out"},
           Case{"{name: s, event: EVENT}\n  - {name: s, event: EVENT}",
                "6: sources[1].name is \"s\", which is taken"},
       }) {
    std::string text = with_source(c.source);
    for (auto at = text.find("EVENT"); at != std::string::npos; at = text.find("EVENT")) {
      text.replace(at, 5, event);
    }
    expect_mistake(text, c.mistake);
  }
}

TEST(Sources, MistakesOfConditions) {
  struct Case {
    const char* condition;
    const char* mistake;
  };
  for (const Case& c : {
           Case{"{exists: true}", " has no from"},
           Case{"{from: /a}", " tests nothing: write exactly one of exists, equals"},
           Case{"{from: /a, equals: 1, above: 2}", " has more than one test"},
           Case{"{from: a, equals: 1}", ".from is \"a\", which is not a JSON Pointer"},
           Case{"{from: /a, above: x}", ".above is \"x\", which is not a number"},
           Case{"{from: /a, in: []}", ".in has nothing to compare with"},
           Case{"{from: /a, in: x}", ".in is not a list"},
           Case{"{from: /a, exists: maybe}", ".exists is \"maybe\", which is not known"},
           Case{"{from: /a, equal: 1, above: 1}",
                ".equal is not a known key: did you mean equals?"},
           Case{"text", " is not a map"},
       }) {
    expect_mistake(
        with_source(fmt::format("{{name: s, rules: [{{when: {}, event: {{action: a, label: l, "
                                "client: {{id: x}}}}}}]}}",
                                c.condition)),
        std::string("5: sources[0].rules[0].when") + c.mistake);
  }
}

TEST(Sources, MistakesOfValues) {
  struct Case {
    const char* value;
    const char* mistake;
  };
  for (const Case& c : {
           Case{"{}", " does not say where the value comes from: write exactly one of value, from"},
           Case{"", " does not say where the value comes from"},
           Case{"[a]", " is not a map"},
           Case{"{from: /a, value: b}", " has both value and from"},
           Case{"{from: a}", ".from is \"a\", which is not a JSON Pointer such as /order/id"},
           Case{"{from: /a~3}", ".from is \"/a~3\", which is not a JSON Pointer"},
           Case{"{template: '{a}'}",
                ".template is \"{a}\", which has {a}, which is not a JSON Pointer"},
           Case{"{template: 'a}'}", ".template is \"a}\", which has a } that closes nothing"},
           Case{"{each: /a}", " has no item"},
           Case{"{from: /a, item: x}", ".item means nothing beside from"},
           Case{"{value: a, type: string}", ".type means nothing beside value"},
           Case{"{value: a, required: true}", ".required means nothing beside value"},
           Case{"{array: [a], type: string}", ".type means nothing beside array"},
           Case{"{value: ~}", ".value is null, which the API takes for no value"},
           Case{"{value: [a, {b: }]}", ".value[1].b is null"},
           Case{"{from: /a, default: null}", ".default is null"},
           Case{"{from: /a, default: x, required: true}", ".default is never used"},
           Case{"{from: /a, type: strnig}",
                ".type is \"strnig\", which is not known: did you mean string?"},
           Case{"{from: /a, required: 1}", ".required is \"1\", which is not known"},
           Case{"{from: /a, format: '%Q'}",
                ".format does not work: the format \"%Q\" has %Q, which is not known"},
           Case{"{from: /a, format: '%F', type: integer}", ".type means nothing beside format"},
           Case{"{from: /a, zone: UTC}", ".zone is there without a format"},
           Case{"{from: /a, format: '%F', zone: Mars/Base}",
                ".zone does not work: the zone \"Mars/Base\" is not known"},
           Case{"{object: {a: {form: /x, from: /x}}}",
                ".object.a.form is not a known key: did you mean from?"},
           Case{"{array: [{from: x}]}", ".array[0].from is \"x\""},
           Case{"{each: /l, item: {from: x}}", ".item.from is \"x\""},
       }) {
    expect_mistake(
        with_source(fmt::format("name: s\n    event:\n      action: a\n      client: {{id: x}}\n"
                                "      label: {}",
                                c.value)),
        std::string("9: sources[0].event.label") + c.mistake);
  }
}

// The mistakes of a value in the place of a label, without their place.
std::vector<std::string> mistakes_of_value(std::string_view value) {
  return mistakes_in(
      with_source(fmt::format("name: s\n    event:\n      action: a\n      client: {{id: x}}\n"
                              "      label: {}",
                              value)));
}

TEST(Sources, ConstantsThatLookLikeExpressionsAreMistakes) {
  struct Case {
    const char* value;
    const char* mend;
  };
  for (const Case& c : {
           Case{"'{/id}'", "write {from: /id}"},
           Case{"{value: '{/id}'}", "write {from: /id}"},
           Case{"'{{id}}'", "write {from: /id}"},
           Case{"'{{ order.id }}'", "write {from: /order/id}"},
           Case{"'$${id}'", "write {from: /id}"},
           Case{"'%{id}'", "write {from: /id}"},
           Case{"'{{/a}}-{/b}'", "write {template: \"{/a}-{/b}\"}"},
           Case{"'no. {id}'", "write {template: \"no. {/id}\"}"},
           Case{"'{items[0].sku}'", "write {from: /items/0/sku}"},
           Case{"'{items[*].sku}'", "write {template: \"{/pointer}\"}"},
           Case{"'<%= id %>'", "write {template: ...}"},
           Case{"$.id", "write {from: /id}"},
           Case{"{value: '$.order.items[0].sku'}", "write {from: /order/items/0/sku}"},
           Case{"\"$['order']['id']\"", "write {from: /order/id}"},
           Case{"$.items[*].sku", "arrays are addressed by number"},
           Case{"$id", "write {from: /id}"},
           Case{"'#/order/id'", "write {from: /order/id}"},
           Case{"/order/id", "write {from: /order/id}"},
           Case{"{value: /order/id}", "write {from: /order/id}"},
           Case{"{from: /a, default: '{/b}'}", "write {from: /b}"},
           Case{"{from: /a, default: $.b}", "write {from: /b}"},
           Case{"{from: /a, default: {from: /m}}", "a default is a constant"},
           Case{"{from: /a, default: {template: '{/m}'}}", "a default is a constant"},
           Case{"{from: /a, default: {value: x}}", "a default is a constant"},
           Case{"{value: {from: /m}}", "write the rule in its place, without value:"},
           Case{"{value: {from: /m, type: string}}", "write the rule in its place"},
           Case{"{value: {amount: {from: /m}}}", "write the rule in its place"},
           Case{"{value: [{from: /m}]}", "write the rule in its place"},
           Case{"{value: {a: ['{/m}']}}", "write {from: /m}"},
           Case{"{object: {a: /x}}", "write {from: /x}"},
           Case{"{array: ['{/x}']}", "write {from: /x}"},
           Case{"{each: /l, item: /x}", "write {from: /x}"},
           Case{"{template: order}", "write {/pointer} for a value, once braced"},
           Case{"{template: '{{/id}}'}", "write {/pointer} for a value, once braced"},
           Case{"{template: '{{id}}-{/x}'}", "write {/pointer} for a value, once braced"},
           Case{"{template: $.id}", "write {/pointer} for a value, once braced"},
           Case{"{template: '{/items/*/sku}'}", "arrays are addressed by number"},
           Case{"{from: /items/*/sku}", "arrays are addressed by number"},
           Case{"{from: '/items/-'}", "arrays are addressed by number"},
           Case{"{from: '/items/-1'}", "arrays are addressed by number"},
           Case{"{from: '/items[0]/sku'}", "arrays are addressed by number"},
           Case{"{from: '/items[]'}", "arrays are addressed by number"},
           Case{"{each: '/items/*', item: {from: /sku}}", "arrays are addressed by number"},
           Case{"{from: /order/}", "leave out the slash"},
           Case{"{from: '/order '}", "leave out the space"},
           Case{"{from: order.id}", "write /order/id"},
           Case{"{from: $.order.id}", "write /order/id"},
           Case{"{from: '#/order/id'}", "write /order/id"},
           Case{"{from: 'items[0].id'}", "write /items/0/id"},
       }) {
    EXPECT_THAT(mistakes_of_value(c.value),
                ElementsAre(testing::AllOf(HasSubstr("sluice.yaml:9: sources[0].event.label"),
                                           HasSubstr(c.mend))))
        << c.value;
  }
}

TEST(Sources, WhatLooksLikeAnExpressionCanBeMeantAllTheSame) {
  for (const char* value :
       {"{value: '{/id}', literal: true}", "{value: $.id, literal: true}",
        "{value: /checkout, literal: true}", "{value: {from: /m}, literal: true}",
        "{from: /a, default: {from: /m}, literal: true}", "{from: '/a/-', literal: true}",
        "{from: '/a/*', literal: true}", "{template: '{{id}}-{/x}', literal: true}",
        "{template: order, literal: true}"}) {
    EXPECT_THAT(mistakes_of_value(value), IsEmpty()) << value;
  }
}

TEST(Sources, ConstantsOfAllOtherKindsAreFine) {
  for (const char* value : {"a/b",
                            "/",
                            "// note",
                            "and / or",
                            "50 %",
                            "'$19.99'",
                            "US$",
                            "{value: '{}'}",
                            "'{\"a\":1}'",
                            "'a { b, c }'",
                            "'{0}'",
                            "{value: {from: 2024-01-01, to: 2024-02-01}}",
                            "{value: {type: a}}",
                            "order.line",
                            "https://shop.example/a?b=c#d",
                            "{value: []}",
                            "'[1]'",
                            "a@b.example",
                            "'@home'",
                            "'#1001'"}) {
    EXPECT_THAT(mistakes_of_value(value), IsEmpty()) << value;
  }
}

TEST(Sources, ASaltThatEventsShareIsAMistake) {
  const auto mistakes = [](const char* salt) {
    return mistakes_in(with_source(
        fmt::format("{{name: s, event: {{action: a, client: {{id: x}}, eventSalt: {}}}}}", salt)));
  };
  EXPECT_THAT(mistakes("order"), ElementsAre(HasSubstr("is the same for every event")));
  EXPECT_THAT(mistakes("{value: 1}"), ElementsAre(HasSubstr("is the same for every event")));
  EXPECT_THAT(mistakes("{from: /id, default: x}"), ElementsAre(HasSubstr("has a default")));
  EXPECT_THAT(mistakes("{value: 1, literal: true}"), IsEmpty());
}

TEST(Sources, ConditionsCompareWithConstants) {
  const auto mistakes = [](const char* condition) {
    return mistakes_in(with_source(fmt::format(
        "{{name: s, rules: [{{when: {}, event: {{action: a, client: {{id: x}}}}}}]}}", condition)));
  };
  for (const char* wrong :
       {"{from: /a, equals: '{/b}'}", "{from: /a, in: [x, $.b]}", "{from: /a, prefix: '{{b}}'}"}) {
    EXPECT_THAT(mistakes(wrong), ElementsAre(HasSubstr("is compared as it stands"))) << wrong;
  }
  EXPECT_THAT(mistakes("{from: '/a/*', exists: true}"),
              ElementsAre(HasSubstr("arrays are addressed by number")));
  for (const char* right :
       {"{from: /a, equals: /checkout}", "{from: /a, equals: '{/b}', literal: true}",
        "{from: '/a/-', exists: true, literal: true}"}) {
    EXPECT_THAT(mistakes(right), IsEmpty()) << right;
  }
}

TEST(Sources, ARuleThatIgnoresMakesNothing) {
  EXPECT_THAT(mistakes_in(with_source(
                  "{name: s, rules: [{ignore: true, event: {action: a, client: {id: x}}}]}")),
              ElementsAre(HasSubstr(".event is there beside ignore: true")));
  EXPECT_THAT(mistakes_in(with_source("{name: s, rules: [{ignore: false}]}")),
              ElementsAre(HasSubstr("rules[0] makes nothing")));
  EXPECT_THAT(mistakes_in(with_source(
                  "{name: s, success_status: 500, event: {action: a, client: {id: x}}}")),
              ElementsAre(HasSubstr(".success_status is \"500\", which is not known")));
}

TEST(Sources, MistakesOfShapes) {
  struct Case {
    const char* members;
    const char* mistake;
  };
  for (const Case& c : {
           Case{"event: {action: a, label: l}", ".event has no client"},
           Case{"event: {action: a, label: l, client: {}}", ".event.client has no identifier"},
           Case{"event: {action: a, label: l, client: {customID: x}}",
                ".event.client.customID is not a known key: did you mean customId?"},
           Case{"event: {label: l, client: {id: x}}", ".event is a custom event without an action"},
           Case{"event: {type: custom, label: l, client: {id: x}}",
                ".event is a custom event without an action"},
           Case{"event: {type: logged-on, label: l, client: {id: x}}",
                ".event.type is \"logged-on\", which is no event type: did you mean logged-in?"},
           Case{"event: {type: {value: logged-in}, action: a, label: l, client: {id: x}}",
                ".event.action means nothing beside the type logged-in"},
           Case{"event: {action: 'a b', label: l, client: {id: x}}",
                ".event.action is \"a b\", which the API refuses"},
           Case{"event: {action: a, label: l, client: {id: x}, eventsalt: s}",
                ".event.eventsalt is not a known key: did you mean eventSalt?"},
           Case{"event: {action: a, label: l, client: {id: x}, params: text}",
                ".event.params is not a map"},
           Case{"transaction: {client: {id: x}, orderId: o, products: p, revenue: r, value: v, "
                "source: POS}",
                ".transaction has no paymentInfo"},
           Case{"transaction: {client: {id: x}, orderId: o, products: p, revenue: r, value: v, "
                "source: POS, "
                "paymentInfo: p, label: l}",
                ".transaction.label is not a known key"},
       }) {
    expect_mistake(with_source(fmt::format("{{name: s, {}}}", c.members)),
                   std::string("5: sources[0]") + c.mistake);
  }
}

// What a raw event decides cannot be checked ahead.
TEST(Sources, TypeAndActionMayComeFromTheRawEvent) {
  EXPECT_THAT(
      mistakes_in(with_source("{name: s, event: {type: {from: /t}, label: l, client: {id: x}}}")),
      IsEmpty());
  EXPECT_THAT(
      mistakes_in(with_source("{name: s, event: {action: {from: /a}, label: l, client: {id: x}}}")),
      IsEmpty());
}

TEST(Sources, WorkspaceMustBeSaidWhenThereAreSeveral) {
  EXPECT_THAT(mistakes_in(R"(workspaces:
  - {name: a, auth: {method: jwt, api_key: k}}
  - {name: b, auth: {method: jwt, api_key: k}}
sources:
  - {name: s, event: {action: a, label: l, client: {id: x}}}
)"),
              ElementsAre(HasSubstr(":5: sources[0] has no workspace, and there are several")));
}

}  // namespace
}  // namespace sluice::config
