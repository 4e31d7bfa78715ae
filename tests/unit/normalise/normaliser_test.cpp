// Goal: every rule of the API is enforced with the field named, and what is valid comes out
// canonical.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "normalise_support.hpp"

namespace sluice::normalise {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view time_now = R"("time":"2024-05-01T12:00:00.000Z")";

// A custom event with these members besides type, action and label.
std::string custom(std::string_view members) {
  return R"({"type":"custom","action":"order.line","label":"l",)" + std::string(members) + "}";
}

TEST(Normaliser, WritesCanonicalJson) {
  const Outcome outcome = run_batch(R"( [ {
    "label" : "Bought", "params" : { "a" : [ 1 , 2.50, -0.0, 1e400 ], "b" : null, "c" : {"d":null} },
    "action" : "order.line", "type" : "custom",
    "client" : { "customId" : " 17850 " }, "time" : "2010-12-01T09:26:00+01:00"
  } ] )");
  ASSERT_TRUE(outcome.body);
  EXPECT_THAT(
      outcome.all(),
      ElementsAre(R"({"type":"custom","label":"Bought","params":{"a":[1,2.50,-0.0,1e400],"c":{}},)"
                  R"("action":"order.line","client":{"customId":"17850"},)"
                  R"("time":"2010-12-01T08:26:00.000Z"})"));
  EXPECT_EQ(outcome.events.tally.nulls_removed, 2);
  EXPECT_EQ(outcome.events.tally.identifiers_trimmed, 1);
}

TEST(Normaliser, FillsInLabelTimeAndSalt) {
  const Outcome outcome =
      run_batch(R"({"type":"custom","action":"a.b","client":{"id":1},"params":{}})", Rules{});
  EXPECT_THAT(
      outcome.all(),
      ElementsAre(testing::MatchesRegex(
          R"re(\{"type":"custom","action":"a.b","client":\{"id":1\},"params":\{\},)re"
          R"re("label":"a.b","time":"2024-05-01T12:00:00.000Z",)re"
          R"re("eventSalt":"018f3406-9e00-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"\})re")));
}

TEST(Normaliser, KeepsAGivenSaltAndDerivesOneFromAKey) {
  const std::string body = custom(R"("client":{"id":1},"params":{},"eventSalt":"mine")");
  EXPECT_THAT(run_batch(body, Rules{}).json(0), HasSubstr(R"("eventSalt":"mine")"));
  const std::string two = "[" + custom(R"("client":{"id":1},"params":{})") + "," +
                          custom(R"("client":{"id":1},"params":{})") + "]";
  const Request keyed{.idempotency_key = "k-1"};
  const Outcome first = run(two, keyed, Rules{});
  const Outcome again = run(two, keyed, Rules{});
  EXPECT_EQ(first.all(), again.all());
  EXPECT_NE(first.json(0), first.json(1));
  EXPECT_EQ(first.events.dedup_keys, again.events.dedup_keys);
  ASSERT_TRUE(first.events.dedup_keys[0]);
  EXPECT_NE(first.events.dedup_keys[0], first.events.dedup_keys[1]);
}

// What a retry is known by, and what a change is told from it by.
TEST(Normaliser, TheContentOfAnEventIsWhatItSaysAndNotWhenItCame) {
  const auto key_of = [](const std::string& members, WallTime received_at = test_now) {
    const Outcome outcome = run(custom(R"("eventSalt":"s","client":{"id":1})" + members),
                                Request{.received_at = received_at}, Rules{});
    return outcome.events.dedup_keys.at(0).value_or(DedupKey{});
  };
  const DedupKey first = key_of(R"(,"params":{"status":"paid"})");
  EXPECT_NE(first, DedupKey{});
  EXPECT_EQ(key_of(R"( , "params" : { "status":"paid" } )"), first) << "white space";
  EXPECT_EQ(key_of(R"(,"params":{"status":"paid","x":null})"), first) << "as it goes upstream";
  EXPECT_EQ(key_of(R"(,"params":{"status":"paid"})", test_now + std::chrono::hours(1)), first)
      << "filled in, the time is that of the arrival";
  const DedupKey changed = key_of(R"(,"params":{"status":"sent"})");
  EXPECT_EQ(changed.identity, first.identity);
  EXPECT_NE(changed.content, first.content);
  EXPECT_NE(key_of(R"(,"params":{"status":"paid"},"time":"2020-01-01T00:00:00Z")").identity,
            first.identity);

  const std::string future = R"(,"time":"2031-01-01T00:00:00Z","params":{"status":"paid"})";
  const DedupKey clamped = key_of(future);
  EXPECT_EQ(key_of(future, test_now + std::chrono::hours(1)), clamped) << "clamped otherwise";
  EXPECT_EQ(key_of(future, WallTime(std::chrono::milliseconds(4'000'000'000'000))), clamped)
      << "not clamped any more";
  EXPECT_NE(key_of(R"(,"time":"2031-01-01T00:00:00Z","params":{"status":"sent"})").content,
            clamped.content);
}

