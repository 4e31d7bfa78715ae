// Goal: what became a dead letter can be looked at, mended, replayed and purged, and is delivered
// once or removed on purpose; never lost, and never by somebody who may not.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sluice/deadletter/store.hpp>

#include "child_process.hpp"
#include "running_gateway.hpp"

namespace sluice::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view poison = R"([{"action":"poison","pointer":"/params/bad","equals":1}])";

std::string yaml(std::string_view more = "", std::string_view token = "admin: {token: t0ken}\n") {
  return plain_yaml("delivery: {backoff: {initial: 5ms, max: 50ms}}\nbatch: {linger: 10ms}\n" +
                    std::string(token) + std::string(more));
}

// With a salt and a time of its own, so that the deduplication window knows it.
std::string salted(int number, const std::string& params) {
  std::string text = event("c" + std::to_string(number % 3), params);
  text.pop_back();
  return text + R"(,"time":"2024-05-01T12:00:00Z","eventSalt":"salt-)" + std::to_string(number) +
         "\"}";
}

// Every fifth one is poison.
std::string mixed(int count) {
  std::string body = "[";
  for (int i = 0; i < count; ++i) {
    body += (i > 0 ? "," : "") + salted(i, i % 5 == 0 ? R"({"bad":1})" : R"({"n":1})");
  }
  return body + "]";
}

HttpAnswer change(const RunningGateway& gateway, const std::string& what, std::string_view body) {
  return post(gateway.admin_port(), "/dlq/" + what, body, {{"Authorization", "Bearer t0ken"}});
}

std::vector<std::string> ids_in(const std::string& text) {
  std::vector<std::string> ids;
  const std::string key = "{\"id\":\"";
  for (std::size_t at = text.find(key); at != text.npos; at = text.find(key, at + 1)) {
    ids.push_back(text.substr(at + key.size(), 16));
  }
  return ids;
}

// A gateway that has accepted `count` events, of which a fifth are dead letters.
void make_dead_letters(RunningGateway& gateway, int count) {
  ASSERT_TRUE(gateway.upstream().set_faults(poison));
  ASSERT_EQ(post(gateway.port(), "/v4/events/batch", mixed(count)).status, 202);
  ASSERT_TRUE(eventually([&] { return gateway.metric("dead_letters") == count / 5; }));
  ASSERT_TRUE(eventually([&] { return gateway.metric("buffer_events") == 0; }));
}

TEST(DeadLetters, AreListedShownReplayedAndDeliveredOnce) {
  RunningGateway gateway({}, yaml());
  make_dead_letters(gateway, 20);
  const HttpAnswer listed = get(gateway.admin_port(), "/dlq?workspace=default&reason=rejected");
  EXPECT_EQ(listed.status, 200);
  EXPECT_THAT(listed.body, AllOf(HasSubstr(R"("stored":4,)"), HasSubstr(R"("eventSalt":"salt-15")"),
                                 HasSubstr(R"("cursor":null)")));
  const auto ids = ids_in(listed.body);
  ASSERT_EQ(ids.size(), 4U);
  EXPECT_TRUE(std::ranges::is_sorted(ids, std::greater<>())) << "the newest first";
  const HttpAnswer shown = get(gateway.admin_port(), "/dlq/" + ids[0]);
  EXPECT_THAT(shown.body, AllOf(HasSubstr("\"status\":400"), HasSubstr("\"bad\":1")));

  ASSERT_TRUE(gateway.upstream().set_faults("[]"));
  const HttpAnswer replayed = change(gateway, "replay", R"({"all":true})");
  EXPECT_EQ(replayed.status, 200);
  EXPECT_EQ(replayed.body,
            "{\"replayed\":4,\"kept\":0,\"why\":[],\"stopped\":null,\"cursor\":null}\n");
  ASSERT_TRUE(gateway.delivered(20));
  for (const simulator::LedgerEntry& entry : gateway.upstream().ledger().entries()) {
    EXPECT_EQ(entry.count, 1U) << entry.salt;
  }
  EXPECT_EQ(gateway.upstream().ledger().summary().unique, 20);
  EXPECT_EQ(gateway.metric("dead_letters"), 0);
  EXPECT_EQ(gateway.metric("dead_letter_bytes"), 0);
  EXPECT_EQ(get(gateway.admin_port(), "/dlq/" + ids[0]).status, 404);
  EXPECT_TRUE(eventually([&] { return gateway.metric("buffer_events") == 0; }));
  gateway.expect_conservation();
}

