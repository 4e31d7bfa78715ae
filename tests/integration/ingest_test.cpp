// Goal: a producer gets the documented answer for whatever it sends, and nothing it sends costs
// another.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include "deflate.hpp"
#include "running_gateway.hpp"
#include "test_pki.hpp"

namespace sluice::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string zstd_compressed(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 1));
  return out;
}

class Ingest : public testing::Test {
 protected:
  RunningGateway gateway_;
};

TEST_F(Ingest, TakesEveryDocumentedPath) {
  const std::string client = R"("client":{"id":1})";
  const std::string cart = "{" + client +
                           R"(,"params":{"source":"POS","sku":"s","name":"n","quantity":1,)"
                           R"("finalUnitPrice":{"amount":1.50,"currency":"EUR"}}})";
  const std::string sourced = "{" + client + R"(,"params":{"source":"WEB_DESKTOP"}})";
  const std::vector<std::pair<std::string, std::string>> events{
      {"custom", "{" + client + R"(,"action":"a.b","params":{}})"},
      {"added-to-cart", cart},
      {"removed-from-cart", cart},
      {"added-to-favorites", "{" + client + R"(,"params":{}})"},
      {"product-view", sourced},
      {"searched", sourced},
      {"shared", sourced},
      {"visited-screen", sourced},
      {"registered", sourced},
      {"logged-in", sourced},
      {"logged-out", sourced},
      {"appeared-in-location", "{" + client + R"(,"params":{"lat":52.2,"lon":21.0}})"},
      {"application-started", "{" + client + R"(,"params":{"applicationName":"a","version":"1"}})"},
      {"assigned-to-company", "{" + client + R"(,"params":{"companyId":7}})"},
      {"cancelled-transaction", "{" + client + R"(,"params":{"orderId":"o"}})"},
      {"hit-timer", "{" + client + "}"},
      {"item-search-click",
       "{" + client +
           R"(,"params":{"correlationId":"c","item":"i","position":1,"searchType":"autocomplete"}})"},
      {"push/received", "{" + client + "}"},
      {"push/viewed", "{" + client + "}"},
      {"push/clicked", "{" + client + "}"},
      {"push/cancelled", "{" + client + "}"},
  };
  HttpClient producer(gateway_.port());
  std::string batch = "[";
  for (const auto& [type, body] : events) {
    const HttpAnswer answer = producer.post("/v4/events/" + type, body);
    EXPECT_EQ(answer.status, 202) << type << ": " << answer.body;
    EXPECT_EQ(answer.body, R"({"accepted":1,"rejected":0,"duplicates":0,"errors":[]})") << type;
    batch +=
        (batch.size() > 1 ? "," : "") + std::string(R"({"type":")") + type + "\"," + body.substr(1);
  }
  EXPECT_EQ(producer.post("/v4/events/batch", batch + "]").body,
            R"({"accepted":21,"rejected":0,"duplicates":0,"errors":[]})");
  const std::string transaction =
      "{" + client +
      R"(,"orderId":"o1","products":[{"sku":"s","name":"n","quantity":1,"finalUnitPrice":{"amount":5,"currency":"EUR"}}],)"
      R"("revenue":{"amount":5,"currency":"EUR"},"value":{"amount":5,"currency":"EUR"},)"
      R"("paymentInfo":{"method":"CARD"},"source":"POS"})";
  EXPECT_EQ(producer.post("/v4/transactions", transaction).status, 202);
  EXPECT_EQ(producer.post("/v4/transactions/batch", "[" + transaction + "]").status, 202);
  ASSERT_TRUE(gateway_.delivered(44));
  EXPECT_EQ(gateway_.upstream().ledger().summary().unique, 44);
  EXPECT_EQ(gateway_.metric("events_dead_lettered_total"), 0);
  gateway_.expect_conservation();
}