TEST(Normaliser, ClampsAFutureTimeAndKeepsTheOriginal) {
  const Outcome outcome = run_batch(
      "[" + custom(R"("time":"2031-01-01T00:00:00Z","client":{"id":1},"params":{"a":1})") + "," +
      custom(R"("client":{"id":1},"params":{},"time":1924992000,"eventSalt":"s")") + "," +
      R"({"type":"hit-timer","client":{"id":1},"label":"l","time":"2031-01-01T00:00:00Z"})" + "]");
  EXPECT_THAT(
      outcome.all(),
      ElementsAre(
          custom(std::string(time_now) +
                 R"(,"client":{"id":1},"params":{"a":1,"originalTime":"2031-01-01T00:00:00Z"})"),
          custom(R"("client":{"id":1},"params":{"originalTime":1924992000},)" +
                 std::string(time_now) + R"(,"eventSalt":"s")"),
          R"({"type":"hit-timer","client":{"id":1},"label":"l",)" + std::string(time_now) +
              R"(,"params":{"originalTime":"2031-01-01T00:00:00Z"}})"));
  EXPECT_EQ(outcome.events.tally.future_times_clamped, 3);
}

TEST(Normaliser, ATimeALittleInTheFutureIsTheProducers) {
  const auto time_of = [](std::string_view time, Request request, const Rules& rules) {
    const std::string json =
        run(custom(R"("client":{"id":1},"params":{},"time":")" + std::string(time) + '"'), request,
            rules)
            .json(0);
    const std::size_t at = json.find(R"("time":")") + 8;
    return json.substr(at, json.find('"', at) - at);
  };
  Rules rules = plain_rules();
  EXPECT_EQ(time_of("2024-05-01T12:05:00.000Z", {}, rules), "2024-05-01T12:05:00.000Z");
  EXPECT_EQ(time_of("2024-05-01T12:05:00.001Z", {}, rules), "2024-05-01T12:00:00.000Z");
  EXPECT_EQ(time_of("2024-05-01T12:05:00.001Z", {.clamps_future = false}, rules),
            "2024-05-01T12:05:00.001Z")
      << "the clock is wrong";
  rules.future_tolerance = std::chrono::milliseconds(0);
  EXPECT_EQ(time_of("2024-05-01T12:00:00.001Z", {}, rules), "2024-05-01T12:00:00.000Z");
  EXPECT_EQ(time_of("2024-05-01T12:00:00.000Z", {}, rules), "2024-05-01T12:00:00.000Z");
}

TEST(Normaliser, ReadsTimesInTheirUsualForms) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {R"("2010-12-01T08:26:00Z")", "2010-12-01T08:26:00.000Z"},
      {R"("2010-12-01 08:26:00.1239+02:00")", "2010-12-01T06:26:00.123Z"},
      {R"("20101201T082600Z")", "2010-12-01T08:26:00.000Z"},
      {"1291191960", "2010-12-01T08:26:00.000Z"},
      {"1291191960123", "2010-12-01T08:26:00.123Z"},
      {R"("1291191960")", "2010-12-01T08:26:00.000Z"},
      {"1291191960.5", "2010-12-01T08:26:00.500Z"},
  };
  for (const auto& [given, expected] : cases) {
    const Outcome outcome = run_batch(custom(R"("client":{"id":1},"params":{},"time":)" + given));
    EXPECT_THAT(outcome.all(), ElementsAre(HasSubstr("\"time\":\"" + expected + "\""))) << given;
  }
}

TEST(Normaliser, DropsReservedParams) {
  const Outcome outcome = run_batch(
      custom(R"("client":{"id":1},"params":{"ip":"1.2.3.4","time":1,"apiKey":{"x":[1]},"ok":true,)"
             R"("modifiedBy":1,"eventUUID":"x","businessProfileId":7},"time":1)"));
  EXPECT_THAT(outcome.json(0), HasSubstr(R"("params":{"ok":true})"));
  EXPECT_EQ(outcome.events.tally.reserved_params_dropped, 6);
}

struct Refused {
  std::string_view event;
  std::string_view refusal;
};