// What is stored is canonical, so that accepting it again changes nothing, of whatever kind it is.
TEST(DeadLetters, OfEveryKindAreAcceptedAgainAsTheyAre) {
  RunningGateway gateway({}, yaml());
  ASSERT_TRUE(gateway.upstream().set_faults(
      R"([{"action":"poison","pointer":"/client/customId","equals":"bad"}])"));
  const std::string transaction =
      R"({"client":{"customId":"bad"},"orderId":"o","source":"POS","paymentInfo":{"method":"cash"},)"
      R"("revenue":{"amount":10,"currency":"PLN"},"value":{"amount":12.50,"currency":"PLN"},)"
      R"("products":[{"sku":"s","name":"n","quantity":2,)"
      R"("finalUnitPrice":{"amount":5,"currency":"PLN"}}]})";
  const std::string cart =
      R"({"client":{"customId":"bad"},"label":"l","params":{"sku":"s","quantity":1,"source":"POS",)"
      R"("name":"n","finalUnitPrice":{"amount":5,"currency":"PLN"}}})";
  const std::string numbers = R"({"big":12345678901234567890123,"exact":2.50,"text":"\u00e9é\/"})";
  ASSERT_EQ(post(gateway.port(), "/v4/transactions", transaction).status, 202);
  ASSERT_EQ(post(gateway.port(), "/v4/events/added-to-cart", cart).status, 202);
  ASSERT_EQ(post(gateway.port(), "/v4/events/batch", event("bad", numbers)).status, 202);
  ASSERT_TRUE(eventually([&] { return gateway.metric("dead_letters") == 3; }));
  const std::string letters = get(gateway.admin_port(), "/dlq").body;
  ASSERT_TRUE(gateway.upstream().set_faults("[]"));
  EXPECT_THAT(change(gateway, "replay", R"({"all":true})").body,
              HasSubstr(R"("replayed":3,"kept":0)"));
  ASSERT_TRUE(gateway.delivered(3));
  for (const simulator::LedgerEntry& entry : gateway.upstream().ledger().entries()) {
    EXPECT_THAT(letters, HasSubstr("\"event\":" + entry.body + "}")) << "the same bytes";
  }
}

constexpr std::string_view trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

// A letter of the next page of /dlq that has this customer; empty: there is none.
std::string letter_of(const std::string& listed, const std::string& customer) {
  for (const std::string& id : ids_in(listed)) {
    const std::size_t begin = listed.find(id);
    const std::string letter = listed.substr(begin, listed.find("{\"id\":", begin) - begin);
    if (letter.find('"' + customer + '"') != letter.npos) {
      return letter;
    }
  }
  return {};
}

TEST(DeadLetters, TellWhichTraceTheyBelongTo) {
  RunningGateway gateway({}, yaml());
  ASSERT_TRUE(gateway.upstream().set_faults(poison));
  const std::string bad = R"({"bad":1})";
  const auto send = [&](const std::string& customer, const Headers& headers) {
    // A good one first: that everything is refused would park the workspace.
    ASSERT_EQ(post(gateway.port(), "/v4/events/batch",
                   "[" + event("good") + "," + event(customer, bad) + "]", headers)
                  .status,
              202)
        << customer;
  };
  const std::string text(trace);
  send("traced", {{"Traceparent", text}});
  send("later", {{"traceparent", "01" + text.substr(2) + "-more"}});
  send("untraced", {});
  send("invalid", {{"traceparent", text.substr(0, 54) + "G"}});
  send("twice", {{"traceparent", text}, {"traceparent", text}});
  ASSERT_TRUE(eventually([&] { return gateway.metric("dead_letters") == 5; }));
  std::string listed = get(gateway.admin_port(), "/dlq").body;
  const std::string member = "\"traceparent\":\"" + text + "\"";
  EXPECT_THAT(letter_of(listed, "traced"), HasSubstr(member));
  EXPECT_THAT(letter_of(listed, "later"), HasSubstr(member));
  for (const char* customer : {"untraced", "invalid", "twice"}) {
    EXPECT_THAT(letter_of(listed, customer),
                AllOf(Not(testing::IsEmpty()), Not(HasSubstr("traceparent"))));
  }

  // Refused once more, it is another letter of the same trace.
  EXPECT_THAT(change(gateway, "replay", R"({"all":true})").body, HasSubstr("\"replayed\":5"));
  ASSERT_TRUE(eventually([&] { return gateway.metric("events_dead_lettered_total") == 10; }));
  listed = get(gateway.admin_port(), "/dlq").body;
  EXPECT_THAT(letter_of(listed, "traced"), HasSubstr(member));
  EXPECT_THAT(letter_of(listed, "untraced"), Not(HasSubstr("traceparent")));
}

