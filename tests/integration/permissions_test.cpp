// Goal: an integration that asks what its key may do is answered at the ingest address, and an
// operator is told before the first event what stands in the way of delivery.
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "child_process.hpp"
#include "running_gateway.hpp"
#include "scripted_upstream.hpp"
#include "temporary_directory.hpp"

namespace sluice::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

constexpr std::string_view check_path = "/uauth/api-key/permission-check";
constexpr std::string_view question =
    R"(["API_CUSTOM_EVENTS_CREATE","API_BATCH_CLIENT_CREATE","API_BATCH_TRANSACTION_CREATE"])";

std::string answer_of(std::string_view events, std::string_view clients,
                      std::string_view transactions) {
  return R"({"businessProfileName":"Simulated workspace","permissions":{"API_BATCH_CLIENT_CREATE":)" +
         std::string(clients) + R"(,"API_BATCH_TRANSACTION_CREATE":)" + std::string(transactions) +
         R"(,"API_CUSTOM_EVENTS_CREATE":)" + std::string(events) + "}}";
}

std::string yaml(bool passthrough) {
  return "ingest: {producers: [{name: shop, key: shop-key}, {name: events, key: events-key, "
         "routes: [/v4/events/batch]}]}\n"
         "workspaces:\n  - name: default\n    base_url: ${SIMULATOR}\n    passthrough: " +
         std::string(passthrough ? "true" : "false") +
         "\n    auth: {method: basic, workspace_guid: 01890a5d-ac96-774b-bcce-b302099a8057, "
         "api_key: upstream-secret}\n";
}

TEST(PermissionCheck, IsAnsweredWithWhatTheWorkspacesKeyMayDoThroughSluice) {
  const simulator::Options upstream{.workspaces = {{.guid = "01890a5d-ac96-774b-bcce-b302099a8057",
                                                    .api_key = "upstream-secret"}},
                                    .denied_permissions = {"API_BATCH_TRANSACTION_CREATE"}};
  const RunningGateway closed(upstream, yaml(false));
  const Headers shop{{"X-Api-Key", "shop-key"}};
  const HttpAnswer answer = post(closed.port(), check_path, question, shop);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, answer_of("true", "false", "false")) << "profiles take passthrough";
  EXPECT_EQ(post(closed.port(), check_path, question, {{"X-Api-Key", "events-key"}}).body,
            answer_of("true", "false", "false"));
  EXPECT_EQ(post(closed.port(), check_path, question).status, 401);
  EXPECT_EQ(post(closed.port(), check_path, R"({"a":1})", shop).status, 400);
  EXPECT_EQ(post(closed.port(), check_path, R"([1])", shop).status, 400);
  EXPECT_EQ(HttpClient(closed.port()).get(check_path).status, 405);
  EXPECT_EQ(closed.metric("ingest_requests_total", R"(code="200")"), 2);
  const RunningGateway open({}, yaml(true));
  EXPECT_EQ(post(open.port(), check_path, question, shop).body, answer_of("true", "true", "true"));
  EXPECT_EQ(post(open.port(), check_path, question, {{"X-Api-Key", "events-key"}}).body,
            answer_of("true", "false", "false"));
}

TEST(PermissionCheck, AnUpstreamThatIsAwayIsSaidUnlessItTold) {
  RunningGateway gateway({}, yaml(false));
  const Headers shop{{"X-Api-Key", "shop-key"}};
  const auto away = [&] {
    ASSERT_TRUE(gateway.upstream().set_faults(
        R"([{"path":"/uauth/api-key/permission-check","status":503}])"));
  };
  away();
  const HttpAnswer answer = post(gateway.port(), check_path, question, shop);
  EXPECT_EQ(answer.status, 503);
  EXPECT_THAT(answer.body, HasSubstr("the upstream cannot be asked (it answers 503)"));
  EXPECT_TRUE(answer.headers.contains("retry-after"));
  ASSERT_TRUE(gateway.upstream().set_faults("[]"));
  EXPECT_EQ(post(gateway.port(), check_path, question, shop).status, 200);
  away();
  EXPECT_EQ(post(gateway.port(), check_path, question, shop).status, 200);
  ASSERT_TRUE(gateway.upstream().set_faults(
      R"([{"path":"/uauth/api-key/permission-check","status":401}])"));
  EXPECT_EQ(post(gateway.port(), check_path, R"(["OTHER"])", shop).status, 502);
}