TEST(Normaliser, RefusesWithTheFieldNamed) {
  const std::vector<Refused> cases{
      {R"(7)", ": not_an_object"},
      {R"({"action":"a","client":{"id":1},"params":{}})", "type: field_missing"},
      {R"({"type":"no-such","client":{"id":1}})", "type: type_unknown"},
      {R"({"type":"custom","client":{"id":1},"params":{}})", "action: field_missing"},
      {R"({"type":"custom","action":"with space","client":{"id":1},"params":{}})",
       "action: action_invalid"},
      {R"({"type":"custom","action":"a23456789012345678901234567890123","client":{"id":1},"params":{}})",
       "action: action_invalid"},
      {R"({"type":"custom","action":"transaction.charge","client":{"id":1},"params":{}})",
       "action: transaction_as_event"},
      {R"({"type":"custom","action":7,"client":{"id":1},"params":{}})", "action: action_invalid"},
      {R"({"type":"custom","action":"a","client":{"id":1}})", "params: field_missing"},
      {R"({"type":"custom","action":"a","client":{"id":1},"params":[]})", "params: field_invalid"},
      {R"({"type":"custom","action":"a","params":{}})", "client: client_missing"},
      {R"({"type":"custom","action":"a","client":null,"params":{}})", "client: client_missing"},
      {R"({"type":"custom","action":"a","client":{},"params":{}})", "client: client_missing"},
      {R"({"type":"custom","action":"a","client":{"customId":"  "},"params":{}})",
       "client: client_missing"},
      {R"({"type":"custom","action":"a","client":"x","params":{}})", "client: field_invalid"},
      {R"({"type":"custom","action":"a","client":{"id":"1"},"params":{}})",
       "client.id: identifier_invalid"},
      {R"({"type":"custom","action":"a","client":{"id":1.0},"params":{}})",
       "client.id: identifier_invalid"},
      {R"({"type":"custom","action":"a","client":{"id":9223372036854775808},"params":{}})",
       "client.id: identifier_invalid"},
      {R"({"type":"custom","action":"a","client":{"customId":5},"params":{}})",
       "client.customId: identifier_invalid"},
      {R"({"type":"custom","action":"a","client":{"customId":"a\nb"},"params":{}})",
       "client.customId: identifier_invalid"},
      {R"({"type":"custom","action":"a","client":{"customId":"a\ud83d\ude00"},"params":{}})",
       "client.customId: identifier_invalid"},
      {R"({"type":"custom","action":"a","client":{"email":"no-at"},"params":{}})",
       "client.email: identifier_invalid"},
      {R"({"type":"custom","action":"a","client":{"uuid":"123"},"params":{}})",
       "client.uuid: identifier_invalid"},
      {R"({"type":"custom","action":"a","client":{"id":1},"params":{},"client":{"id":2}})",
       "client: duplicate_field"},
      {R"({"type":"custom","action":"a","client":{"id":1,"id":2},"params":{}})",
       "client.id: duplicate_field"},
      {R"({"type":"custom","action":"a","label":7,"client":{"id":1},"params":{}})",
       "label: field_invalid"},
      {R"({"type":"custom","action":"a","time":"yesterday","client":{"id":1},"params":{}})",
       "time: time_invalid"},
      {R"({"type":"custom","action":"a","time":"2010-12-01T08:26:00","client":{"id":1},"params":{}})",
       "time: time_invalid"},
      {R"({"type":"custom","action":"a","time":true,"client":{"id":1},"params":{}})",
       "time: time_invalid"},
      {R"({"type":"custom","action":"a","eventSalt":"","client":{"id":1},"params":{}})",
       "eventSalt: field_invalid"},
      {R"({"type":"custom","action":"a","eventSalt":5,"client":{"id":1},"params":{}})",
       "eventSalt: field_invalid"},
      {R"({"type":"custom","action":"a","client":{"email":"a@b.com"},"params":{"email":"c@d.com"}})",
       "params.email: email_mismatch"},
      {R"({"type":"product-view","action":"x","client":{"id":1},"params":{"source":"POS"}})",
       "action: action_invalid"},
      {R"({"type":"product-view","client":{"id":1},"params":{}})", "params.source: field_missing"},
      {R"({"type":"product-view","client":{"id":1},"params":{"source":null}})",
       "params.source: field_missing"},
      {R"({"type":"product-view","client":{"id":1},"params":{"source":"FAX"}})",
       "params.source: field_invalid"},
      {R"({"type":"appeared-in-location","client":{"id":1},"params":{"lat":"1","lon":2}})",
       "params.lat: field_invalid"},
      {R"({"type":"assigned-to-company","client":{"id":1},"params":{"companyId":"c"}})",
       "params.companyId: field_invalid"},
      {R"({"type":"added-to-cart","client":{"id":1},"params":{"source":"POS","sku":"s","name":"n",)"
       R"("quantity":1,"finalUnitPrice":{"amount":-1,"currency":"EUR"}}})",
       "params.finalUnitPrice.amount: field_invalid"},
      {R"({"type":"added-to-cart","client":{"id":1},"params":{"source":"POS","sku":"s","name":"n",)"
       R"("quantity":1,"finalUnitPrice":{"amount":1}}})",
       "params.finalUnitPrice.currency: field_missing"},
      {R"({"type":"item-search-click","client":{"id":1},"params":{"correlationId":"c","item":"i",)"
       R"("position":0,"searchType":"autocomplete"}})",
       "params.position: field_invalid"},
      {R"({"type":"item-search-click","client":{"id":1},"params":{"correlationId":"c","item":"i",)"
       R"("position":1.5,"searchType":"autocomplete"}})",
       "params.position: field_invalid"},
      {R"({"type":"hit-timer","client":{"id":1},"par\u0061ms":{}})", "params: field_invalid"},
      {R"({"type":"hit-timer","client":{"id":1,"\u0069d":2}})", "id: field_invalid"},
      {R"({"type":"item-search-click","client":{"id":1},"params":{"correlationId":"c","item":"i",)"
       R"("position":1,"searchType":"guess"}})",
       "params.searchType: field_invalid"},
  };
  for (const Refused& refused : cases) {
    const Outcome outcome = run_batch("[" + std::string(refused.event) + "]");
    EXPECT_TRUE(outcome.body) << refused.event;
    EXPECT_THAT(outcome.refusals(), ElementsAre(refused.refusal)) << refused.event;
    EXPECT_THAT(outcome.all(), IsEmpty()) << refused.event;
    EXPECT_EQ(outcome.events.rejected_events, 1) << refused.event;
  }
}

TEST(Normaliser, NamesEveryMistakeOfAnEventAndCountsItOnce) {
  const Outcome outcome = run_batch(R"({"type":"added-to-cart","params":{"sku":7},"time":"?"})");
  EXPECT_THAT(
      outcome.refusals(),
      ElementsAre("params.sku: field_invalid", "time: time_invalid", "params.source: field_missing",
                  "params.name: field_missing", "params.quantity: field_missing",
                  "params.finalUnitPrice: field_missing"));
  EXPECT_EQ(outcome.events.rejected_events, 1);
}