TEST_F(Ingest, NamesWhatIsWrongWithEachEventOfAnArray) {
  const HttpAnswer answer = post(
      gateway_.port(), "/v4/events/batch",
      "[" + event("a") + R"(,{"type":"custom","action":"x y","client":{"id":1},"params":{}},7])");
  EXPECT_EQ(answer.status, 202);
  EXPECT_THAT(
      answer.body,
      StartsWith(
          R"({"accepted":1,"rejected":2,"duplicates":0,"errors":[{"index":1,"code":1009,"reason":"action_invalid","field":"action","message":")"));
  EXPECT_THAT(
      answer.body,
      HasSubstr(R"({"index":2,"code":1002,"reason":"not_an_object","field":"","message":")"));
  EXPECT_EQ(gateway_.metric("events_rejected_total", R"(reason="action_invalid")"), 1);
}

TEST_F(Ingest, RefusesASingleInvalidEventAsTheUpstreamDoes) {
  const HttpAnswer answer =
      post(gateway_.port(), "/v4/events/custom", R"({"action":"a","params":{}})");
  EXPECT_EQ(answer.status, 400);
  for (const char* part :
       {R"("error":"Bad Request")", R"("status":400)", R"("path":"/v4/events/custom")",
        R"("errors":[{"index":0,"code":1006,"reason":"client_missing","field":"client")"}) {
    EXPECT_THAT(answer.body, HasSubstr(part));
  }
  EXPECT_EQ(post(gateway_.port(), "/v4/events/batch", "[7]").status, 400)
      << "an array in which none is valid";
}

TEST_F(Ingest, TellsOfWhatStrictWouldHaveRefused) {
  const HttpAnswer answer = post(gateway_.port(), "/v4/events/searched",
                                 R"({"client":{"customId":20931},"params":{"query":"q"}})");
  EXPECT_EQ(answer.status, 202);
  EXPECT_EQ(
      answer.body,
      R"({"accepted":1,"rejected":0,"duplicates":0,"errors":[],"warning_count":2,"warnings":[)"
      R"({"index":0,"code":1007,"reason":"identifier_invalid","rule":"custom_id_as_number",)"
      R"("field":"client.customId","message":"must be a string"},)"
      R"({"index":0,"code":1003,"reason":"field_missing","rule":"param_missing",)"
      R"("field":"params.source","message":"events of this type carry it"}]})");
  EXPECT_EQ(gateway_.metric("events_warned_total", R"(rule="custom_id_as_number")"), 1);
  EXPECT_EQ(gateway_.metric("events_warned_total"), 2);
  ASSERT_TRUE(gateway_.delivered(1));
  EXPECT_THAT(gateway_.upstream().ledger().entries().front().body,
              HasSubstr(R"("client":{"customId":"20931"},"params":{"query":"q"})"));
}

// Of one array: what is fine, what is refused, and one that only `strict` would refuse.
std::string mixed_array() {
  return "[" + event("a") + R"(,7,{"type":"searched","client":{"id":1}}])";
}

TEST_F(Ingest, SaysHowManyItRejectedWhateverTheStatus) {
  const auto rejected = [&](std::string_view path, const std::string& body) {
    const HttpAnswer answer = post(gateway_.port(), path, body);
    const auto found = answer.headers.find("x-sluice-rejected");
    return std::to_string(answer.status) + " " +
           (found == answer.headers.end() ? "none" : found->second);
  };
  EXPECT_EQ(rejected("/v4/events/batch", mixed_array()), "202 1");
  EXPECT_EQ(rejected("/v4/events/batch", "[7,8]"), "400 2");
  EXPECT_EQ(rejected("/v4/events/custom", R"({"action":"a"})"), "400 1");
  EXPECT_EQ(rejected("/v4/events/batch", "[" + event("a") + "]"), "202 none");
  EXPECT_EQ(rejected("/v4/events/batch", "["), "400 none");
}

TEST(IngestOptions, AnswersAPartWith207WhereConfigured) {
  RunningGateway gateway({}, R"(
workspaces:
  - name: default
    base_url: ${SIMULATOR}
    partial_status: 207
    auth: {method: basic, workspace_guid: 01890a5d-ac96-774b-bcce-b302099a8057, api_key: upstream-secret}
)");
  const HttpAnswer part = post(gateway.port(), "/v4/events/batch", mixed_array());
  EXPECT_EQ(part.status, 207);
  EXPECT_EQ(part.headers.at("x-sluice-rejected"), "1");
  EXPECT_THAT(part.body, StartsWith(R"({"accepted":2,"rejected":1,"duplicates":0,"errors":[)"));
  EXPECT_EQ(post(gateway.port(), "/v4/events/batch", "[" + event("b") + "]").status, 202);
  EXPECT_EQ(post(gateway.port(), "/v4/events/batch", "[7]").status, 400) << "none is accepted";
  EXPECT_EQ(gateway.metric("ingest_requests_total", R"(code="207")"), 1);
  ASSERT_TRUE(gateway.delivered(3));
}

TEST(IngestOptions, IsStrictWhereConfigured) {
  RunningGateway gateway({}, R"(
workspaces:
  - name: default
    base_url: ${SIMULATOR}
    validation: strict
    auth: {method: basic, workspace_guid: 01890a5d-ac96-774b-bcce-b302099a8057, api_key: upstream-secret}
)");
  const HttpAnswer answer = post(gateway.port(), "/v4/events/batch", mixed_array());
  EXPECT_THAT(answer.body, StartsWith(R"({"accepted":1,"rejected":2,)"));
  EXPECT_THAT(answer.body, Not(HasSubstr("warning")));
}

TEST(IngestOptions, ReadsALocalTimeInTheWorkspacesZone) {
  RunningGateway gateway({}, R"(
workspaces:
  - name: default
    base_url: ${SIMULATOR}
    time_zone: Europe/Warsaw
    auth: {method: basic, workspace_guid: 01890a5d-ac96-774b-bcce-b302099a8057, api_key: upstream-secret}
)");
  EXPECT_EQ(post(gateway.port(), "/v4/transactions",
                 R"({"client":{"id":1},"orderId":"o","recordedAt":"2024-07-01T10:00:00"})")
                .status,
            202);
  ASSERT_TRUE(gateway.delivered(1));
  EXPECT_EQ(gateway.upstream().ledger().entries().front().time, "2024-07-01T08:00:00.000Z");
}

TEST_F(Ingest, AStringThatIsNoTextCostsItsEventAlone) {
  const HttpAnswer answer =
      post(gateway_.port(), "/v4/events/batch",
           "[" + event("a") + "," + event("b", R"({"x":"\ud800"})") + "," + event("c") + "]");
  EXPECT_EQ(answer.status, 202);
  EXPECT_THAT(answer.body, StartsWith(R"({"accepted":2,"rejected":1,"duplicates":0,"errors":[)"
                                      R"({"index":1,"code":1019,"reason":"string_invalid",)"));
  ASSERT_TRUE(gateway_.delivered(2));
}

TEST(IngestOptions, RejectsTheWholeRequestWhereConfigured) {
  RunningGateway gateway({}, plain_yaml("ingest: {on_invalid: reject_request}\n"));
  EXPECT_EQ(post(gateway.port(), "/v4/events/batch", "[" + event("a") + ",7]").status, 400);
  EXPECT_EQ(gateway.metric("events_accepted_total"), 0);
  EXPECT_EQ(gateway.metric("events_rejected_total"), 2);
  EXPECT_EQ(post(gateway.port(), "/v4/events/batch", "[" + event("a") + "]").status, 202);
}

TEST_F(Ingest, ReadsLinesAndCompressedBodies) {
  HttpClient producer(gateway_.port());
  const std::string lines = event("a") + "\n{broken\n" + event("b") + "\n";
  EXPECT_THAT(
      producer.post("/v4/events/batch", lines, {{"Content-Type", "application/x-ndjson"}}).body,
      StartsWith(R"({"accepted":2,"rejected":1,)"));
  const std::string array = events(100);
  const std::vector<std::pair<std::string, std::string>> bodies{
      {"gzip", gzip(array)},
      {"deflate", deflated(array, MAX_WBITS)},
      {"deflate", deflated(array, -MAX_WBITS)},
      {"zstd", zstd_compressed(array)}};
  for (const auto& [coding, body] : bodies) {
    EXPECT_THAT(producer.post("/v4/events/batch", body, {{"Content-Encoding", coding}}).body,
                StartsWith(R"({"accepted":100,)"))
        << coding;
    EXPECT_EQ(producer
                  .post("/v4/events/batch", body.substr(0, body.size() / 2),
                        {{"Content-Encoding", coding}})
                  .status,
              400)
        << coding << ", cut off";
  }
  EXPECT_TRUE(gateway_.delivered(402));
}

TEST(IngestOptions, ABombIsRefusedAtTheLimit) {
  RunningGateway gateway({},
                         plain_yaml("ingest: {max_body_bytes: 64KiB, max_event_bytes: 32KiB}\n"));
  const std::string bomb(50'000'000, ' ');
  for (const auto& [coding, body] :
       {std::pair("gzip", gzip(bomb)), std::pair("zstd", zstd_compressed(bomb))}) {
    EXPECT_EQ(post(gateway.port(), "/v4/events/batch", body.substr(0, 60'000),
                   {{"Content-Encoding", coding}})
                  .status,
              413)
        << coding;
  }
  EXPECT_EQ(post(gateway.port(), "/v4/events/batch", std::string(65'537, ' ')).status, 413);
  HttpClient chunking(gateway.port());
  chunking.send(
      "POST /v4/events/batch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n");
  EXPECT_EQ(chunking.read_answer().status, 413);
  EXPECT_EQ(post(gateway.port(), "/v4/events/batch", "[" + event("a") + "]").status, 202);
  EXPECT_EQ(gateway.metric("ingest_bodies_refused_total", R"(limit="decoded_bytes")"), 2);
  EXPECT_EQ(gateway.metric("ingest_bodies_refused_total", R"(limit="max_body_bytes")"), 2);
  EXPECT_EQ(gateway.metric("ingest_bodies_refused_total"), 4);
}

TEST(IngestOptions, ABodyThatDecodesToTooManyTimesItsSizeIsRefused) {
  RunningGateway gateway({}, plain_yaml("limits: {max_decompression_ratio: 20}\n"));
  const std::string spaces(100'000, ' ');
  const std::string array = events(20);
  for (const auto& [coding, compress] :
       {std::pair("gzip", &gzip), std::pair("zstd", &zstd_compressed)}) {
    const Headers headers{{"Content-Encoding", coding}};
    const HttpAnswer answer = post(gateway.port(), "/v4/events/batch", compress(spaces), headers);
    EXPECT_EQ(answer.status, 413) << coding;
    EXPECT_THAT(answer.body, HasSubstr("limits.max_decompression_ratio (20)")) << coding;
    EXPECT_EQ(post(gateway.port(), "/v4/events/batch", compress(array), headers).status, 202)
        << coding;
  }
  EXPECT_EQ(gateway.metric("ingest_requests_total", R"(code="413")"), 2);
  EXPECT_EQ(gateway.metric("ingest_bodies_refused_total", R"(limit="max_decompression_ratio")"), 2);
  EXPECT_EQ(gateway.metric("ingest_bodies_refused_total"), 2);
}

TEST_F(Ingest, AnswersPipelinedRequestsInOrder) {
  HttpClient producer(gateway_.port());
  std::string requests;
  for (int i = 0; i < 50; ++i) {
    const std::string body = i % 2 == 0 ? event("a") : "7";
    requests +=
        "POST /v4/events/batch HTTP/1.1\r\nHost: x\r\nContent-Type: "
        "application/json\r\nX-Request-Id: r" +
        std::to_string(i) + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
        body;
  }
  producer.send(requests);
  for (int i = 0; i < 50; ++i) {
    HttpAnswer answer = producer.read_answer();
    EXPECT_EQ(answer.status, i % 2 == 0 ? 202 : 400);
    EXPECT_EQ(answer.headers["x-request-id"], "r" + std::to_string(i));
  }
}

TEST_F(Ingest, ReadsChunkedBodiesByteByByte) {
  HttpClient producer(gateway_.port());
  const std::string body = "[" + event("a") + "]";
  std::string request =
      "POST /v4/events/batch HTTP/1.1\r\nHost: x\r\nContent-Type: "
      "application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (std::size_t at = 0; at < body.size(); at += 10) {
    const std::string chunk = body.substr(at, 10);
    request += (chunk.size() == 10 ? "a" : std::to_string(chunk.size())) + "\r\n" + chunk + "\r\n";
  }
  request += "0\r\n\r\n";
  for (const char byte : request) {
    producer.send({&byte, 1});
  }
  EXPECT_EQ(producer.read_answer().status, 202);
  EXPECT_EQ(producer.post("/v4/events/batch", body).status, 202) << "the connection lives on";
}

TEST_F(Ingest, TellsAClientToContinueBeforeItSendsItsBody) {
  HttpClient producer(gateway_.port());
  const std::string body = "[" + event("a") + "]";
  const std::string head =
      "POST /v4/events/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: "
      "100-continue\r\nContent-Length: ";
  producer.send(head + std::to_string(body.size()) + "\r\n\r\n");
  EXPECT_EQ(producer.read_answer().status, 100);
  producer.send(body);
  EXPECT_EQ(producer.read_answer().status, 202);
  producer.send("POST /nowhere" + head.substr(21) + "5\r\n\r\n");
  EXPECT_EQ(producer.read_answer().status, 404) << "refused without asking for the body";
}

struct Refused {
  std::string name;
  std::string method;
  std::string target;
  std::string body;
  Headers headers;
  unsigned status;
};

TEST_F(Ingest, RefusesWithTheDocumentedStatus) {
  const std::vector<Refused> cases{
      {"unknown route", "POST", "/v4/events/no-such", "{}", {}, 404},
      {"another API", "POST", "/v4/events/ai-compat/batch", "{}", {}, 404},
      {"unknown source", "POST", "/v1/events/none", "{}", {}, 404},
      {"wrong method", "GET", "/v4/events/batch", "", {}, 405},
      {"malformed", "POST", "/v4/events/batch", "[{", {}, 400},
      {"empty", "POST", "/v4/events/batch", "", {}, 400},
      {"empty array", "POST", "/v4/events/batch", "[]", {}, 400},
      {"array on a single path", "POST", "/v4/events/custom", "[]", {}, 400},
      {"media type",
       "POST",
       "/v4/events/batch",
       "a=b",
       {{"Content-Type", "application/x-www-form-urlencoded"}},
       415},
      {"content coding", "POST", "/v4/events/batch", "x", {{"Content-Encoding", "br"}}, 415},
      {"lines on a single path",
       "POST",
       "/v4/events/custom",
       "{}",
       {{"Content-Type", "application/x-ndjson"}},
       415},
      {"head too large",
       "POST",
       "/v4/events/batch",
       "[]",
       {{"X-Long", std::string(20'000, 'x')}},
       431},
  };
  for (const Refused& refused : cases) {
    HttpClient producer(gateway_.port());
    HttpAnswer answer = refused.method == "POST"
                            ? producer.post(refused.target, refused.body, refused.headers)
                            : producer.request(refused.method, refused.target, "");
    EXPECT_EQ(answer.status, refused.status) << refused.name;
    EXPECT_NE(answer.headers["x-request-id"], "") << refused.name;
    EXPECT_THAT(answer.body, HasSubstr("\"status\":" + std::to_string(refused.status)))
        << refused.name;
    EXPECT_EQ(answer.headers.contains("allow"), refused.status == 405) << refused.name;
  }
  EXPECT_EQ(gateway_.metric("events_accepted_total"), 0);
}

TEST_F(Ingest, RefusesWhatIsNotHttpAndCloses) {
  for (const char* request :
       {"NOT HTTP\r\n\r\n",
        "POST /v4/events/batch HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n[]",
        "POST /v4/events/batch HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: "
        "chunked\r\n\r\n[]",
        "POST /v4/events/batch HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST /v4/events/batch HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    HttpClient producer(gateway_.port());
    producer.send(request);
    EXPECT_EQ(producer.read_answer().status, 400) << request;
    EXPECT_TRUE(producer.closed_by_server()) << request;
  }
}

TEST(IngestOptions, AClientThatIsTooSlowIsAnswered408) {
  RunningGateway gateway(
      {},
      plain_yaml("ingest: {header_timeout: 300ms, body_timeout: 300ms, idle_timeout: 300ms}\n"));
  HttpClient slow_head(gateway.port());
  slow_head.send("POST /v4/events/batch HT");
  HttpClient slow_body(gateway.port());
  slow_body.send(
      "POST /v4/events/batch HTTP/1.1\r\nHost: x\r\nContent-Type: "
      "application/json\r\nContent-Length: 10\r\n\r\n[");
  HttpClient idle(gateway.port());
  EXPECT_EQ(slow_head.read_answer().status, 408);
  EXPECT_EQ(slow_body.read_answer().status, 408);
  EXPECT_TRUE(idle.closed_by_server());
  EXPECT_EQ(gateway.metric("ingest_timeouts_total"), 3);
}

TEST(IngestOptions, ProducersShowTheirKeyAndStayInTheirWorkspace) {
  RunningGateway gateway({}, R"(
workspaces:
  - {name: one, base_url: "${SIMULATOR}", auth: {method: basic, workspace_guid: 01890a5d-ac96-774b-bcce-b302099a8057, api_key: a}}
  - {name: two, base_url: "${SIMULATOR}", auth: {method: basic, workspace_guid: 01890a5d-ac96-774b-bcce-b302099a8058, api_key: b}}
ingest:
  producers:
    - {name: shop, key: shop-key, workspace: one}
    - {name: app, key: app-key, workspace: two, rate_limit: 10/s}
sources:
  - name: raw
    workspace: one
    event: {action: {value: a}, client: {customId: {from: /c}}, params: {n: {from: /n}}}
)");
  const std::string body = "[" + event("a") + "]";
  EXPECT_EQ(post(gateway.port(), "/v4/events/batch", body).status, 401);
  EXPECT_EQ(post(gateway.port(), "/v4/events/batch", body, {{"X-Api-Key", "wrong"}}).status, 401);
  EXPECT_EQ(post(gateway.port(), "/v4/events/batch", body, {{"X-Api-Key", "shop-key"}}).status,
            202);
  EXPECT_EQ(
      post(gateway.port(), "/v4/events/batch", body, {{"Authorization", "Bearer app-key"}}).status,
      202);
  // base64("01890a5d:shop-key")
  EXPECT_EQ(post(gateway.port(), "/v4/events/batch", body,
                 {{"Authorization", "Basic MDE4OTBhNWQ6c2hvcC1rZXk="}})
                .status,
            202);
  EXPECT_EQ(
      post(gateway.port(), "/v1/events/raw", R"({"c":"x","n":1})", {{"X-Api-Key", "shop-key"}})
          .status,
      202);
  EXPECT_EQ(post(gateway.port(), "/v1/events/raw", R"({"c":"x","n":1})", {{"X-Api-Key", "app-key"}})
                .status,
            403);
  EXPECT_EQ(post(gateway.port(), "/v4/events/batch", events(50), {{"X-Api-Key", "app-key"}}).status,
            202);
  HttpAnswer limited = post(gateway.port(), "/v4/events/batch", body, {{"X-Api-Key", "app-key"}});
  EXPECT_EQ(limited.status, 429);
  EXPECT_NE(limited.headers["retry-after"], "");
  EXPECT_TRUE(eventually(
      [&] { return gateway.metric("events_delivered_total", R"(workspace="two")") == 51; }));
  EXPECT_TRUE(eventually(
      [&] { return gateway.metric("events_delivered_total", R"(workspace="one")") == 3; }));
}

// What a WooCommerce-like shop does in its first minutes.
TEST(IngestOptions, AShopsWebhooksAreAcknowledgedAndItsGuestsAreNoProfile) {
  RunningGateway gateway({}, plain_yaml(R"(
sources:
  - name: shop
    success_status: 200
    on_unmatched: ignore
    rules:
      - when: {from: /status, equals: draft}
        ignore: true
      - when: {from: /status, equals: paid}
        event:
          action: order.paid
          client: {customId: {from: /customer_id, type: string}, email: {from: /email}}
)"));
  HttpClient shop(gateway.port());
  const auto post_event = [&](const std::string& body) {
    return shop.post("/v1/events/shop", body);
  };
  const HttpAnswer ping = post(gateway.port(), "/v1/events/shop", "webhook_id=7",
                               {{"Content-Type", "application/x-www-form-urlencoded"}});
  EXPECT_EQ(ping.status, 200);
  EXPECT_EQ(post(gateway.port(), "/v1/events/shop", "order=7",
                 {{"Content-Type", "application/x-www-form-urlencoded"}})
                .status,
            415);
  const HttpAnswer some = post_event(
      R"([{"status":"paid","customer_id":0,"email":"guest@mail.example"},{"status":"draft"},)"
      R"({"status":"new"},{"status":"paid","customer_id":17850.0}])");
  EXPECT_EQ(some.status, 200);
  EXPECT_THAT(some.body,
              StartsWith(R"({"accepted":2,"rejected":0,"duplicates":0,"ignored":2,"errors":[])"));
  ASSERT_TRUE(gateway.delivered(2));
  std::string ledger;
  for (const simulator::LedgerEntry& entry : gateway.upstream().ledger().entries()) {
    ledger += entry.body;
  }
  EXPECT_THAT(ledger, testing::HasSubstr(R"("client":{"email":"guest@mail.example"},"params":{})"));
  EXPECT_THAT(ledger, testing::HasSubstr(R"("client":{"customId":"17850"},"params":{})"));
  EXPECT_EQ(gateway.metric("events_ignored_total", R"(rule="ping")"), 1);
  EXPECT_EQ(gateway.metric("events_ignored_total", R"(rule="1")"), 1);
  EXPECT_EQ(gateway.metric("events_ignored_total", R"(rule="unmatched")"), 1);
  EXPECT_EQ(gateway.metric("mapping_nulls_total", R"(rule="2")"), 1);
}

TEST_F(Ingest, AbsorbsARetryWithTheSameKey) {
  const std::string body = events(10);
  const Headers keyed{{"Idempotency-Key", "order-77"}};
  EXPECT_THAT(post(gateway_.port(), "/v4/events/batch", body, keyed).body,
              StartsWith(R"({"accepted":10,"rejected":0,"duplicates":0)"));
  EXPECT_THAT(post(gateway_.port(), "/v4/events/batch", body, keyed).body,
              StartsWith(R"({"accepted":10,"rejected":0,"duplicates":0)"))
      << "the same answer";
  EXPECT_THAT(
      post(gateway_.port(), "/v4/events/batch", body, {{"Idempotency-Key", "order-78"}}).body,
      StartsWith(R"({"accepted":10,)"));
  ASSERT_TRUE(gateway_.delivered(20));
  EXPECT_EQ(gateway_.upstream().ledger().summary().unique, 20);
  EXPECT_EQ(gateway_.metric("events_duplicate_total"), 10);
}

TEST(IngestOptions, ServesTlsAndUnixSockets) {
  const TestPki pki;
  const config::ServerTls tls = pki.issue("server", {.alternative_names = "DNS:localhost"});
  RunningGateway gateway({}, plain_yaml("ingest: {listen: [\"127.0.0.1:0\", "
                                        "\"unix:${DIRECTORY}ingest.sock\"], tls: {cert_file: " +
                                        tls.cert_file + ", key_file: " + tls.key_file + "}}\n"));
  HttpClient secure(gateway.port(), {.ca_file = pki.ca_file()});
  EXPECT_EQ(secure.post("/v4/events/batch", events(3000)).status, 202);
  EXPECT_EQ(secure.post("/v4/events/batch", "[" + event("a") + "]").status, 202);
  HttpClient local(0, {.unix_path = gateway.directory() / "ingest.sock"});
  EXPECT_EQ(local.post("/v4/events/batch", "[" + event("a") + "]").status, 202);
  EXPECT_TRUE(gateway.delivered(3002));
}

TEST_F(Ingest, FullMeansRefusedAndRoomMeansOpenAgain) {
  // Filled through the front door: a buffer of a few events, with the upstream holding everything
  // back.
  RunningGateway small(
      {},
      plain_yaml(
          "buffer: {type: memory, max_events: 100, high_watermark: 0.9, low_watermark: 0.5}\n"));
  ASSERT_TRUE(small.upstream().set_faults("status=503"));
  HttpAnswer answer;
  int accepted = 0;
  while ((answer = post(small.port(), "/v4/events/batch", events(10))).status == 202 &&
         accepted < 200) {
    accepted += 10;
  }
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(accepted, 90);
  EXPECT_NE(answer.headers["retry-after"], "");
  EXPECT_EQ(get(small.admin_port(), "/readyz").status, 503);
  ASSERT_TRUE(small.upstream().set_faults("[]"));
  EXPECT_TRUE(small.delivered(90));
  EXPECT_EQ(post(small.port(), "/v4/events/batch", events(10)).status, 202);
  EXPECT_EQ(get(small.admin_port(), "/readyz").status, 200);
  EXPECT_TRUE(small.delivered(100));
  small.expect_conservation();
}

}  // namespace
}  // namespace sluice::test