TEST(DeadLetters, WhatIsStillRefusedComesBackAsANewOne) {
  RunningGateway gateway({}, yaml());
  make_dead_letters(gateway, 10);
  const auto before = ids_in(get(gateway.admin_port(), "/dlq").body);
  EXPECT_THAT(change(gateway, "replay", "{\"ids\":[\"" + before[1] + "\"]}").body,
              HasSubstr("\"replayed\":1"));
  ASSERT_TRUE(eventually([&] { return gateway.metric("events_dead_lettered_total") == 3; }));
  const auto after = ids_in(get(gateway.admin_port(), "/dlq").body);
  ASSERT_EQ(after.size(), 2U);
  EXPECT_EQ(after[1], before[0]);
  EXPECT_GT(after[0], before[0]);
  ASSERT_TRUE(eventually([&] { return gateway.metric("buffer_events") == 0; }));
  gateway.expect_conservation();
}

TEST(DeadLetters, WhatIsNotValidAnyMoreStaysAndTheAnswerSaysWhy) {
  RunningGateway gateway({}, yaml());
  make_dead_letters(gateway, 15);
  // As if the rules had changed: one event's action is none now, one workspace is not configured.
  const std::string file = gateway.directory() / "dead-letter/dead-letters-00000001.jsonl";
  std::ifstream stream(file);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  text.replace(text.find("test.event"), 10, "test event");
  text.replace(text.rfind("\"workspace\":\"default\""), 21, "\"workspace\":\"deleted\"");
  std::ofstream(file) << text;
  ASSERT_TRUE(gateway.upstream().set_faults("[]"));
  const HttpAnswer replayed = change(gateway, "replay", R"({"all":true})");
  EXPECT_EQ(replayed.status, 200);
  EXPECT_THAT(replayed.body,
              AllOf(HasSubstr(R"("replayed":1,"kept":2)"), HasSubstr("action_invalid"),
                    HasSubstr("no workspace `deleted`")));
  EXPECT_TRUE(gateway.delivered(13));
  EXPECT_EQ(gateway.metric("dead_letters"), 2);
}

TEST(DeadLetters, ArePurgedByIdAndByFilter) {
  RunningGateway gateway({}, yaml());
  make_dead_letters(gateway, 25);
  const auto ids = ids_in(get(gateway.admin_port(), "/dlq").body);
  EXPECT_EQ(change(gateway, "purge", "{\"ids\":[\"" + ids[0] + "\",\"" + ids[1] + "\"]}").body,
            "{\"purged\":2,\"stopped\":null,\"cursor\":null}\n");
  EXPECT_THAT(change(gateway, "purge", R"({"filter":{"contains":"salt-10"}})").body,
              HasSubstr("\"purged\":1"));
  EXPECT_THAT(change(gateway, "purge", R"({"filter":{"until":"2020-01-01T00:00:00Z"}})").body,
              HasSubstr("\"purged\":0"));
  EXPECT_EQ(gateway.metric("dead_letters"), 2);
  EXPECT_THAT(change(gateway, "purge", R"({"all":true})").body, HasSubstr("\"purged\":2"));
  EXPECT_EQ(gateway.metric("dead_letter_bytes"), 0);
  gateway.expect_conservation();
}

