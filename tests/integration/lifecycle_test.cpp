// Goal: the daemon starts, reports, stops and fails to start as an operator expects; with the real
// binaries.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child_process.hpp"
#include "running_gateway.hpp"

namespace sluice::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;

class Lifecycle : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(directory_ / name) << text;
    return directory_ / name;
  }
  std::string config(const std::string& base_url, const std::string& more = "",
                     const std::string& admin_more = "") {
    return write(
        "sluice.yaml",
        "ingest: {listen: 127.0.0.1:0}\nadmin: {listen: 127.0.0.1:0" + admin_more +
            "}\nbuffer: {type: memory}\n"
            "log: {format: human}\ndead_letter: {path: " +
            (directory_ / "dlq") +
            "}\n"
            "workspaces:\n  - name: default\n    base_url: " +
            base_url +
            "\n    auth: {method: basic, workspace_guid: 01890a5d-ac96-774b-bcce-b302099a8057, "
            "api_key: very-secret}\n" +
            more);
  }
  Process run(const std::vector<std::string>& arguments, const std::string& input = "/dev/null") {
    std::vector<std::string> all{SLUICE_BINARY};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return Process(all, directory_ / ("out-" + std::to_string(++runs_)), input);
  }

  TemporaryDirectory directory_;
  int runs_ = 0;
};

std::vector<std::string> thread_names(pid_t process) {
  std::vector<std::string> names;
  for (const auto& thread :
       std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
    std::ifstream file(thread.path() / "comm");
    std::getline(file, names.emplace_back());
  }
  return names;
}

TEST_F(Lifecycle, ItsThreadsHaveNames) {
  std::string text;
  std::getline(std::ifstream(config("http://127.0.0.1:1")), text, '\0');
  constexpr std::string_view in_memory = "{type: memory}";
  text.replace(text.find(in_memory), in_memory.size(), "{path: " + (directory_ / "buffer") + "}");
  Process gateway = run({"serve", "--config", write("disk.yaml", text)});
  static_cast<void>(gateway.port_after("ready admin=\"127.0.0.1"));
  EXPECT_TRUE(eventually([&] {
    return testing::Value(thread_names(gateway.pid()),
                          IsSupersetOf({"ingest", "delivery", "commit", "read-back", "storage"}));
  })) << testing::PrintToString(thread_names(gateway.pid()));
  gateway.kill(SIGTERM);
  EXPECT_EQ(gateway.wait(), 0);
}

TEST_F(Lifecycle, ServesReportsAndStopsWithEverythingDelivered) {
  Process simulator({SIMULATOR_BINARY, "--listen", "127.0.0.1:0"}, directory_ / "simulator");
  const std::uint16_t upstream = simulator.port_after("listening on http://127.0.0.1");
  Process gateway =
      run({"serve", "--config",
           config("http://127.0.0.1:" + std::to_string(upstream), "batch: {linger: 10s}\n")});
  const std::uint16_t admin = gateway.port_after("ready admin=\"127.0.0.1");
  const std::uint16_t port = gateway.port_after("taking events address=\"127.0.0.1");
  EXPECT_EQ(get(admin, "/livez").status, 200);
  EXPECT_EQ(get(admin, "/readyz").status, 200);
  EXPECT_EQ(get(admin, "/nothing").status, 404);
  EXPECT_EQ(HttpClient(admin).request("POST", "/metrics", "").status, 405);
  HttpClient kept_open(port);
  ASSERT_EQ(kept_open.post("/v4/events/batch", events(500)).status, 202);
  EXPECT_THAT(get(admin, "/status").body,
              AllOf(HasSubstr("\"ready\":true"), HasSubstr("\"accepted\":500")));
  gateway.kill(SIGHUP);
  EXPECT_TRUE(gateway.says("reload: "));
  gateway.kill(SIGTERM);
  EXPECT_EQ(gateway.wait(), 0) << gateway.output();
  EXPECT_TRUE(kept_open.closed_by_server());
  EXPECT_THAT(get(upstream, "/sim/ledger?summary=1").body, HasSubstr("\"unique\":500"))
      << "a lingering batch is flushed by the drain";
  EXPECT_THAT(gateway.output(), AllOf(HasSubstr("stopped"), Not(HasSubstr("very-secret"))));
}