TEST(Normaliser, OneBadEventCostsNoOther) {
  const std::string good = custom(R"("client":{"id":1},"params":{},)" + std::string(time_now));
  const Outcome outcome = run_batch("[" + good + R"(,{"type":"custom"},)" + good + "]");
  EXPECT_THAT(outcome.all(), ElementsAre(good, good));
  EXPECT_THAT(outcome.events.indexes, ElementsAre(0, 2));
  EXPECT_EQ(outcome.events.rejections.front().index, 1);
}

TEST(Normaliser, ReadsLinesEachOnItsOwn) {
  const std::string good = custom(R"("client":{"id":1},"params":{},)" + std::string(time_now));
  const Outcome outcome = run(good + "\n\n{\"broken\n" + good + " {}\n" + good + "\r\n[1]",
                              Request{.framing = Framing::lines}, plain_rules());
  ASSERT_TRUE(outcome.body);
  EXPECT_THAT(outcome.all(), ElementsAre(good, good));
  EXPECT_THAT(outcome.events.indexes, ElementsAre(0, 3));
  EXPECT_THAT(outcome.refusals(),
              ElementsAre(": malformed_json", ": malformed_json", ": not_an_object"));
}

TEST(Normaliser, RefusesBodiesThatAreNotJson) {
  const std::vector<std::string_view> bodies{"",
                                             "  \n",
                                             "[",
                                             "]",
                                             "{",
                                             "[{]",
                                             "[{}",
                                             "{}}",
                                             "[{},]",
                                             "[,{}]",
                                             "{\"a\"}",
                                             "{\"a\":}",
                                             "{\"a\":1,}",
                                             "{\"a\":1 \"b\":2}",
                                             "{a:1}",
                                             "{'a':1}",
                                             "[1 2]",
                                             "nul",
                                             "{\"a\":tru}",
                                             "{\"a\":truex}",
                                             "{\"a\":01}",
                                             "{\"a\":1.}",
                                             "{\"a\":.5}",
                                             "{\"a\":+1}",
                                             "{\"a\":1e}",
                                             "{\"a\":-}",
                                             "{\"a\":\"\\x\"}",
                                             "{\"a\":\"\\u12g4\"}",
                                             "{\"a\":\"\\ud800\\x\"}",
                                             "{\"a\":\"\\ud80\"}",
                                             "{\"\\x\":1}",
                                             "{\"a\":\"\x01\"}",
                                             "{} \xff",
                                             "{\"a\":\"unclosed}",
                                             "{} {}",
                                             "[{}] x",
                                             "{\"a\":1}]",
                                             "\"text\"",
                                             "12",
                                             "true"};
  for (const std::string_view body : bodies) {
    const Outcome outcome = run_batch(body);
    EXPECT_FALSE(outcome.body) << body;
  }
  EXPECT_EQ(run_batch("").body.error().code, BodyError::Code::empty);
  EXPECT_EQ(run_batch("{\"a\":01}").body.error().code, BodyError::Code::malformed);
  EXPECT_EQ(run_batch("12").body.error().code, BodyError::Code::wrong_shape);
}

TEST(Normaliser, TakesOneObjectOnlyWhereThePathSaysSo) {
  const Request single{.framing = Framing::object, .type = EventType::custom};
  EXPECT_EQ(run("[]", single, plain_rules()).body.error().code, BodyError::Code::wrong_shape);
  EXPECT_THAT(
      run(R"({"action":"a","client":{"id":1},"params":{},"type":"custom"})", single, plain_rules())
          .all(),
      ElementsAre(R"({"type":"custom","action":"a","client":{"id":1},"params":{},"label":"a",)" +
                  std::string(time_now) + "}"));
  EXPECT_THAT(
      run(R"({"type":"shared","action":"a","client":{"id":1},"params":{}})", single, plain_rules())
          .refusals(),
      ElementsAre("type: field_invalid"));
}

TEST(Normaliser, RefusesWhatIsTooDeepOrTooLargeAndNothingElse) {
  const std::string deep = std::string(70, '[') + std::string(70, ']');
  const std::string good = custom(R"("client":{"id":1},"params":{},)" + std::string(time_now));
  const Outcome outcome = run_batch(
      "[" + custom(R"("client":{"id":1},"params":{"a":)" + deep + "}") + "," + good + "]");
  EXPECT_THAT(outcome.refusals(), ElementsAre(": too_deep"));
  EXPECT_THAT(outcome.all(), ElementsAre(good));
  Rules small = plain_rules();
  small.event_bytes_max = good.size();
  const Outcome limited =
      run_batch("[" + good + "," + custom(R"("client":{"id":1},"params":{"a":"b"})") + "]", small);
  EXPECT_THAT(limited.refusals(), ElementsAre(": event_too_large"));
  EXPECT_THAT(limited.all(), ElementsAre(good));
}