TEST(DeadLetters, AListIsReadInPages) {
  RunningGateway gateway({}, yaml());
  make_dead_letters(gateway, 25);
  std::set<std::string> seen;
  std::string cursor;
  for (int pages = 0; pages < 3; ++pages) {
    const std::string body = get(gateway.admin_port(), "/dlq?limit=2&order=oldest" + cursor).body;
    for (const std::string& id : ids_in(body)) {
      seen.insert(id);
    }
    const std::size_t at = body.find("\"cursor\":\"");
    ASSERT_EQ(at == body.npos, pages == 2) << body;
    cursor = pages == 2 ? "" : "&cursor=" + body.substr(at + 10, 16);
  }
  EXPECT_EQ(seen.size(), 5U);
}

TEST(DeadLetters, NothingIsChangedWithoutTheToken) {
  RunningGateway closed({}, yaml("", ""));
  const HttpAnswer none = change(closed, "purge", R"({"all":true})");
  EXPECT_EQ(none.status, 403);
  EXPECT_THAT(none.body, HasSubstr("admin.token_file"));

  RunningGateway gateway({}, yaml());
  make_dead_letters(gateway, 5);
  const std::uint16_t admin = gateway.admin_port();
  const auto status = [&](const Headers& headers, std::string_view body = R"({"all":true})",
                          const std::string& target = "/dlq/purge") {
    return post(admin, target, body, headers).status;
  };
  const std::pair<std::string, std::string> token{"Authorization", "Bearer t0ken"};
  EXPECT_EQ(status({}), 401);
  EXPECT_EQ(status({{"Authorization", "Bearer t0kem"}}), 401);
  EXPECT_EQ(status({{"Authorization", "Bearer t0ken2"}}), 401);
  EXPECT_EQ(status({{"Authorization", "Basic t0ken"}}), 401);
  EXPECT_EQ(status({token, {"Origin", "http://evil.example"}}), 403);
  EXPECT_EQ(status({token, {"Origin", "null"}}), 403);
  EXPECT_EQ(status({token, {"Content-Type", "text/plain"}}), 415);
  EXPECT_EQ(status({token}, std::string(2'000'000, ' ')), 413);
  EXPECT_EQ(gateway.metric("admin_bodies_refused_total"), 1);
  EXPECT_EQ(HttpClient(admin).request("DELETE", "/dlq", "").status, 405);
  EXPECT_EQ(get(admin, "/dlq/purge").status, 405);
  EXPECT_EQ(
      HttpClient(admin).request("GET", "/dlq", "", {{"Origin", "http://evil.example"}}).status,
      403);
  EXPECT_EQ(gateway.metric("dead_letters"), 1);
  EXPECT_EQ(status({token, {"Origin", "http://localhost"}}), 200) << "the Host's own";
  EXPECT_EQ(gateway.metric("dead_letters"), 0);
}