TEST(PermissionCheck, IsTheCallersOwnAffairWhereItHasItsOwnCredentials) {
  const RunningGateway gateway(
      {.workspaces = {{.guid = "g", .api_key = "own"}}},
      "workspaces:\n  - name: default\n    base_url: ${SIMULATOR}\n    passthrough: true\n"
      "    auth: {method: basic, workspace_guid: 01890a5d-ac96-774b-bcce-b302099a8057, "
      "api_key: upstream-secret}\n");
  EXPECT_EQ(post(gateway.port(), check_path, question, {{"Authorization", "Basic Zzpvd24="}}).body,
            R"({"businessProfileName":"Simulated workspace","permissions":{)"
            R"("API_CUSTOM_EVENTS_CREATE":true,"API_BATCH_CLIENT_CREATE":true,)"
            R"("API_BATCH_TRANSACTION_CREATE":true}})");
  EXPECT_EQ(post(gateway.port(), check_path, question).status, 401);
}

// `sluice check` with the real binary.
class OnlineCheck : public testing::Test {
 protected:
  struct Outcome {
    int code;
    std::string output;
  };
  Outcome check(const std::string& workspaces, std::vector<std::string> arguments,
                const std::string& more = "") {
    const std::string file = directory_ / "sluice.yaml";
    std::ofstream(file) << "dead_letter: {path: " << (directory_ / "made/dlq") << "}\n"
                        << "delivery: {connect_timeout: 5s, timeout: 5s}\n"
                        << more << "workspaces:\n"
                        << workspaces;
    arguments.insert(arguments.begin(), {SLUICE_BINARY, "check", "--config", file});
    Process process(arguments, directory_ / "out");
    const int code = process.wait();
    return {.code = code, .output = process.output()};
  }
  static std::string workspace(const std::string& name, const std::string& base_url,
                               const std::string& more = "") {
    return "  - {name: " + name + ", base_url: \"" + base_url +
           "\", auth: {method: basic, workspace_guid: 01890a5d-ac96-774b-bcce-b302099a8057, "
           "api_key: upstream-secret}" +
           more + "}\n";
  }
  static simulator::Options known_key() {
    return {.workspaces = {
                {.guid = "01890a5d-ac96-774b-bcce-b302099a8057", .api_key = "upstream-secret"}}};
  }

  TemporaryDirectory directory_;
};

TEST_F(OnlineCheck, FindsNothingInTheWayOfAWorkspaceThatWorks) {
  simulator::Simulator simulator(known_key());
  ASSERT_TRUE(simulator.start());
  const Outcome outcome =
      check(workspace("shop", simulator.base_url()) + "  - {name: jwt, base_url: \"" +
                simulator.base_url() + "\", auth: {method: jwt, api_key: upstream-secret}}\n",
            {"--online"});
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  for (const char* line :
       {"ok +shop +dns +127.0.0.1: 127.0.0.1", "ok +shop +connect +connected, without TLS",
        "ok +shop +login +the key is taken, for `Simulated workspace`",
        "ok +shop +permission API_BATCH_TRANSACTION_CREATE +the key has it",
        "ok +shop +permission /v4/events/batch +an empty batch is answered .*",
        "ok +shop +permission /v4/transactions/batch +an empty batch is answered .*",
        "ok +jwt +login +the key is taken, for `Simulated workspace`",
        "ok +shop +clock +this machine's clock is 0.0 s ahead of the API's"}) {
    EXPECT_THAT(outcome.output, testing::ContainsRegex("(^|\n)" + std::string(line) + "\n"));
  }
  EXPECT_THAT(outcome.output, Not(HasSubstr("upstream-secret")));
  EXPECT_EQ(simulator.ledger().summary().unique, 0U) << "nothing was stored";
}