// The grammar is intact, so it is known where the next event begins.
TEST(Normaliser, AStringThatIsNoTextCostsItsEventAlone) {
  const std::string good = custom(R"("client":{"id":1},"params":{},)" + std::string(time_now));
  const auto with = [](const std::string& members) {
    return custom(R"("client":{"id":1},)" + members);
  };
  const std::vector<std::string> bad{
      with(R"("params":{"a":"\ud800"})"),
      with(R"("params":{"a":"\udc00\u0041"})"),
      with(R"("params":{"a":["x",{"b":"\ud83dx"}]})"),
      with(R"("params":{"\ud83d\u0041":1})"),
      with(R"("x\ud800":1,"params":{})"),
      with(R"("params":{},"eventSalt":"\ud800")"),
      R"({"type":"hit-timer","label":"\udfff","client":{"id":1}})",
      R"({"type":"\ud800","client":{"id":1}})",
      R"({"\ud800":{"type":"a"},"type":"hit-timer","client":{"id":1}})",
      R"({"type":"hit-timer","client":{"customId":"\ud800"}})",
      "{\"type\":\"hit-timer\",\"client\":{\"customId\":\"\xff\"}}",
      "{\"type\":\"hit-timer\",\"client\":{\"id\":1},\"x\":\"\xc3\"}",
      "{\"type\":\"hit-timer\",\"client\":{\"id\":1},\"\xed\xa0\x80\":1}",
  };
  for (const std::string& event : bad) {
    const Outcome outcome = run_batch("[" + good + "," + event + "," + good + "]");
    ASSERT_TRUE(outcome.body) << event;
    EXPECT_THAT(outcome.all(), ElementsAre(good, good)) << event;
    EXPECT_THAT(outcome.refusals(), Contains(": string_invalid")) << event;
    EXPECT_EQ(outcome.events.rejected_events, 1U) << event;
    const Outcome lines =
        run(good + "\n" + event + "\n" + good, Request{.framing = Framing::lines}, plain_rules());
    EXPECT_THAT(lines.all(), ElementsAre(good, good)) << event;
    EXPECT_THAT(lines.refusals(), Contains(": string_invalid")) << event;
    EXPECT_FALSE(run_batch("[" + good + "," + event + "x," + good + "]").body) << event;
  }
}

// Malformed is malformed, however deep: where the next event begins cannot be known.
TEST(Normaliser, MalformedJsonInAnEventThatIsTooDeepRefusesTheBody) {
  const std::string good = custom(R"("client":{"id":1},"params":{})");
  const auto nested = [](std::string_view inside) {
    return custom(R"("client":{"id":1},"params":{"a":)" + std::string(70, '[') +
                  std::string(inside) + std::string(70, ']') + "}");
  };
  for (const std::string_view inside :
       {"", "1", R"({"a":[1,{"b":null}],"c":"\ud800"})", "[],{}", R"("]")"}) {
    const Outcome outcome = run_batch("[" + nested(inside) + "," + good + "]");
    EXPECT_TRUE(outcome.body) << inside;
    EXPECT_THAT(outcome.refusals(), ElementsAre(": too_deep")) << inside;
    EXPECT_EQ(outcome.events.records.size(), 1U) << inside;
  }
  for (const std::string_view inside :
       {"1 2", "01", R"({"a"})", R"({"a":})", R"({"a":1,})", "{1:2}", "[1,]", "tru", R"("\x")", "}",
        R"({"a" 1})", "[}", R"({"\y":1})", ","}) {
    EXPECT_FALSE(run_batch("[" + nested(inside) + "," + good + "]").body) << inside;
    EXPECT_THAT(run(nested(inside) + "\n" + good, Request{.framing = Framing::lines}, plain_rules())
                    .refusals(),
                ElementsAre(": malformed_json"))
        << inside;
  }
}

TEST(Normaliser, SkipsAByteOrderMark) {
  const std::string mark = "\xEF\xBB\xBF";
  const std::string good = custom(R"("client":{"id":1},"params":{},)" + std::string(time_now));
  EXPECT_THAT(run_batch(mark + "[" + good + "]").all(), ElementsAre(good));
  EXPECT_THAT(run_batch(mark + good).all(), ElementsAre(good));
  const Outcome lines = run(mark + good + "\n" + mark + "\n" + mark + good,
                            Request{.framing = Framing::lines}, plain_rules());
  EXPECT_THAT(lines.all(), ElementsAre(good, good));
  EXPECT_THAT(lines.events.indexes, ElementsAre(0, 1));
  EXPECT_EQ(run_batch(mark).body.error().code, BodyError::Code::empty);
  EXPECT_FALSE(run_batch(mark + mark + good).body);
  EXPECT_FALSE(run_batch("[" + mark + good + "]").body);
}

TEST(Normaliser, CountsAnEventOnceThatIsWrongAndTooDeep) {
  const std::string deep = std::string(70, '[') + std::string(70, ']');
  const Outcome outcome = run_batch(R"([{"type":"custom","action":"no spaces","params":{"x":)" +
                                    deep + R"(}},{"type":"hit-timer","client":{"id":1}}])");
  EXPECT_THAT(outcome.refusals(), ElementsAre("action: action_invalid", ": too_deep"));
  EXPECT_EQ(outcome.events.rejected_events, 1);
  EXPECT_EQ(outcome.events.records.size(), 1);
}

TEST(Normaliser, RefusesEventsBehindMoreBytesThanARecordCanSay) {
  Rules rules = plain_rules();
  const std::string event = R"({"type":"hit-timer","client":{"id":1}})";
  rules.request_bytes_max = 2 * run_batch(event, rules).json(0).size();
  const Outcome outcome = run_batch("[" + event + "," + event + "," + event + "]", rules);
  EXPECT_EQ(outcome.events.records.size(), 2);
  EXPECT_THAT(outcome.refusals(), ElementsAre(": event_too_large"));
}