TEST(DeadLetters, RequestsThatMakeNoSenseSaySo) {
  RunningGateway gateway({}, yaml());
  for (const char* body :
       {"", "[]", "{}", "nonsense", R"({"all":false})",
        R"({"all":true,"ids":["018f3440d1a80000"]})", R"({"ids":[]})", R"({"ids":["x"]})",
        R"({"filter":{}})", R"({"filter":{"from":"x"}})", R"({"filter":{"since":"yesterday"}})",
        R"({"all":true,"cursor":"x"})", R"({"all":true} trailing)", R"({"everything":true})"}) {
    const HttpAnswer answer = change(gateway, "purge", body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_THAT(answer.body, HasSubstr("\"message\":")) << body;
  }
  for (const char* target : {"/dlq?limit=0", "/dlq?limit=5000", "/dlq?since=x", "/dlq?cursor=1",
                             "/dlq?order=random", "/dlq?wrkspace=a"}) {
    EXPECT_EQ(get(gateway.admin_port(), target).status, 400) << target;
  }
  EXPECT_EQ(get(gateway.admin_port(), "/dlq/none").status, 404);
  EXPECT_EQ(get(gateway.admin_port(), "/dlqs").status, 404);
}

TEST(DeadLetters, AFullStoreHoldsTheLaneUntilThereIsRoom) {
  RunningGateway gateway({}, yaml("dead_letter: {max_bytes: 64KiB}\n"));
  ASSERT_TRUE(gateway.upstream().set_faults(poison));
  const std::string padding(8'000, 'x');
  // Once it is, it stays so; a moment later it may show another state, as it tries again.
  bool held = false;
  const auto is_held = [&] {
    held = held ||
           get(gateway.admin_port(), "/status").body.find("waiting_to_store") != std::string::npos;
    return held;
  };
  int sent = 0;
  while (sent < 30 && !is_held()) {
    // A good one first: that everything is refused would park the workspace.
    ASSERT_EQ(post(gateway.port(), "/v4/events/batch",
                   "[" + event("good", "{\"n\":" + std::to_string(sent) + "}") + "," +
                       event("bad", R"({"bad":1,"text":")" + padding + "\"}") + "]")
                  .status,
              202);
    ++sent;
    ASSERT_TRUE(eventually(
        [&] { return gateway.metric("events_dead_lettered_total") == sent || is_held(); }));
  }
  ASSERT_TRUE(is_held()) << sent;
  ASSERT_EQ(post(gateway.port(), "/v4/events/batch", event("bad", "{\"n\":-1}")).status, 202);
  EXPECT_EQ(gateway.metric("events_dead_lettered_total"), sent - 1);
  EXPECT_LE(gateway.metric("dead_letter_bytes"), 65'536);
  EXPECT_THAT(change(gateway, "purge", R"({"all":true})").body,
              HasSubstr("\"purged\":" + std::to_string(sent - 1)));
  ASSERT_TRUE(gateway.delivered(sent + 1)) << "what was behind it is delivered";
  ASSERT_TRUE(eventually([&] { return gateway.metric("buffer_events") == 0; }));
  EXPECT_EQ(gateway.metric("dead_letters"), 1);
  gateway.expect_conservation();
}

// The real binary, over a Unix-domain socket and with the disk buffer.
class DlqCommand : public testing::Test {
 protected:
  DlqCommand() {
    std::ofstream(config_)
        << "ingest: {listen: 127.0.0.1:0}\nlog: {format: human}\nbatch: {linger: 10ms}\n"
        << "admin: {listen: \"unix:" << directory_ / "admin.sock" << "\", token: t0ken}\n"
        << "buffer: {type: disk, path: " << directory_ / "buffer" << "}\n"
        << "dead_letter: {path: " << folder_ << "}\n"
        << "workspaces:\n  - name: default\n    base_url: " << upstream_url()
        << "\n    auth: {method: basic, workspace_guid: 01890a5d-ac96-774b-bcce-b302099a8057, "
           "api_key: key}\n";
  }

  std::string upstream_url() {
    EXPECT_TRUE(upstream_.start());
    return upstream_.base_url();
  }
  // Letters of three profiles, over many segments.
  void fill_store(int count) {
    auto store = deadletter::open_store(
        {.folder = folder_, .bytes_max = std::uint64_t{1} << 30, .segment_bytes_max = 100'000});
    ASSERT_TRUE(store);
    for (int i = 0; i < count;) {
      std::vector<deadletter::Letter> letters;
      for (int end = i + 100; i < std::min(count, end); ++i) {
        letters.push_back({.workspace = "default",
                           .kind = "event",
                           .reason = "rejected",
                           .answer = "",
                           .first_attempt_at = {},
                           .last_attempt_at = {},
                           .event = salted(i, "{\"n\":" + std::to_string(i) + "}")});
      }
      ASSERT_TRUE((*store)->append(letters));
    }
  }

  struct Said {
    int code;
    std::string text;
  };
  Said dlq(std::vector<std::string> arguments) {
    std::vector<std::string> all{SLUICE_BINARY, "dlq"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    all.insert(all.end(), {"--config", config_});
    Process process(all, directory_ / ("out-" + std::to_string(++runs_)));
    const int code = process.wait();
    return {code, process.output()};
  }
  Process serve() {
    return Process({SLUICE_BINARY, "serve", "--config", config_},
                   directory_ / ("gateway-" + std::to_string(++runs_)));
  }
  [[nodiscard]] double stored() {
    return metric(HttpClient(0, {.unix_path = directory_ / "admin.sock"}).get("/metrics").body,
                  "dead_letters");
  }

  TemporaryDirectory directory_;
  simulator::Simulator upstream_{{}};
  std::string config_ = directory_ / "sluice.yaml";
  std::string folder_ = directory_ / "dead-letter";
  int runs_ = 0;
};

TEST_F(DlqCommand, WorksWithTheRunningGateway) {
  Process gateway = serve();
  const std::uint16_t port = gateway.port_after("taking events address=\"127.0.0.1");
  ASSERT_TRUE(gateway.says("ready admin"));
  ASSERT_TRUE(upstream_.set_faults(poison));
  ASSERT_EQ(post(port, "/v4/events/batch", mixed(25)).status, 202);
  ASSERT_TRUE(eventually([&] { return stored() == 5; }));

  const Said listed = dlq({"list"});
  EXPECT_EQ(listed.code, 0);
  EXPECT_THAT(listed.text, AllOf(HasSubstr("ID "), HasSubstr("rejected"), Not(HasSubstr("files"))));
  EXPECT_EQ(std::ranges::count(listed.text, '\n'), 6);
  const Said some = dlq(
      {"list", "--json", "--limit", "2", "--contains", "salt-", "--since", "2020-01-01T00:00:00Z"});
  const auto ids = ids_in(some.text);
  ASSERT_EQ(ids.size(), 2U) << some.text;
  EXPECT_THAT(some.text, HasSubstr("there may be more"));
  EXPECT_THAT(dlq({"show", ids[0]}).text, AllOf(HasSubstr("status        400"), HasSubstr(ids[0])));
  EXPECT_THAT(dlq({"show", "0000000000000001"}).text, HasSubstr("no dead letter"));

  EXPECT_THAT(dlq({"purge", "--id", ids[0]}).text, HasSubstr("1 dead letters purged"));
  EXPECT_EQ(dlq({"purge"}).code, 64);
  ASSERT_TRUE(upstream_.set_faults("[]"));
  const Said replayed = dlq({"replay", "--all", "--json"});
  EXPECT_EQ(replayed.code, 0);
  EXPECT_EQ(replayed.text, "{\"replayed\":4,\"kept\":0,\"why\":[],\"stopped\":null}\n");
  EXPECT_TRUE(eventually([&] { return upstream_.ledger().summary().unique == 24; }));
  EXPECT_EQ(stored(), 0);
  gateway.kill(SIGTERM);
  EXPECT_EQ(gateway.wait(), 0) << gateway.output();
  EXPECT_EQ(upstream_.ledger().summary().unique, 24);
}

// Many steps of reading, accepting and removing, over many segments.
TEST_F(DlqCommand, ShowsTheTraceThatCameBeforeAKill) {
  Process gateway = serve();
  ASSERT_TRUE(upstream_.set_faults("status=503"));
  ASSERT_EQ(post(gateway.port_after("taking events address=\"127.0.0.1"), "/v4/events/batch",
                 "[" + event("good") + "," + event("bad", R"({"bad":1})") + "]",
                 {{"traceparent", std::string(trace)}})
                .status,
            202);
  gateway.kill(SIGKILL);
  gateway.wait();
  ASSERT_TRUE(upstream_.set_faults(poison));
  gateway = serve();
  ASSERT_TRUE(gateway.says("ready admin")) << gateway.output();
  ASSERT_TRUE(eventually([&] { return stored() == 1; })) << gateway.output();
  EXPECT_TRUE(gateway.says("traceparent=\"" + std::string(trace) + "\"")) << "in the log";
  const std::string listed = dlq({"list", "--json"}).text;
  EXPECT_THAT(listed, HasSubstr("\"traceparent\":\"" + std::string(trace) + "\""));
  EXPECT_THAT(dlq({"list"}).text, HasSubstr("  4bf92f3577b34da6a3ce929d0e0e4736  "));
  EXPECT_THAT(dlq({"show", ids_in(listed).at(0)}).text,
              HasSubstr("traceparent   " + std::string(trace) + "\n"));
  EXPECT_TRUE(eventually([&] { return upstream_.ledger().summary().unique == 1; }));
}

TEST_F(DlqCommand, ReplaysThousandsAndKeepsTheOrderOfAProfile) {
  fill_store(2'500);
  Process gateway = serve();
  ASSERT_TRUE(gateway.says("ready admin"));
  EXPECT_THAT(dlq({"replay", "--all"}).text, HasSubstr("2500 dead letters replayed"));
  ASSERT_TRUE(eventually([&] { return upstream_.ledger().summary().unique == 2'500; }));
  EXPECT_EQ(upstream_.ledger().summary().deliveries, 2'500);
  EXPECT_EQ(stored(), 0);
  std::map<std::string, int> last;
  for (const simulator::LedgerEntry& entry : upstream_.ledger().entries()) {
    const int number = std::stoi(entry.salt.substr(5));
    EXPECT_GE(number, last[entry.profile]) << entry.profile;
    last[entry.profile] = number;
  }
}

// Whatever was accepted again and not removed yet is replayed twice, and counts once.
TEST_F(DlqCommand, AReplayThatIsCutShortLosesNothing) {
  for (const int signal : {SIGKILL, SIGTERM}) {
    upstream_.reset();
    fill_store(2'500);
    Process gateway = serve();
    ASSERT_TRUE(gateway.says("ready admin"));
    Process replay({SLUICE_BINARY, "dlq", "replay", "--all", "--config", config_},
                   directory_ / "replay");
    ASSERT_TRUE(eventually([&] { return upstream_.ledger().summary().unique > 0; }));
    gateway.kill(signal);
    EXPECT_EQ(gateway.wait(), signal == SIGTERM ? 0 : 128 + signal) << gateway.output();
    static_cast<void>(replay.wait());
    gateway = serve();
    ASSERT_TRUE(gateway.says("ready admin"));
    const Said rest = dlq({"replay", "--all"});
    EXPECT_EQ(rest.code, 0) << rest.text;
    EXPECT_TRUE(eventually([&] { return upstream_.ledger().summary().unique == 2'500; }))
        << upstream_.ledger().summary().unique;
    EXPECT_EQ(stored(), 0);
    gateway.kill(SIGTERM);
    EXPECT_EQ(gateway.wait(), 0) << gateway.output();
  }
}

TEST_F(DlqCommand, WorksOnTheFilesWhenNoGatewayRuns) {
  EXPECT_THAT(dlq({"purge", "--all"}).text, HasSubstr("0 dead letters purged"));
  EXPECT_FALSE(std::filesystem::exists(folder_));
  auto store = deadletter::open_store(folder_, 1'000'000);
  ASSERT_TRUE(store);
  std::vector<deadletter::Letter> letters;
  for (const char* reason : {"rejected", "too_large", "rejected"}) {
    letters.push_back({.workspace = "default",
                       .kind = "event",
                       .reason = reason,
                       .answer = "\x1b[31m no",
                       .first_attempt_at = {},
                       .last_attempt_at = {},
                       .event = R"({"n":1})"});
  }
  ASSERT_TRUE((*store)->append(letters));
  const Said locked = dlq({"purge", "--all"});
  EXPECT_EQ(locked.code, 1);
  EXPECT_THAT(locked.text, HasSubstr("in use by another process"));
  store->reset();

  const Said listed = dlq({"list", "--reason", "rejected"});
  EXPECT_EQ(listed.code, 0);
  EXPECT_THAT(listed.text, AllOf(HasSubstr("reading the files in " + folder_),
                                 Not(HasSubstr("\x1b")), Not(HasSubstr("too_large"))));
  const auto ids = ids_in(dlq({"list", "--json", "--limit", "0"}).text);
  ASSERT_EQ(ids.size(), 3U);
  EXPECT_THAT(dlq({"show", ids[1], "--json"}).text, HasSubstr("too_large"));
  const Said replayed = dlq({"replay", "--all"});
  EXPECT_EQ(replayed.code, 69);
  EXPECT_THAT(replayed.text, HasSubstr("sluice serve"));
  EXPECT_THAT(dlq({"purge", "--reason", "rejected"}).text, HasSubstr("2 dead letters purged"));
  EXPECT_EQ(dlq({"list", "--since", "yesterday"}).code, 64);
  EXPECT_EQ(ids_in(dlq({"list", "--json"}).text), std::vector{ids[1]});
}

}  // namespace
}  // namespace sluice::test