// The disk is a pipe that says nothing.
TEST_F(Lifecycle, StopsInOrderThoughARequestWaitsForADiskForLongerThanItDoes) {
  const std::string file = config("http://127.0.0.1:9", "", ", token: admins");
  Process gateway = run({"serve", "--config", file});
  HttpClient client(gateway.port_after("ready admin=\"127.0.0.1"));
  std::filesystem::remove(file);
  ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
  client.send(
      "POST /reload HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer admins\r\n"
      "Content-Type: application/json\r\nContent-Length: 0\r\n\r\n");
  int disk = -1;
  ASSERT_TRUE(eventually([&] {
    disk = ::open(file.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    return disk >= 0;
  })) << "it is being read";
  gateway.kill(SIGTERM);
  EXPECT_TRUE(gateway.says("some connections would not end"));
  ::close(disk);
  EXPECT_EQ(gateway.wait(), 0);
}

TEST_F(Lifecycle, SighupTakesOverTheLogLevelAndKeepsARunningConfigurationFromABadFile) {
  const std::string file = config("http://127.0.0.1:1");
  Process gateway = run({"serve", "--config", file});
  const std::uint16_t admin = gateway.port_after("ready admin=\"127.0.0.1");
  write("sluice.yaml", "batch: {max_events: 5000}\n");
  gateway.kill(SIGHUP);
  EXPECT_TRUE(eventually(
      [&] { return gateway.output().find("nothing has changed") != std::string::npos; }));
  EXPECT_EQ(get(admin, "/readyz").status, 200);
  config("http://127.0.0.1:1");
  std::ifstream whole(file);
  std::string text{std::istreambuf_iterator<char>(whole), {}};
  text.replace(text.find("log: {format: human}\n"), 21, "log: {format: json}\n");
  write("sluice.yaml", text);
  gateway.kill(SIGHUP);
  EXPECT_TRUE(eventually([&] { return gateway.output().find("{\"time\":") != std::string::npos; }));
  gateway.kill(SIGTERM);
  EXPECT_EQ(gateway.wait(), 0);
}

TEST_F(Lifecycle, WhileDrainingItIsNotReadyAndTellsWhatIsLost) {
  Process simulator({SIMULATOR_BINARY, "--listen", "127.0.0.1:0", "--fault", "hang,hang_ms=60000"},
                    directory_ / "simulator");
  const std::uint16_t upstream = simulator.port_after("listening on http://127.0.0.1");
  Process gateway =
      run({"serve", "--config",
           config("http://127.0.0.1:" + std::to_string(upstream), "drain_timeout: 30s\n")});
  const std::uint16_t admin = gateway.port_after("ready admin=\"127.0.0.1");
  const std::uint16_t port = gateway.port_after("taking events address=\"127.0.0.1");
  ASSERT_EQ(post(port, "/v4/events/batch", events(50)).status, 202);
  gateway.kill(SIGTERM);
  EXPECT_TRUE(eventually([&] { return get(admin, "/readyz").status == 503; }));
  EXPECT_EQ(get(admin, "/livez").status, 200);
  EXPECT_TRUE(eventually(
      [&] { return gateway.output().find("delivering what is left") != std::string::npos; }));
  gateway.kill(SIGTERM);  // a second one: do not wait
  EXPECT_EQ(gateway.wait(), 75) << gateway.output();
  EXPECT_THAT(gateway.output(), HasSubstr("undelivered_events=50"));
}

TEST_F(Lifecycle, WhatCannotBeHadAtStartIsOneClearLine) {
  RunningGateway other;
  const std::string taken = "127.0.0.1:" + std::to_string(other.admin_port());
  Process port_taken =
      run({"serve", "--config",
           write("taken.yaml", "admin: {listen: " + taken +
                                   "}\nbuffer: {type: memory}\n"
                                   "ingest: {listen: 127.0.0.1:0}\ndead_letter: {path: " +
                                   (directory_ / "dlq") +
                                   "}\n"
                                   "workspaces: [{name: a, base_url: \"http://127.0.0.1:1\", auth: "
                                   "{method: jwt, api_key: k}}]\n")});
  EXPECT_EQ(port_taken.wait(), 1);
  EXPECT_THAT(port_taken.output(), AllOf(HasSubstr(taken), HasSubstr("in use")));
  EXPECT_EQ(std::ranges::count(port_taken.output(), '\n'), 1) << port_taken.output();
  Process no_folder =
      run({"serve", "--config",
           write("folder.yaml",
                 "buffer: {type: memory}\ningest: {listen: 127.0.0.1:0}\n"
                 "admin: {listen: 127.0.0.1:0}\ndead_letter: {path: /proc/nowhere}\n"
                 "workspaces: [{name: a, base_url: \"http://127.0.0.1:1\", auth: {method: jwt, "
                 "api_key: k}}]\n")});
  EXPECT_EQ(no_folder.wait(), 1);
  EXPECT_THAT(no_folder.output(), HasSubstr("/proc/nowhere"));
}

TEST_F(Lifecycle, ChecksAConfigurationAndTellsEveryMistake) {
  Process valid = run({"check", "--config", config("http://127.0.0.1:1")});
  EXPECT_EQ(valid.wait(), 0);
  EXPECT_THAT(valid.output(),
              AllOf(HasSubstr("api_key: \"********\""), Not(HasSubstr("very-secret"))));
  const std::string bad = write("bad.yaml", "ingest: {lissten: 1}\nbatch: {max_events: 5000}\n");
  Process mistaken = run({"check", "--config", bad});
  EXPECT_EQ(mistaken.wait(), 78);
  EXPECT_THAT(mistaken.output(), AllOf(HasSubstr(bad + ":1:"), HasSubstr(bad + ":2:"),
                                       HasSubstr("lissten"), HasSubstr("workspaces")));
  Process smallest =
      run({"check", "--config",
           write("smallest.yaml", "workspaces: [{auth: {method: jwt, api_key: k}}]\n")});
  EXPECT_EQ(smallest.wait(), 0) << "all else has a default";
  EXPECT_THAT(smallest.output(), HasSubstr("type: disk"));
  Process missing = run({"serve", "--config", directory_ / "none.yaml"});
  EXPECT_EQ(missing.wait(), 78);
}

TEST_F(Lifecycle, MapShowsWhatARuleMakesOfAFile) {
  const std::string file = config(
      "http://127.0.0.1:1",
      "sources:\n  - name: raw\n    workspace: default\n    event:\n      action: {value: a.b}\n"
      "      client: {customId: {from: /who, type: string, required: true}}\n"
      "      params: {n: {from: /n}}\n      eventSalt: {template: \"{/who}-{/n}\"}\n"
      "      time: {from: /at}\n");
  const std::string raw =
      write("raw.json", R"([{"who":7,"n":1.50,"at":"2020-01-01T00:00:00Z"},{"n":2},)"
                        R"({"who":8,"at":"2020-01-01T00:00:00"}])");
  Process mapping = run({"map", "--config", file}, raw);
  EXPECT_EQ(mapping.wait(), 1) << "one was refused";
  EXPECT_THAT(mapping.output(), AllOf(HasSubstr(R"("client":{"customId":"7"},"params":{"n":1.50})"),
                                      HasSubstr(R"("eventSalt":"7-1.50")"),
                                      HasSubstr(R"({"rejected":1,"field":"client.customId",)"),
                                      HasSubstr("sluice map: event 2: time has no zone"),
                                      HasSubstr("its rule time_without_zone)")));
}

TEST_F(Lifecycle, SaysItsVersionAndHelps) {
  Process version = run({"version"});
  EXPECT_EQ(version.wait(), 0);
  EXPECT_THAT(version.output(), testing::StartsWith("sluice 0."));
  Process nothing = run({});
  EXPECT_EQ(nothing.wait(), 64);
  EXPECT_THAT(nothing.output(), HasSubstr("serve"));
}

}  // namespace
}  // namespace sluice::test