TEST(Normaliser, RefusesTooManyKeysAndTooLongStringsAndNothingElse) {
  Rules small = plain_rules();
  small.event_keys_max = 20;
  small.string_bytes_max = 30;
  const auto with = [](const std::string& params) {
    return custom(R"("client":{"id":1},"params":{)" + params + "}");
  };
  const auto keys = [](int count) {
    std::string members;
    for (int i = 0; i < count; ++i) {
      members += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":1";
    }
    return members;
  };
  const std::string longest(30, 'x');
  // Beside `action`, `client` and `id` there may be 17 more, at whatever depth.
  const std::string many = R"("a":[{)" + keys(16) + "}]";
  const std::string two_many = R"("a":[{)" + keys(17) + "}]";
  const Outcome outcome =
      run_batch("[" + with(many) + "," + with(two_many) + "," + with("\"s\":\"" + longest + "\"") +
                    "," + with("\"s\":[0,{\"t\":\"" + longest + "y\"}]") + "," +
                    with("\"" + longest + "y\":[]") + "," + with(keys(1)) + "]",
                small);
  EXPECT_THAT(outcome.refusals(), ElementsAre(": too_many_keys", "params.s[1].t: string_too_long",
                                              "params." + longest + "y: string_too_long"));
  EXPECT_THAT(outcome.events.indexes, ElementsAre(0, 2, 5));
  EXPECT_EQ(outcome.events.rejections[0].index, 1U);
  EXPECT_THAT(outcome.events.rejections[0].message,
              HasSubstr("has 21 keys, above limits.max_event_keys (20)"));
  EXPECT_THAT(outcome.events.rejections[1].message,
              HasSubstr("a string of 31 bytes, above limits.max_string_bytes (30)"));
  // What came out, with what was filled in, is let in again.
  EXPECT_THAT(run_batch(outcome.json(0), small).all(), ElementsAre(outcome.json(0)));
  EXPECT_EQ(run_batch("[" + with(many) + "]", plain_rules()).events.rejected_events, 0U);
}

TEST(Normaliser, AllowsOnlyListedActionsWhereThereIsAList) {
  Rules rules = plain_rules();
  rules.actions = {"order.line"};
  EXPECT_THAT(run_batch(custom(R"("client":{"id":1},"params":{})"), rules).refusals(), IsEmpty());
  EXPECT_THAT(
      run_batch(R"({"type":"custom","action":"ordr.line","client":{"id":1},"params":{}})", rules)
          .refusals(),
      ElementsAre("action: action_not_allowed"));
  EXPECT_THAT(run_batch(R"({"type":"hit-timer","client":{"id":1}})", rules).refusals(), IsEmpty());
}

TEST(Normaliser, ProfilesOfTheSameIdentityShareALane) {
  const auto hash = [](std::string_view client) {
    return run_batch(custom(R"("params":{},"client":)" + std::string(client)))
        .events.records.at(0)
        .profile_hash;
  };
  EXPECT_EQ(hash(R"({"customId":"a"})"), hash(R"({"email":"x@y.com","customId":" \u0061 "})"));
  EXPECT_NE(hash(R"({"customId":"1"})"), hash(R"({"id":1})"));
  EXPECT_NE(hash(R"({"customId":"a"})"), hash(R"({"customId":"b"})"));
}

TEST(Normaliser, UnescapesIdentifiersAndLeavesOtherStringsAlone) {
  const Outcome outcome = run_batch(custom(
      R"("client":{"customId":"\u00e9\t\"\\ x"},"params":{"k\u0061":"\u0061\ud83d\ude00\/"},)" +
      std::string(time_now)));
  EXPECT_THAT(outcome.all(),
              ElementsAre(custom("\"client\":{\"customId\":\"\xc3\xa9\\t\\\"\\\\ x\"}," +
                                 std::string(R"("params":{"k\u0061":"\u0061\ud83d\ude00\/"},)") +
                                 std::string(time_now))));
}

std::string transaction(std::string_view products, std::string_view more = "") {
  return R"({"client":{"id":1},"orderId":"o1","products":)" + std::string(products) +
         R"(,"revenue":{"amount":5,"currency":"EUR"},"value":{"amount":5.10,"currency":"EUR"},)"
         R"("paymentInfo":{"method":"CARD"},"source":"POS",)" +
         std::string(more) + R"("recordedAt":"2024-05-01T11:00:00.000Z"})";
}
constexpr std::string_view product =
    R"({"sku":"s","name":"n","quantity":1.0,"finalUnitPrice":{"amount":5,"currency":"EUR"}})";

Outcome run_transaction(std::string_view body) {
  return run(body, Request{.kind = EventKind::transaction}, plain_rules());
}