TEST_F(OnlineCheck, SaysWhatStandsInTheWayAndWhoMustAct) {
  simulator::Options options = known_key();
  options.denied_permissions = {"API_BATCH_TRANSACTION_CREATE"};
  simulator::Simulator simulator(options);
  ASSERT_TRUE(simulator.start());
  const Outcome lacking = check(workspace("shop", simulator.base_url()), {"--online"});
  EXPECT_EQ(lacking.code, 78) << lacking.output;
  EXPECT_THAT(lacking.output, HasSubstr("transactions will not be delivered"));

  const Outcome refused = check("  - {name: jwt, base_url: \"" + simulator.base_url() +
                                    "\", auth: {method: jwt, api_key: another}}\n",
                                {"--online", "--format", "json"});
  EXPECT_EQ(refused.code, 78) << refused.output;
  EXPECT_THAT(refused.output,
              AllOf(HasSubstr(R"({"ok":false,"findings":[{"of":"jwt","what":"dns",)"),
                    HasSubstr(R"("what":"login","verdict":"misconfigured")")));

  ASSERT_TRUE(simulator.set_faults(R"([{"path":"/uauth/v2/auth/login/profile","status":503}])"));
  const Outcome no_login = check("  - {name: jwt, base_url: \"" + simulator.base_url() +
                                     "\", auth: {method: jwt, api_key: upstream-secret}}\n",
                                 {"--online"});
  EXPECT_EQ(no_login.code, 69) << no_login.output;
  EXPECT_THAT(no_login.output, testing::ContainsRegex("unavailable +jwt +login "));

  ASSERT_TRUE(simulator.set_faults(R"([{"path":"/v4/events/batch","status":403}])"));
  const Outcome forbidden = check(workspace("shop", simulator.base_url()), {"--online"});
  EXPECT_EQ(forbidden.code, 78);
  EXPECT_THAT(forbidden.output, HasSubstr("an empty batch is answered 403: the key lacks"));

  const Outcome away = check(workspace("shop", "http://127.0.0.1:1"), {"--online"});
  EXPECT_EQ(away.code, 69) << away.output;
  EXPECT_THAT(away.output, testing::ContainsRegex("unavailable +shop +connect "));
}

// Whatever answers at base_url is judged as a delivery would judge it.
TEST_F(OnlineCheck, TakesNothingForTheApiThatDeliveryWouldNot) {
  struct Case {
    const char* answer;  // to everything, without its head's end
    const char* body;
    int code;
    std::vector<const char*> lines;
  };
  const std::vector<Case> cases = {
      {"200 OK\r\nContent-Type: text/html",
       "<html>Sign in</html>",
       78,
       {"misconfigured +shop +login .*200 with text/html",
        "misconfigured +shop +permission /v4/events/batch .*200 with text/html",
        "misconfigured +shop +permission /v4/transactions/batch .*200 with text/html"}},
      {"200 OK\r\nContent-Type: application/json",
       R"({"status":401,"error":"Unauthorized"})",
       78,
       {"misconfigured +shop +login .*the API refuses workspace_guid and api_key"}},
      {"301 Moved",
       "",
       78,
       {"doubtful +shop +login .*answered 301",
        "misconfigured +shop +permission /v4/events/batch .*no events API"}},
      {"404 No", "", 78, {"doubtful +shop +login .*answered 404"}},
      {"500 No",
       "",
       69,
       {"unavailable +shop +login .*answered 500",
        "unavailable +shop +permission /v4/events/batch .*answered 500",
        "unavailable +shop +permission /v4/transactions/batch .*answered 500"}},
      {"503 No", "", 69, {"unavailable +shop +permission /v4/events/batch .*answered 503"}},
      {"429 No",
       "",
       69,
       {"unavailable +shop +login .*answered 429",
        "unavailable +shop +permission /v4/transactions/batch .*answered 429"}}};
  for (const Case& c : cases) {
    const std::string head = "HTTP/1.1 " + std::string(c.answer) +
                             "\r\nContent-Length: " + std::to_string(std::strlen(c.body)) +
                             "\r\n\r\n";
    ScriptedUpstream upstream([&](RawConnection& connection, std::size_t) {
      while (connection.read_head().ends_with("\r\n\r\n")) {
        connection.write(head + c.body);
      }
    });
    const Outcome outcome = check(workspace("shop", upstream.base_url()), {"--online"});
    EXPECT_EQ(outcome.code, c.code) << c.answer << '\n' << outcome.output;
    for (const char* const line : c.lines) {
      EXPECT_THAT(outcome.output, testing::ContainsRegex(line)) << c.answer;
    }
    EXPECT_THAT(outcome.output, Not(testing::ContainsRegex("ok +shop +login"))) << c.answer;
  }
}

