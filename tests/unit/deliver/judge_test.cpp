// A success counts as what it says: nothing that another server answers is taken for a delivery,
// and of a 207 nothing counts as delivered that was not understood.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/deliver/judge.hpp>

namespace sluice::deliver {
namespace {

constexpr const char* json = "application/json";

UpstreamAnswer answer_of(unsigned status, std::string content_type, std::string body,
                         bool is_cut = false) {
  UpstreamAnswer answer;
  answer.status = status;
  answer.content_type = std::move(content_type);
  answer.body = std::move(body);
  answer.body_is_cut = is_cut;
  return answer;
}

// What it means as text: the outcome's name, and the positions that it names.
std::string meaning(const UpstreamAnswer& answer, std::size_t event_count,
                    std::vector<unsigned> accept_statuses = {}) {
  const Judgement judgement = judge(answer, event_count, accept_statuses);
  std::string text(info(judgement.outcome).name);
  for (const std::size_t position : judgement.rejected) {
    text += ' ' + std::to_string(position);
  }
  return text;
}

TEST(Judge, ASuccessIsWhatTheApiSaysNotAny2xx) {
  struct Case {
    unsigned status;
    const char* content_type;
    const char* body;
    const char* meaning;
  };
  const Case cases[] = {
      {202, "", "", "delivered"},
      {200, json, "", "delivered"},
      {200, "text/html", "", "delivered"},
      {204, "", "", "delivered"},
      {201, json, "{}", "delivered"},
      {201, "", "", "misrouted"},
      {203, "", "", "misrouted"},
      {203, json, "{}", "misrouted"},
      {205, "", "", "misrouted"},
      {206, json, "{}", "misrouted"},
      {226, "", "", "misrouted"},
      {299, "", "", "misrouted"},
      {202, json, " \r\n", "delivered"},
      {202, json, R"({"accepted":3})", "delivered"},
      {202, "", R"({"accepted":3})", "delivered"},
      {202, "Application/JSON; charset=utf-8", "[]", "delivered"},
      {202, "application/problem+json", "{}", "delivered"},
      {202, json, "true", "delivered"},
      {202, json, R"({"error":null,"errors":[],"status":202,"success":true})", "delivered"},
      {202, json, R"({"error":"","status":"OK","message":"error"})", "delivered"},
      {202, json, R"({"data":[{"id":7},{"id":8}]})", "delivered"},
      {202, json, R"([{"index":0},{"index":1}])", "delivered"},
      {200, "text/html", "<html>Sign in</html>", "misrouted"},
      {202, "text/html; charset=utf-8", "{}", "misrouted"},
      {200, "", "<!DOCTYPE html>", "misrouted"},
      {200, "", "OK", "misrouted"},
      {200, "text/plain", "OK", "misrouted"},
      {200, "application/xml", "<ok/>", "misrouted"},
      {200, "application/octet-stream", "x", "misrouted"},
      {200, "+json", "{}", "misrouted"},
      {200, json, "<html>", "misrouted"},
      {200, json, "{oops", "misrouted"},
      {200, json, R"({"error":"Bad Request","status":400,"message":"no"})", "rejected"},
      {200, json, R"({"status":"422"})", "rejected"},
      {200, json, R"({"status":401,"error":"Unauthorized"})", "unauthorised"},
      {200, json, R"({"status":403})", "unauthorised"},
      {200, json, R"({"status":404})", "misrouted"},
      {200, json, R"({"status":413})", "too_large"},
      {200, json, R"({"status":429})", "throttled"},
      {202, json, R"({"status":503})", "transient"},
      {202, json, R"({"status":"failed"})", "rejected"},
      {202, json, R"({"error":"it broke"})", "rejected"},
      {202, json, R"({"error":{"code":7}})", "rejected"},
      {202, json, R"({"success":false})", "rejected"},
      {202, json, R"({"success":"false"})", "rejected"},
      {202, json, R"({"success":0})", "rejected"},
      {202, json, R"({"Ok":false})", "rejected"},
      {202, json, R"({"success":"true","ok":1})", "delivered"},
      {202, json, R"({"status":false})", "rejected"},
      {202, json, R"({"status":"fail"})", "rejected"},
      {202, json, "false", "rejected"},
      {202, json, "\"error\"", "rejected"},
      {200, json, "401", "unauthorised"},
      {200, json, R"({"code":400,"message":"bad"})", "rejected"},
      {200, json, R"({"errorCode":"503"})", "transient"},
      {200, json, R"({"code":0,"message":"fine"})", "delivered"},
      {200, json, R"({"code":120})", "delivered"},
      {200, json, R"({"httpStatus":400})", "rejected"},
      {200, json, R"({"http_status":401})", "unauthorised"},
      {200, json, R"({"status_code":404})", "misrouted"},
      {200, json, R"({"StatusCode":"429"})", "throttled"},
      {200, json, R"({"status":"OK","code":400})", "rejected"},
      {202, json, R"({"errors":[{"message":"one of them"}]})", "rejected"},
      {202, json, R"({"errors":["one of them"]})", "rejected"},
      {202, json, R"({"errors":{"sku":"unknown"}})", "rejected"},
      {202, json, R"({"errors":[{"index":1}]})", "partially_delivered 1"},
      {200, json, R"([{"status":202},{"status":400},{"status":202}])", "partially_delivered 1"},
      {200, json, R"({"data":[{"status":400},{"id":1}]})", "rejected"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(meaning(answer_of(c.status, c.content_type, c.body), 3), c.meaning)
        << c.status << ' ' << c.content_type << ' ' << c.body;
  }
}

TEST(Judge, WhatIsCutIsWhatItsHeadSays) {
  EXPECT_EQ(meaning(answer_of(202, "", "part", true), 3), "delivered");
  EXPECT_EQ(meaning(answer_of(202, json, R"({"filler":"..)", true), 3), "delivered");
  EXPECT_EQ(meaning(answer_of(202, "", "", true), 3), "delivered");
  EXPECT_EQ(meaning(answer_of(200, "text/html", "<ht", true), 3), "misrouted");
  EXPECT_EQ(meaning(answer_of(200, "", "<ht", true), 3), "misrouted");
}

TEST(Judge, OtherStatusesAreNotLookedInto) {
  EXPECT_EQ(meaning(answer_of(400, "text/html", "<html>"), 3), "rejected");
  EXPECT_EQ(meaning(answer_of(503, json, R"({"status":202})"), 3), "transient");
  UpstreamAnswer failed;
  failed.failure = Failure::connect;
  EXPECT_EQ(meaning(failed, 3), "transient");
}

TEST(Judge, TheStatusesOfASuccessCanBeNarrowed) {
  EXPECT_EQ(meaning(answer_of(202, "", ""), 3, {200, 202}), "delivered");
  EXPECT_EQ(meaning(answer_of(201, json, "{}"), 3, {200, 202}), "misrouted");
  EXPECT_EQ(meaning(answer_of(204, "", ""), 3, {200, 202}), "misrouted");
  EXPECT_EQ(meaning(answer_of(203, "", ""), 3, {203}), "delivered");
  EXPECT_EQ(meaning(answer_of(207, json, R"([{"index":0}])"), 3, {202}), "misrouted");
  EXPECT_EQ(meaning(answer_of(202, "text/html", "<html>"), 3, {202}), "misrouted");
  EXPECT_EQ(meaning(answer_of(400, "", ""), 3, {202}), "rejected");
}

TEST(Judge, A207NamesWhatItRefused) {
  struct Case {
    const char* body;
    const char* meaning;
  };
  const Case cases[] = {
      {R"([{"index":3},{"index":1},{"index":3}])", "partially_delivered 1 3"},
      {R"([{"index":"3"}])", "partially_delivered 3"},
      {R"({"status":207,"errors":[{"field":"[2].client.email"}]})", "partially_delivered 2"},
      {R"({"errors":[{"field":"events[0]","code":7}]})", "partially_delivered 0"},
      {R"({"results":[{"index":0,"status":202},{"index":1,"status":202},{"index":2,"status":400},)"
       R"({"index":3,"status":202},{"index":4,"status":202}]})",
       "partially_delivered 2"},
      {R"({"items":[{"status":"accepted"},{"status":"rejected"},{"status":"OK"},{"status":"ok"},)"
       R"({"status":"ACCEPTED"}]})",
       "partially_delivered 1"},
      {R"({"data":[{"success":true},{"success":false},{"success":true},{"success":true},)"
       R"({"success":true}]})",
       "partially_delivered 1"},
      {"[202,400,202,202,422]", "partially_delivered 1 4"},
      {R"(["202","400","202","202","202"])", "partially_delivered 1"},
      {"[202,202,202,202,202]", "delivered"},
      {R"([{"index":1,"statusCode":422,"message":"no"}])", "partially_delivered 1"},
      {R"([{"index":4,"error":"no such sku"}])", "partially_delivered 4"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(meaning(answer_of(207, json, c.body), 5), c.meaning) << c.body;
    EXPECT_EQ(meaning(answer_of(207, "", c.body), 5), c.meaning) << c.body;
  }
}

TEST(Judge, WhatA207SaysOtherwiseIsToldByTheEventsApart) {
  for (const char* const body : {
           "",
           "oops",
           "2 of 5 were refused",
           "<html></html>",
           "{}",
           "[]",
           "null",
           "5",
           "[1,2]",
           "[202,400]",
           R"({"errors":{}})",
           R"({"errors":[]})",
           R"({"message":"some were refused"})",
           R"([{"index":-1}])",
           R"([{"index":1.5}])",
           R"([{"index":5}])",
           R"([{"index":"x"}])",
           R"([{"index":18446744073709551615}])",
           R"([{"field":"[x]"}])",
           R"([{"field":"[1"}])",
           R"({"errors":[{"field":"products[2].sku"}]})",
           R"({"errors":[{"field":"events[0]"},{"code":7}]})",
           R"({"errors":["1","2"]})",
           R"({"results":[{"index":0,"status":202}]})",
           R"({"results":[{"index":0},{"index":1}]})",
           R"([{"index":1,"status":429}])",
           R"([{"index":1,"status":503}])",
           R"([{"index":1,"status":"maybe"}])",
           R"([{"index":1,"status":202,"error":"but"}])",
           R"({"errors":[{"index":1}],"results":[202,202,202,202,202]})",
           R"([{"index":0},{"index":1},{"index":2},{"index":3},{"index":4}])",
           R"([{"index":1},{"ind)",
           R"( {"errors":[{"index":0}])",
       }) {
    EXPECT_EQ(meaning(answer_of(207, "", body), 5), "rejected") << body;
  }
  EXPECT_EQ(meaning(answer_of(207, "text/plain", "2 of 5 were refused"), 5), "rejected");
  EXPECT_EQ(meaning(answer_of(207, "text/html", "<html></html>"), 5), "rejected");
}

TEST(Judge, A207ForOneEventIsItsOwnAnswer) {
  EXPECT_EQ(meaning(answer_of(207, json, R"([{"index":0}])"), 1), "rejected");
  EXPECT_EQ(meaning(answer_of(207, json, R"([{"index":1}])"), 1), "rejected");
  EXPECT_EQ(meaning(answer_of(207, json, R"({"errors":[{"message":"no sku"}]})"), 1), "rejected");
  EXPECT_EQ(meaning(answer_of(207, json, R"({"status":400})"), 1), "rejected");
  EXPECT_EQ(meaning(answer_of(207, json, R"([{"index":0,"status":202}])"), 1), "delivered");
  EXPECT_EQ(meaning(answer_of(207, json, "[202]"), 1), "delivered");
  EXPECT_EQ(meaning(answer_of(207, json, "{}"), 1), "delivered");
  EXPECT_EQ(meaning(answer_of(207, "", ""), 1), "delivered");
  EXPECT_EQ(meaning(answer_of(207, "text/plain", "some"), 1), "misrouted");
  EXPECT_EQ(meaning(answer_of(207, "", "some"), 1), "misrouted");
}

// What is throttled or fails is no fault of the event's content.
TEST(Judge, AnItemThatFailedIsSentAgainAndNotTakenForDeliveredOrRefused) {
  for (const unsigned status : {200U, 202U, 207U}) {
    EXPECT_EQ(
        meaning(answer_of(status, json,
                          R"({"results":[{"index":0,"status":503},{"index":1,"status":202}]})"),
                2),
        "rejected")
        << "told apart";
    EXPECT_EQ(meaning(answer_of(status, json, R"({"results":[{"index":0,"status":503}]})"), 1),
              "transient");
    EXPECT_EQ(meaning(answer_of(status, json, R"({"items":[{"status":429}]})"), 1), "throttled");
    EXPECT_EQ(meaning(answer_of(status, json, R"({"items":[{"status":401}]})"), 1), "unauthorised");
    EXPECT_EQ(
        meaning(answer_of(status, json, R"({"results":[{"statusCode":500,"error":"x"}]})"), 1),
        "transient");
  }
  EXPECT_EQ(meaning(answer_of(200, json, R"({"statusCode":500,"message":"no"})"), 5), "transient");
  EXPECT_EQ(meaning(answer_of(200, json, R"({"processed":100,"errors":0})"), 100), "delivered");
  EXPECT_EQ(meaning(answer_of(200, json, R"({"error":0})"), 1), "delivered");
}

TEST(Judge, A207WhoseListIsCut) {
  EXPECT_EQ(meaning(answer_of(207, json, R"([{"index":1}])", true), 2), "partially_delivered 1")
      << "nothing is missing";
  for (const char* const body : {"", "oo", R"({"errors":[)"}) {
    EXPECT_EQ(meaning(answer_of(207, "", body, true), 2), "rejected") << body;
    EXPECT_EQ(meaning(answer_of(207, "", body, true), 1), "ambiguous") << body;
  }
  EXPECT_EQ(meaning(answer_of(207, "", std::string(answer_body_bytes_max, ' '), true), 1),
            "rejected")
      << "such an answer would not become shorter";
}

}  // namespace
}  // namespace sluice::deliver
