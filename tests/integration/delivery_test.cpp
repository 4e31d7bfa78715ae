// Goal: whatever the upstream does, an event that was answered 202 arrives there and counts once.
#include <algorithm>
#include <fstream>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "running_gateway.hpp"
#include "test_pki.hpp"

namespace sluice::test {
namespace {

using testing::HasSubstr;

// Retries come quickly, so that a test of many takes little time.
std::string quick_yaml(std::string_view delivery = "") {
  return plain_yaml("delivery: {backoff: {initial: 5ms, max: 50ms}" +
                    std::string(delivery.empty() ? "" : ", ") + std::string(delivery) +
                    "}\nbatch: {linger: 10ms}\n");
}

struct FaultCase {
  std::string name;
  std::string faults;   // each fires a number of times, then stops
  std::string outcome;  // that is counted for it
};
void PrintTo(const FaultCase& fault, std::ostream* out) { *out << fault.name; }

class Fault : public testing::TestWithParam<FaultCase> {};

TEST_P(Fault, EveryEventArrivesAndCountsOnce) {
  RunningGateway gateway({}, quick_yaml("timeout: 300ms"));
  ASSERT_TRUE(gateway.upstream().set_faults(GetParam().faults));
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(post(gateway.port(), "/v4/events/batch", events(200)).status, 202);
  }
  ASSERT_TRUE(gateway.delivered(1000)) << gateway.metrics();
  EXPECT_EQ(gateway.upstream().ledger().summary().unique, 1000);
  EXPECT_GT(gateway.metric("delivery_requests_total", "outcome=\"" + GetParam().outcome + "\""), 0);
  EXPECT_EQ(gateway.metric("events_dead_lettered_total"), 0);
  gateway.expect_conservation();
}

INSTANTIATE_TEST_SUITE_P(
    Delivery, Fault,
    testing::Values(
        FaultCase{"error", "status=500,count=3", "transient"},
        FaultCase{"unavailable", "status=503,count=3", "transient"},
        FaultCase{"bad_gateway", "status=502,count=2", "transient"},
        FaultCase{"throttled", "status=429,count=2", "throttled"},
        FaultCase{"throttled_with_seconds", "status=429,count=2,retry_after=1", "throttled"},
        FaultCase{
            "throttled_until_a_date",
            R"([{"action":"status","status":429,"count":1,"retry_after":"Wed, 21 Oct 2015 07:28:00 GMT"}])",
            "throttled"},
        FaultCase{"unavailable_with_seconds", "status=503,count=1,retry_after=1", "throttled"},
        FaultCase{"reset_before", "reset_before,count=3", "ambiguous"},
        FaultCase{"reset_after", "reset_after,count=3", "ambiguous"},
        FaultCase{"hang", "hang,hang_ms=60000,count=2", "ambiguous"},
        FaultCase{"garbage", "malformed,count=2", "ambiguous"},
        FaultCase{"cut_body", "cut_body,count=2", "delivered"},
        FaultCase{"slow_body", "slow_body,slow_ms=100,count=2", "delivered"},
        FaultCase{"too_large", "status=413,count=1", "too_large"},
        FaultCase{"expired", "revoke,count=1", "unauthorised"},
        FaultCase{"forbidden_for_a_while", "revoke,status=403,count=3", "unauthorised"},
        FaultCase{"wrong_address", "status=404,count=1", "misrouted"},
        FaultCase{"redirected", "status=302,count=1", "misrouted"},
        FaultCase{"captive_portal", "web_page,count=1", "misrouted"},
        FaultCase{"plain_text", "status=200,body=OK,content_type=text/plain,count=1", "misrouted"},
        FaultCase{"no_media_type", "status=202,body=OK,content_type=,count=1", "misrouted"},
        FaultCase{"error_in_a_success", "error_object,count=1", "rejected"},
        FaultCase{"busy_in_a_success", "error_object,status=503,count=1", "transient"},
        FaultCase{"all_at_once",
                  R"([{"action":"status","status":500,"count":3},)"
                  R"({"action":"reset_after","count":3},)"
                  R"({"action":"status","status":429,"count":2}])",
                  "transient"}),
    [](const auto& tested) { return tested.param.name; });

TEST(Delivery, KeepsEachProfilesOrderThroughFaults) {
  RunningGateway gateway({}, quick_yaml());
  ASSERT_TRUE(gateway.upstream().set_faults(
      R"([{"action":"status","status":500,"probability":0.3},{"action":"reset_after","probability":0.2}])"));
  for (int i = 0; i < 40; ++i) {
    std::string batch = "[";
    for (int profile = 0; profile < 20; ++profile) {
      batch += (profile > 0 ? "," : "") +
               event("p" + std::to_string(profile), "{\"n\":" + std::to_string(i) + "}");
    }
    ASSERT_EQ(post(gateway.port(), "/v4/events/batch", batch + "]").status, 202);
  }
  ASSERT_TRUE(gateway.upstream().set_faults("[]"));
  ASSERT_TRUE(gateway.delivered(800));
  std::map<std::string, int> next;
  for (const simulator::LedgerEntry& entry : gateway.upstream().ledger().entries()) {
    EXPECT_THAT(entry.body, HasSubstr("{\"n\":" + std::to_string(next[entry.profile]++) + "}"))
        << entry.profile;
  }
  EXPECT_EQ(next.size(), 20);
}

TEST(Delivery, PoisonIsIsolatedAndTheRestDelivered) {
  RunningGateway gateway({}, quick_yaml());
  ASSERT_TRUE(
      gateway.upstream().set_faults(R"([{"action":"poison","pointer":"/params/bad","equals":1}])"));
  std::string batch = "[";
  for (int i = 0; i < 500; ++i) {
    const bool bad = i == 17 || i == 18 || i == 444;
    batch += (i > 0 ? "," : "") + event("p" + std::to_string(i % 30),
                                        bad ? R"({"bad":1})" : "{\"n\":" + std::to_string(i) + "}");
  }
  ASSERT_EQ(post(gateway.port(), "/v4/events/batch", batch + "]").status, 202);
  ASSERT_TRUE(gateway.delivered(497));
  EXPECT_TRUE(eventually(
      [&] { return gateway.metric("events_dead_lettered_total", R"(reason="rejected")") == 3; }));
  EXPECT_EQ(gateway.upstream().ledger().summary().unique, 497);
  gateway.expect_conservation();
  std::string letters;
  std::ifstream file(gateway.directory() / "dead-letter/dead-letters-00000001.jsonl");
  std::getline(file, letters, '\0');
  EXPECT_EQ(std::ranges::count(letters, '\n'), 3);
  EXPECT_THAT(
      letters,
      HasSubstr(R"("workspace":"default","kind":"event","reason":"rejected","status":400)"));
  EXPECT_THAT(letters, HasSubstr(R"("params":{"bad":1})"));
}

TEST(Delivery, ARevokedKeyParksTheWorkspaceAndKeepsItsEvents) {
  RunningGateway gateway({}, quick_yaml());
  ASSERT_TRUE(gateway.upstream().set_faults("revoke"));
  ASSERT_EQ(post(gateway.port(), "/v4/events/batch", events(100)).status, 202);
  ASSERT_TRUE(eventually([&] { return gateway.metric("workspace_parked") == 1; }));
  EXPECT_THAT(get(gateway.admin_port(), "/status").body, HasSubstr(R"("parked":"unauthorised")"));
  EXPECT_EQ(gateway.metric("buffer_events"), 100);
  ASSERT_EQ(post(gateway.port(), "/v4/events/batch", events(100)).status, 202)
      << "still taking events";
  ASSERT_TRUE(gateway.upstream().set_faults("[]"));
  EXPECT_TRUE(gateway.delivered(200));
  EXPECT_EQ(gateway.metric("workspace_parked"), 0);
}

TEST(Delivery, AStreamThatIsRefusedAsAWholeIsKept) {
  RunningGateway gateway({}, quick_yaml());
  ASSERT_TRUE(gateway.upstream().set_faults("status=400"));
  ASSERT_EQ(post(gateway.port(), "/v4/events/batch", events(300)).status, 202);
  ASSERT_TRUE(eventually([&] { return gateway.metric("workspace_parked") == 1; }));
  EXPECT_LT(gateway.metric("events_dead_lettered_total"), 20);
  ASSERT_TRUE(gateway.upstream().set_faults("[]"));
  EXPECT_TRUE(eventually([&] {
    return gateway.metric("events_delivered_total") +
               gateway.metric("events_dead_lettered_total") ==
           300;
  }));
  gateway.expect_conservation();
}

TEST(Delivery, AnUpstreamThatHangsDelaysNoAccept) {
  RunningGateway gateway({}, plain_yaml());
  ASSERT_TRUE(gateway.upstream().set_faults("hang,hang_ms=60000"));
  HttpClient producer(gateway.port());
  for (int i = 0; i < 500; ++i) {
    ASSERT_EQ(producer.post("/v4/events/batch", events(10)).status, 202);
  }
  EXPECT_EQ(gateway.metric("events_delivered_total"), 0)
      << "all were answered while nothing was delivered";
  EXPECT_EQ(gateway.metric("buffer_events"), 5000);
}

TEST(Delivery, AWorkspaceThatIsDownDoesNotBlockAnother) {
  simulator::Simulator down({});
  ASSERT_TRUE(down.start());
  ASSERT_TRUE(down.set_faults("hang,hang_ms=60000"));
  RunningGateway gateway(
      {},
      R"(
workspaces:
  - {name: up, base_url: "${SIMULATOR}", auth: {method: basic, workspace_guid: 01890a5d-ac96-774b-bcce-b302099a8057, api_key: a}}
  - {name: down, base_url: ")" +
          down.base_url() +
          R"(", auth: {method: basic, workspace_guid: 01890a5d-ac96-774b-bcce-b302099a8058, api_key: b}}
ingest:
  producers: [{name: u, key: u-key, workspace: up}, {name: d, key: d-key, workspace: down}]
buffer: {type: memory, max_events: 2000}
)");
  while (post(gateway.port(), "/v4/events/batch", events(100), {{"X-Api-Key", "d-key"}}).status ==
         202) {
  }
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(eventually([&] {
      return post(gateway.port(), "/v4/events/batch", events(100), {{"X-Api-Key", "u-key"}})
                 .status == 202;
    }));
  }
  EXPECT_TRUE(eventually(
      [&] { return gateway.metric("events_delivered_total", R"(workspace="up")") == 3000; }));
  EXPECT_EQ(gateway.metric("events_delivered_total", R"(workspace="down")"), 0);
  EXPECT_GT(gateway.metric("buffer_events", R"(workspace="down")"), 0);
}