TEST_F(OnlineCheck, APortalOnTheBatchPathsAloneIsSeen) {
  simulator::Simulator simulator(known_key());
  ASSERT_TRUE(simulator.start());
  ASSERT_TRUE(simulator.set_faults(
      R"([{"path":"/v4/events/batch","status":200,"body":"<html>Sign in</html>"}])"));
  const Outcome outcome = check(workspace("shop", simulator.base_url()), {"--online"});
  EXPECT_EQ(outcome.code, 78) << outcome.output;
  EXPECT_THAT(outcome.output,
              testing::ContainsRegex("misconfigured +shop +permission /v4/events/batch "));
}

TEST_F(OnlineCheck, HoldsTheClockAgainstTheUpstreams) {
  const auto answering = [](const std::string& date) {
    return [date](RawConnection& connection, std::size_t) {
      while (connection.read_head().ends_with("\r\n\r\n")) {
        connection.write("HTTP/1.1 404 No\r\nDate: " + date + "\r\nContent-Length: 0\r\n\r\n");
      }
    };
  };
  ScriptedUpstream long_ago(answering("Thu, 01 Jan 2015 00:00:00 GMT"));
  const Outcome ahead = check(workspace("shop", long_ago.base_url()), {"--online"});
  EXPECT_EQ(ahead.code, 78);
  EXPECT_THAT(ahead.output, testing::ContainsRegex("misconfigured +shop +clock .* ahead of the"));
  EXPECT_THAT(ahead.output, HasSubstr("there is no events API at base_url"));
}

TEST_F(OnlineCheck, TriesAddressesAndFoldersAndLeavesNothingBehind) {
  const std::string taken = [] {
    static ScriptedUpstream holder([](RawConnection&, std::size_t) {});
    return "127.0.0.1:" + std::to_string(holder.port());
  }();
  const std::string workspaces = workspace("shop", "http://127.0.0.1:1");
  const std::string folder = "buffer: {path: " + (directory_ / "made/store") + "}\n";
  const Outcome free =
      check(workspaces, {"--listen"},
            folder + "ingest: {listen: [\"127.0.0.1:0\", \"unix:" + (directory_ / "s.sock") +
                "\"]}\nadmin: {listen: 127.0.0.1:0}\n");
  EXPECT_EQ(free.code, 0) << free.output;
  EXPECT_THAT(free.output, AllOf(HasSubstr("ingest.listen can be had"),
                                 HasSubstr("buffer.path will be made in")));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "s.sock"));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "made"));
  const Outcome busy =
      check(workspaces, {"--listen", "--format", "json"},
            folder + "ingest: {listen: \"" + taken + "\"}\nadmin: {listen: 127.0.0.1:0}\n");
  EXPECT_EQ(busy.code, 69) << busy.output;
  EXPECT_THAT(busy.output, HasSubstr(R"("verdict":"unavailable")"));
  std::ofstream(directory_ / "file") << "x";
  const Outcome blocked =
      check(workspaces, {"--listen"},
            "buffer: {path: " + (directory_ / "file/store") +
                "}\ningest: {listen: 127.0.0.1:0}\nadmin: {listen: 127.0.0.1:0}\n");
  EXPECT_EQ(blocked.code, 78) << blocked.output;
  EXPECT_THAT(blocked.output, HasSubstr("is no folder"));
}

}  // namespace
}  // namespace sluice::test