TEST(Normaliser, ComparesEmailsByTheirValues) {
  const auto refusals = [](std::string_view client, std::string_view param) {
    const std::string in_client = R"("client":{"email":")" + std::string(client) + R"("})";
    const std::string in_params = R"("params":{"email":")" + std::string(param) + R"("})";
    const auto found = run_batch(custom(in_client + "," + in_params)).refusals();
    EXPECT_EQ(run_batch(custom(in_params + "," + in_client)).refusals(), found);
    return found;
  };
  EXPECT_THAT(refusals("a@b.co", "a@b.co"), IsEmpty());
  EXPECT_THAT(refusals(" a@b.co ", "a@b.co"), IsEmpty());
  EXPECT_THAT(refusals(R"(\"a b\"@b.co)", R"(\"a b\"@b.co)"), IsEmpty());
  EXPECT_THAT(refusals(R"(\"a b\"@b.co)", R"(\u0022a b\"@b.co)"), IsEmpty());
  const auto mismatch = ElementsAre("params.email: email_mismatch");
  EXPECT_THAT(refusals(" a@b.co ", " a@b.co "), mismatch) << "the API would find them different";
  EXPECT_THAT(refusals("a@b.co", R"(a@b.co\t)"), mismatch);
  EXPECT_THAT(refusals("a@b.co", "c@b.co"), mismatch);
  EXPECT_THAT(refusals("a@b.co", ""), mismatch);
  EXPECT_THAT(run_batch(custom(R"("client":{"email":"a@b.co"},"params":{"email":5})")).refusals(),
              mismatch);
  EXPECT_THAT(run_batch(custom(R"("client":{"id":1},"params":{"email":5})")).refusals(), IsEmpty());
}

TEST(Normaliser, ChecksTheFurtherPricesOfCartsWhenStrict) {
  const auto refusals = [](std::string_view type, std::string_view param, const Rules& rules) {
    return run_batch(R"({"type":")" + std::string(type) + R"(","client":{"id":1},"params":{)" +
                         R"("source":"POS","sku":"s","name":"n","quantity":1,"finalUnitPrice":)" +
                         R"({"amount":1,"currency":"EUR"},)" + std::string(param) + "}}",
                     rules)
        .refusals();
  };
  const Rules strict = plain_rules();
  for (const std::string_view type : {"added-to-cart", "removed-from-cart"}) {
    EXPECT_THAT(refusals(type, R"("regularUnitPrice":5)", strict),
                ElementsAre("params.regularUnitPrice: field_invalid"));
    EXPECT_THAT(refusals(type, R"("discountedUnitPrice":{"amount":5})", strict),
                ElementsAre("params.discountedUnitPrice.currency: field_missing"));
    EXPECT_THAT(refusals(type, R"("regularUnitPrice":null)", strict), IsEmpty());
    EXPECT_THAT(refusals(type, R"("regularUnitPrice":{"amount":5,"currency":"EUR"})", strict),
                IsEmpty());
    EXPECT_THAT(refusals(type, R"("regularUnitPrice":5)", api_rules()), IsEmpty());
  }
  EXPECT_THAT(refusals("product-view", R"("regularUnitPrice":5)", strict), IsEmpty());
  EXPECT_THAT(run_batch(R"({"type":"item-search-click","client":{"id":1},"params":{"item":{},)"
                        R"("correlationId":"c","position":1,"searchType":"autocomplete"}})")
                  .refusals(),
              ElementsAre("params.item: field_invalid"));
}