TEST(Delivery, OverTlsWithTokensThatExpire) {
  const TestPki pki;
  const config::ServerTls tls = pki.issue("upstream", {.alternative_names = "IP:127.0.0.1"});
  RunningGateway gateway({.tls_cert_file = tls.cert_file,
                          .tls_key_file = tls.key_file,
                          .workspaces = {{.guid = "01890a5d-ac96-774b-bcce-b302099a8057",
                                          .api_key = "upstream-secret"}},
                          .token_lifetime = std::chrono::seconds(2)},
                         "workspaces:\n  - {name: default, base_url: \"${SIMULATOR}\", ca_file: " +
                             pki.ca_file() + ", auth: {method: jwt, api_key: upstream-secret}}\n");
  for (int i = 1; i <= 6; ++i) {
    ASSERT_EQ(post(gateway.port(), "/v4/events/batch", events(100)).status, 202);
    ASSERT_TRUE(gateway.delivered(100 * i));
  }
  ASSERT_TRUE(eventually([&] {
    return post(gateway.port(), "/v4/events/batch", events(1)).status == 202 &&
           gateway.metric("upstream_logins_total") >= 2;
  })) << "a token that expires is replaced";
  EXPECT_EQ(gateway.metric("workspace_parked"), 0);
}

TEST(Delivery, AnUpstreamThatCannotProveItselfGetsNothing) {
  const TestPki pki;
  const TestPki other;
  const config::ServerTls tls = pki.issue("upstream", {.alternative_names = "IP:127.0.0.1"});
  RunningGateway gateway(
      {.tls_cert_file = tls.cert_file, .tls_key_file = tls.key_file},
      "workspaces:\n  - {name: default, base_url: \"${SIMULATOR}\", ca_file: " + other.ca_file() +
          ", auth: {method: basic, workspace_guid: 01890a5d-ac96-774b-bcce-b302099a8057, api_key: "
          "s}}\n");
  ASSERT_EQ(post(gateway.port(), "/v4/events/batch", events(10)).status, 202);
  ASSERT_TRUE(eventually(
      [&] { return gateway.metric("delivery_requests_total", R"(outcome="transient")") >= 2; }));
  EXPECT_EQ(gateway.upstream().stats().requests_total(), 0);
  EXPECT_EQ(gateway.metric("buffer_events"), 10);
}

TEST(Delivery, NumbersAndTextArriveByteForByte) {
  RunningGateway gateway;
  const std::string params =
      R"({"big":12345678901234567890123,"small":1e-400,"exact":2.50,"zero":-0.0,"text":"\u00e9\ud83d\ude00é\/"})";
  ASSERT_EQ(post(gateway.port(), "/v4/events/batch", event("a", params)).status, 202);
  ASSERT_TRUE(gateway.delivered(1));
  EXPECT_THAT(gateway.upstream().ledger().entries().front().body,
              HasSubstr("\"params\":" + params));
}

// Bodies are assembled in a buffer that is used again: one that is a little larger than the last
// must not carry anything behind its end.
TEST(Delivery, BatchesOfGrowingSizeAreAllWellFormed) {
  RunningGateway gateway({}, quick_yaml("lanes: 1"));
  for (std::size_t n = 1; n <= 60; ++n) {
    ASSERT_EQ(post(gateway.port(), "/v4/events/batch",
                   event("a", "{\"text\":\"" + std::string(10 * n, 'x') + "\"}"))
                  .status,
              202);
    ASSERT_TRUE(gateway.delivered(static_cast<double>(n)));
  }
  EXPECT_EQ(gateway.metric("delivery_requests_total", R"(outcome="rejected")"), 0);
}

TEST(Delivery, CountsDeprecation) {
  RunningGateway gateway({}, quick_yaml());
  ASSERT_TRUE(gateway.upstream().set_faults("deprecated"));
  ASSERT_EQ(post(gateway.port(), "/v4/events/batch", events(10)).status, 202);
  ASSERT_TRUE(gateway.delivered(10));
  EXPECT_GT(gateway.metric("upstream_deprecated_total"), 0);
}

TEST(Delivery, APartialAnswerDeadLettersOnlyWhatItNames) {
  RunningGateway gateway({.invalid_events = simulator::InvalidEvents::store_others}, quick_yaml());
  ASSERT_TRUE(
      gateway.upstream().set_faults(R"([{"action":"poison","pointer":"/params/bad","equals":1}])"));
  ASSERT_EQ(post(gateway.port(), "/v4/events/batch",
                 "[" + event("a") + "," + event("a", R"({"bad":1})") + "," +
                     event("a", R"({"n":2})") + "]")
                .status,
            202);
  ASSERT_TRUE(gateway.delivered(2));
  EXPECT_TRUE(eventually([&] { return gateway.metric("events_dead_lettered_total") == 1; }));
  gateway.expect_conservation();
}

}  // namespace
}  // namespace sluice::test