TEST(Normaliser, MeasuresASaltByItsValue) {
  const auto with_salt = [](const std::string& salt) {
    return run_batch(custom(R"("client":{"id":1},"params":{},"eventSalt":")" + salt + '"'))
        .refusals();
  };
  const auto repeated = [](std::string_view text, std::size_t times) {
    std::string out;
    for (std::size_t i = 0; i < times; ++i) {
      out += text;
    }
    return out;
  };
  EXPECT_THAT(with_salt(repeated("a", 256)), IsEmpty());
  EXPECT_THAT(with_salt(repeated(R"(\u0061)", 256)), IsEmpty());
  EXPECT_THAT(with_salt(repeated(R"(\u00e9)", 128)), IsEmpty());
  EXPECT_THAT(with_salt(repeated("a", 257)), ElementsAre("eventSalt: field_invalid"));
  EXPECT_THAT(with_salt(repeated(R"(\u00e9)", 129)), ElementsAre("eventSalt: field_invalid"));
}

TEST(Normaliser, CountsTheLevelsWithinAmounts) {
  const auto amount = [](std::size_t levels) {
    return R"({"amount":5,"currency":"EUR","x":)" + std::string(levels, '[') + "0" +
           std::string(levels, ']') + "}";
  };
  const auto refusals = [](const std::string& body) { return run_transaction(body).refusals(); };
  const auto in_transaction = [&](std::size_t levels) {
    return transaction("[" + std::string(product) + "]",
                       R"("discountAmount":)" + amount(levels) + ",");
  };
  const auto in_product = [&](std::size_t levels) {
    return transaction(R"([{"sku":"s","name":"n","quantity":1,"finalUnitPrice":)" + amount(levels) +
                       "}]");
  };
  const auto in_params = [&](std::size_t levels) {
    return R"({"type":"added-to-cart","client":{"id":1},"params":{"source":"POS","sku":"s",)"
           R"("name":"n","quantity":1,"finalUnitPrice":)" +
           amount(levels) + "}}";
  };
  // The event is the first level: an amount of a transaction stands on the second, and so on.
  EXPECT_THAT(refusals(in_transaction(62)), IsEmpty());
  EXPECT_THAT(refusals(in_transaction(63)), ElementsAre(": too_deep"));
  EXPECT_THAT(refusals(in_product(60)), IsEmpty());
  EXPECT_THAT(refusals(in_product(61)), ElementsAre(": too_deep"));
  EXPECT_THAT(run_batch(in_params(61)).refusals(), IsEmpty());
  EXPECT_THAT(run_batch(in_params(62)).refusals(), ElementsAre(": too_deep"));
}

TEST(Normaliser, RefusesKnownNamesWithEscapesWithinAmountsAndPayments) {
  const auto refusals = [](std::string body, std::string_view plain, std::string_view escaped) {
    body.replace(body.find(plain), plain.size(), escaped);
    return run_transaction(body).refusals();
  };
  const std::string body = transaction("[" + std::string(product) + "]",
                                       R"("discountAmount":{"amount":1,"currency":"EUR"},)");
  EXPECT_THAT(refusals(body, R"("amount")", R"("am\u006funt")"), Contains("amount: field_invalid"));
  EXPECT_THAT(refusals(body, R"("currency")", R"("currenc\u0079")"),
              Contains("currency: field_invalid"));
  EXPECT_THAT(refusals(body, R"({"method":"CARD"})", R"({"method":"CARD","m\u0065thod":""})"),
              ElementsAre("method: field_invalid"));
  EXPECT_THAT(refusals(body, R"({"method":"CARD"})", R"({"method":"CARD","m\u0065th":""})"),
              IsEmpty());
}

TEST(Normaliser, KeepsAnOriginalTimeOfAnyKindInMetadata) {
  const auto with = [](std::string_view metadata) {
    const std::string body = transaction("[" + std::string(product) + "]",
                                         R"("metadata":)" + std::string(metadata) + ",");
    std::string future = body;
    future.replace(future.find("2024-05-01T11"), 4, "2030");
    const Outcome outcome = run_transaction(future);
    const auto made = outcome.refusals().empty() ? outcome.json(0) : outcome.refusals().front();
    const std::size_t begin = made.find(R"("metadata":)");
    return begin == std::string::npos ? made
                                      : made.substr(begin + 11, made.find('}', begin) - begin - 10);
  };
  EXPECT_EQ(with(R"({"originalTime":5})"), R"({"originalTime":5})");
  EXPECT_EQ(with(R"({"originalTime":true,"a":1})"), R"({"originalTime":true,"a":1})");
  EXPECT_EQ(with(R"({"originalTime":{}})"), R"({"originalTime":{})");
  EXPECT_EQ(with(R"({"originalTime":null,"a":1})"),
            R"({"a":1,"originalTime":"2030-05-01T11:00:00.000Z"})");
  EXPECT_EQ(with(R"({"a":{"originalTime":"x"}})").substr(0, 25), R"({"a":{"originalTime":"x"})");
  EXPECT_EQ(with(R"({"original\u0054ime":5})"), "originalTime: field_invalid");
}

TEST(Normaliser, PassesTransactionsAndLeavesOutADiscountOfZero) {
  const std::string one = transaction("[" + std::string(product) + "]");
  EXPECT_THAT(run_transaction(one).all(), ElementsAre(one));
  EXPECT_EQ(run_transaction(one).events.records.at(0).kind, EventKind::transaction);
  EXPECT_THAT(run_transaction(transaction("[" + std::string(product) + "]",
                                          R"("discountAmount":{"amount":0.00,"currency":"EUR"},)"))
                  .all(),
              ElementsAre(one));
}

TEST(Normaliser, RefusesTransactionsWithTheFieldNamed) {
  const std::string products = "[" + std::string(product) + "]";
  const std::vector<std::pair<std::string, std::string>> cases{
      {transaction("[]"), "products: field_invalid"},
      {transaction("{}"), "products: field_invalid"},
      {transaction("[" + std::string(product) + ",null]"), "products[1]: field_invalid"},
      {transaction(R"([{"sku":"s","quantity":1,"finalUnitPrice":{"amount":5,"currency":"EUR"}}])"),
       "products[0].name: field_missing"},
      {transaction(
           R"([{"sku":"s","name":"n","quantity":"1","finalUnitPrice":{"amount":5,"currency":"EUR"}}])"),
       "products[0].quantity: field_invalid"},
      {transaction(
           R"([{"sku":"s","name":"n","quantity":1,"finalUnitPrice":{"amount":5,"currency":"USD"}}])"),
       "revenue.currency: field_invalid"},
      {transaction(products, R"("discountAmount":{"amount":-1,"currency":"EUR"},)"),
       "discountAmount.amount: field_invalid"},
      {transaction(products, R"("orderId":"again",)"), "orderId: duplicate_field"},
  };
  for (const auto& [body, refusal] : cases) {
    EXPECT_THAT(run_transaction(body).refusals(), testing::Contains(refusal)) << body;
    EXPECT_THAT(run_transaction(body).all(), IsEmpty()) << body;
  }
  EXPECT_THAT(
      run_transaction(R"({"client":{"id":1}})").refusals(),
      ElementsAre("orderId: field_missing", "products: field_missing", "revenue: field_missing",
                  "value: field_missing", "paymentInfo: field_missing", "source: field_missing"));
}

TEST(Normaliser, LeavesTheBytesBehindTheBodyAsTheyWere) {
  std::string buffer = R"([1])"
                       "POST /next";
  buffer.resize(buffer.size() + Normaliser::padding_bytes);
  Normaliser normaliser(Rng(1));
  Normalised events;
  ASSERT_TRUE(normaliser.run(std::span(buffer).first(3), Request{.received_at = test_now},
                             plain_rules(), events));
  EXPECT_THAT(buffer, HasSubstr("[1]POST /next"));
}

}  // namespace
}  // namespace sluice::normalise
