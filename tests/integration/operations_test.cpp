// Goal: an operator's calls do what they say while producers write: the health check, the drain,
// what the service manager is told, taps, and reloading, which costs no connection and no event.
// With the real binary.
#include <array>
#include <csignal>
#include <cstddef>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <sluice/config/load.hpp>
#include <sluice/runtime/gateway.hpp>

#include "child_process.hpp"
#include "running_gateway.hpp"
#include "test_pki.hpp"

namespace sluice::test {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

const Headers token{{"Authorization", "Bearer t0ken"}};

// A gateway of its own process, whose configuration a test writes piece by piece.
class Operations : public testing::Test {
 protected:
  struct Parts {
    std::string ingest = "listen: 127.0.0.1:0, threads: 2";
    std::string producers{};
    std::string workspace =
        "auth: {method: basic, workspace_guid: "
        "01890a5d-ac96-774b-bcce-b302099a8057, api_key: very-secret}";
    std::string more{};
  };

  void SetUp() override {
    simulator_.emplace(
        std::vector<std::string>{SIMULATOR_BINARY, "--listen", "127.0.0.1:0", "--workspace",
                                 "01890a5d-ac96-774b-bcce-b302099a8057:very-secret"},
        directory_ / "simulator");
    upstream_ = simulator_->port_after("listening on http://127.0.0.1");
  }

  std::string file(const std::string& name, const std::string& text) {
    const std::string path = directory_ / name;
    std::ofstream(path + ".new") << text;
    std::filesystem::rename(path + ".new", path);
    return path;
  }
  void configure(const Parts& parts) {
    file("sluice.yaml", "ingest: {" + parts.ingest +
                            (parts.producers.empty() ? "" : ", producers: [" + parts.producers) +
                            (parts.producers.empty() ? "}" : "]}") +
                            "\nadmin: {listen: 127.0.0.1:0, token: t0ken}\nbuffer: {type: memory}\n"
                            "log: {format: human}\nbatch: {linger: 10ms}\ndead_letter: {path: " +
                            (directory_ / "dlq") +
                            "}\nworkspaces:\n  - {name: default, base_url: \"http://127.0.0.1:" +
                            std::to_string(upstream_) + "\", " + parts.workspace + "}\n" +
                            parts.more);
  }
  void start(const Parts& parts, const std::vector<std::string>& environment = {}) {
    configure(parts);
    std::vector<std::string> arguments{"/usr/bin/env"};
    arguments.insert(arguments.end(), environment.begin(), environment.end());
    for (const std::string& argument : {std::string(SLUICE_BINARY), std::string("serve"),
                                        std::string("--config"), directory_ / "sluice.yaml"}) {
      arguments.push_back(argument);
    }
    gateway_.emplace(arguments, directory_ / "log");
    admin_ = gateway_->port_after("ready admin=\"127.0.0.1");
    port_ = gateway_->port_after("taking events address=\"127.0.0.1");
  }
  Process run(const std::vector<std::string>& arguments) {
    std::vector<std::string> all{SLUICE_BINARY};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return Process(all, directory_ / ("out-" + std::to_string(++runs_)));
  }
  [[nodiscard]] HttpAnswer reload() const { return post(admin_, "/reload", "{}", token); }
  [[nodiscard]] double metric(std::string_view name, std::string_view label = "") const {
    return test::metric(get(admin_, "/metrics").body, name, label);
  }
  static unsigned send(HttpClient& client, const std::string& key,
                       const std::string& target = "/v4/events/batch") {
    return client.post(target, events(1), {{"X-Api-Key", key}}).status;
  }
  void stop() {
    gateway_->kill(SIGTERM);
    EXPECT_EQ(gateway_->wait(), 0) << gateway_->output();
  }

  TemporaryDirectory directory_;
  std::optional<Process> simulator_;
  std::optional<Process> gateway_;
  std::uint16_t upstream_ = 0;
  std::uint16_t admin_ = 0;
  std::uint16_t port_ = 0;
  int runs_ = 0;
};

TEST_F(Operations, HealthTellsWhetherTheGatewayIsReady) {
  start({});
  const auto health_of = [&](std::uint16_t port) {
    const std::string config =
        file("health.yaml", "admin: {listen: 127.0.0.1:" + std::to_string(port) +
                                "}\nworkspaces: [{auth: {method: jwt, api_key: k}}]\n");
    Process health = run({"health", "--config", config, "--timeout", "5"});
    const int code = health.wait();
    return std::pair(code, health.output());
  };
  EXPECT_EQ(health_of(admin_), std::pair(0, std::string()));
  const auto [code, why] = health_of(upstream_);
  EXPECT_EQ(code, 1) << "something else listens there";
  EXPECT_EQ(std::ranges::count(why, '\n'), 1) << why;
  stop();
  const auto [stopped_code, stopped_why] = health_of(admin_);
  EXPECT_EQ(stopped_code, 1);
  EXPECT_THAT(stopped_why, HasSubstr("refused"));
}

TEST_F(Operations, HealthFailsWhileDraining) {
  ASSERT_EQ(post(upstream_, "/sim/faults", R"([{"action":"hang","hang_ms":60000}])").status / 100,
            2);
  start({.more = "drain_timeout: 30s\n"});
  const std::string config =
      file("health.yaml", "admin: {listen: 127.0.0.1:" + std::to_string(admin_) +
                              "}\nworkspaces: [{auth: {method: jwt, api_key: k}}]\n");
  ASSERT_EQ(post(port_, "/v4/events/batch", events(5)).status, 202);
  gateway_->kill(SIGTERM);
  ASSERT_TRUE(eventually([&] { return get(admin_, "/readyz").status == 503; }));
  Process health = run({"health", "--config", config});
  EXPECT_EQ(health.wait(), 1);
  EXPECT_THAT(health.output(), HasSubstr("draining"));
}

TEST_F(Operations, QuitDrainsAsSigtermDoesAndNeedsTheToken) {
  start({.more = ""});
  EXPECT_EQ(post(admin_, "/quitquitquit", "").status, 401);
  EXPECT_EQ(get(admin_, "/quitquitquit").status, 405);
  EXPECT_EQ(post(admin_, "/quitquitquit", "",
                 {{"Authorization", "Bearer t0ken"}, {"Origin", "http://elsewhere"}})
                .status,
            403);
  ASSERT_EQ(post(port_, "/v4/events/batch", events(500)).status, 202);
  EXPECT_EQ(post(admin_, "/quitquitquit", "", token).status, 202);
  EXPECT_EQ(gateway_->wait(), 0) << gateway_->output();
  EXPECT_THAT(get(upstream_, "/sim/ledger?summary=1").body, HasSubstr("\"unique\":500"));
}

// The other end of $NOTIFY_SOCKET.
class ServiceManagerSocket {
 public:
  explicit ServiceManagerSocket(const std::string& name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof address.sun_path - 1);
    if (name.front() == '@') {
      address.sun_path[0] = '\0';
    }
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(::bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), size), 0);
  }
  ~ServiceManagerSocket() { ::close(descriptor_); }
  ServiceManagerSocket(const ServiceManagerSocket&) = delete;
  ServiceManagerSocket& operator=(const ServiceManagerSocket&) = delete;

  // Waits for the next message; empty: none came.
  std::string next() {
    pollfd poll{.fd = descriptor_, .events = POLLIN, .revents = 0};
    std::array<char, 256> text{};
    if (::poll(&poll, 1, 20'000) != 1) {
      return {};
    }
    const auto size = ::recv(descriptor_, text.data(), text.size(), 0);
    return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
  }
  // The next one that does not only say that the process is alive.
  std::string next_change() {
    std::string text = next();
    while (text == "WATCHDOG=1") {
      text = next();
    }
    return text;
  }

 private:
  int descriptor_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
};

TEST_F(Operations, TellsTheServiceManagerWhatHappens) {
  for (const bool abstract : {false, true}) {
    const std::string name =
        abstract ? "@sluice-test-" + std::to_string(::getpid()) : directory_ / "notify.sock";
    ServiceManagerSocket manager(name);
    start({}, {"NOTIFY_SOCKET=" + name, "WATCHDOG_USEC=200000"});
    EXPECT_EQ(manager.next_change(), "READY=1");
    EXPECT_EQ(manager.next(), "WATCHDOG=1");
    EXPECT_EQ(manager.next(), "WATCHDOG=1");
    gateway_->kill(SIGHUP);
    EXPECT_THAT(manager.next_change(), testing::StartsWith("RELOADING=1\nMONOTONIC_USEC="));
    EXPECT_EQ(manager.next_change(), "READY=1");
    gateway_->kill(SIGTERM);
    EXPECT_EQ(manager.next_change(), "STOPPING=1");
    EXPECT_EQ(gateway_->wait(), 0) << gateway_->output();
  }
}

TEST_F(Operations, ServesTheConsoleAndTheConfigurationWithoutSecrets) {
  start({});
  for (const auto& [path, type] :
       {std::pair("/", "text/html"), std::pair("/console.css", "text/css"),
        std::pair("/console.js", "text/javascript")}) {
    const HttpAnswer answer = get(admin_, path);
    EXPECT_EQ(answer.status, 200) << path;
    EXPECT_THAT(answer.headers.at("content-type"), testing::StartsWith(type));
    EXPECT_THAT(answer.headers.at("content-security-policy"),
                AllOf(HasSubstr("default-src 'none'"), Not(HasSubstr("unsafe"))));
  }
  EXPECT_THAT(get(admin_, "/config").body,
              AllOf(HasSubstr("api_key: \"********\""), Not(HasSubstr("very-secret")),
                    Not(HasSubstr("t0ken"))));
  stop();
}

TEST_F(Operations, TopPrintsOnceWhenItIsNoTerminal) {
  start({});
  ASSERT_EQ(post(port_, "/v4/events/batch", events(7)).status, 202);
  const std::string config =
      file("top.yaml", "admin: {listen: 127.0.0.1:" + std::to_string(admin_) +
                           "}\nworkspaces: [{auth: {method: jwt, api_key: k}}]\n");
  Process top = run({"top", "--config", config});
  EXPECT_EQ(top.wait(), 0);
  EXPECT_THAT(top.output(),
              AllOf(HasSubstr(": ready\n"), HasSubstr("accepted 7 "), HasSubstr("default"),
                    HasSubstr("delivering"), Not(HasSubstr("\x1b"))));
  stop();
}

TEST_F(Operations, StreamsTheStatusToABoundedNumberOfViewers) {
  start({});
  std::vector<std::unique_ptr<HttpClient>> viewers;
  for (int i = 0; i < 16; ++i) {
    viewers.push_back(std::make_unique<HttpClient>(admin_));
    viewers.back()->send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  EXPECT_TRUE(eventually([&] {
    return HttpClient(admin_, {.patience = std::chrono::seconds(1)}).get("/events").status == 503;
  }));
  gateway_->kill(SIGTERM);
  EXPECT_EQ(gateway_->wait(), 0) << gateway_->output();
  const HttpAnswer stream = viewers.front()->read_answer();
  EXPECT_EQ(stream.status, 200);
  EXPECT_EQ(stream.headers.at("content-type"), "text/event-stream");
  EXPECT_THAT(stream.body, AllOf(testing::StartsWith("data: {\"version\""),
                                 HasSubstr("\"workspaces\":["), HasSubstr("\n\n")));
}

// One source whose raw events say who.
const std::string raw_source =
    "sources:\n  - name: raw\n    workspace: default\n    event:\n      action: {value: "
    "raw.action}\n"
    "      label: {value: x}\n      client: {customId: {from: /who, required: true}}\n"
    "      params: {who: {from: /who}}\n";

// `sluice tap` beside a gateway that has raw_source.
class Tap : public Operations {
 protected:
  void SetUp() override {
    Operations::SetUp();
    start({.more = raw_source});
  }
  Process tap(const std::vector<std::string>& options, const std::string& more = "") {
    std::vector<std::string> arguments{
        "tap", "--config",
        file("tap.yaml", "admin: {listen: 127.0.0.1:" + std::to_string(admin_) + more +
                             "}\nworkspaces: [{auth: {method: jwt, api_key: k}}]\n")};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return run(arguments);
  }
  // How it ended, by itself.
  static int code_of(Process& tap) {
    EXPECT_TRUE(eventually([&] { return tap.ended(); })) << tap.output();
    tap.kill(SIGKILL);
    return tap.wait();
  }
  // Sends the body until the tap shows the text: it may have been opened a moment too late.
  [[nodiscard]] bool shows(const Process& tap, const std::string& text, const std::string& target,
                           const std::string& body) const {
    return eventually([&] {
      EXPECT_NE(post(port_, target, body, {{"X-Request-Id", "req-7"}}).status, 0);
      return tap.output().find(text) != std::string::npos;
    });
  }
  [[nodiscard]] std::string line_with(const Process& tap, const std::string& text) const {
    const std::string output = tap.output();
    const std::size_t at = output.find(text);
    const std::size_t begin = output.rfind('\n', at) + 1;
    return at == output.npos ? "" : output.substr(begin, output.find('\n', at) - begin);
  }

  const std::string good_ = event("private", R"({"phone":123456789,"gift":true})");
  const std::string bad_ = R"({"type":"custom","action":"a.b","label":"l","client":{},)"
                           R"("params":{"mail":"private@example.com"}})";
};

TEST_F(Tap, ShowsWhatProducersSendWithoutItsValues) {
  Process seen = tap({"--sample", "100%"});
  ASSERT_TRUE(shows(seen, "\"rejected\"", "/v4/events/batch", "[" + good_ + "," + bad_ + "]"))
      << seen.output();
  EXPECT_THAT(line_with(seen, "\"outcome\":\"accepted\""),
              AllOf(HasSubstr(R"("workspace":"default","source":null,"path":"/v4/events/batch",)"),
                    HasSubstr("\"request_id\":\"req-7\""), HasSubstr(R"("action":"test.event")"),
                    HasSubstr(R"("client":{"customId":"string"})"),
                    HasSubstr(R"("params":{"phone":"number","gift":true})")));
  EXPECT_THAT(
      line_with(seen, "\"outcome\":\"rejected\""),
      AllOf(HasSubstr(
                R"("errors":[{"index":1,"code":1006,"reason":"client_missing","field":"client",)"),
            HasSubstr(R"("event":{"type":"string","action":"string","label":"string",)"
                      R"("client":{},"params":{"mail":"string"}})")));
  ASSERT_TRUE(shows(seen, "malformed_json", "/v4/events/batch", "[{\"private\":"));
  ASSERT_TRUE(shows(seen, "\"source\":\"raw\"", "/v1/events/raw", R"({"who":{"private":1}})"));
  EXPECT_THAT(line_with(seen, "\"source\":\"raw\""),
              AllOf(HasSubstr("\"errors\":[{\"index\":0,"), HasSubstr("\"message\":null"),
                    HasSubstr(R"("event":{"who":{"private":"number"}})")));
  EXPECT_THAT(seen.output(), Not(AnyOf(HasSubstr("\"private\"}"), HasSubstr("\"private\","),
                                       HasSubstr("private@"), HasSubstr("123456789"))));
  stop();
  EXPECT_EQ(code_of(seen), 1) << "the gateway has ended";
}

TEST_F(Tap, ShowsWhatIsDoubtfulAboutWhatIsAccepted) {
  const std::string salted =
      R"({"type":"custom","action":"a.b","client":{"customId":"1"},"eventSalt":"s",)"
      R"("time":"2024-01-01T00:00:00Z"})";
  const std::string doubtful =
      R"({"type":"custom","action":"a.b","label":7,"client":{"customId":"2"}})";
  EXPECT_EQ(post(port_, "/v4/events/batch", "[" + salted + "]").status, 202);
  Process seen = tap({"--accepted", "--sample", "100%"});
  // The first one is a duplicate, and not shown.
  ASSERT_TRUE(shows(seen, "\"warnings\"", "/v4/events/batch", "[" + salted + "," + doubtful + "]"))
      << seen.output();
  EXPECT_THAT(line_with(seen, "\"warnings\""),
              HasSubstr(R"("warnings":[{"index":1,"rule":"string_as_number","field":"label",)"
                        R"("message":"must be a string"},{"index":1,"rule":"params_missing",)"));
}

TEST_F(Tap, ShowsOnlyWhatWasAskedFor) {
  Process of_source = tap({"--accepted", "--source", "raw"});
  ASSERT_TRUE(eventually([&] {
    EXPECT_EQ(post(port_, "/v4/events/batch", "[" + good_ + "," + bad_ + "]").status, 202);
    EXPECT_EQ(post(port_, "/v1/events/raw", R"([{"who":"w"},{"x":1}])").status, 202);
    return of_source.output().find("\"outcome\"") != std::string::npos;
  }));
  EXPECT_THAT(of_source.output(), AllOf(HasSubstr("raw.action"), Not(HasSubstr("test.event")),
                                        Not(HasSubstr("rejected"))));
  for (const std::vector<std::string>& wrong :
       {std::vector<std::string>{"--source", "none"}, {"--workspace", "none"}, {"--sample", "9"}}) {
    Process refused = tap(wrong);
    EXPECT_EQ(code_of(refused), 1);
    EXPECT_THAT(refused.output(), HasSubstr(" says 400: "));
  }
  for (const char* target : {"/tap?unmasked=yes", "/tap?outcome=all", "/tap?nothing=1"}) {
    EXPECT_EQ(get(admin_, target).status, 400) << target;
  }
  EXPECT_EQ(HttpClient(admin_).request("POST", "/tap", "").status, 405);
  EXPECT_EQ(HttpClient(admin_).request("GET", "/tap", "", {{"Origin", "http://evil"}}).status, 403);
}

TEST_F(Tap, ShowsValuesToWhoHasTheToken) {
  EXPECT_EQ(get(admin_, "/tap?unmasked=true").status, 401);
  Process without = tap({"--unmasked"});
  EXPECT_EQ(code_of(without), 1);
  EXPECT_THAT(without.output(), HasSubstr(" says 401: "));
  Process with = tap({"--unmasked", "--workspace", "default"}, ", token: t0ken");
  ASSERT_TRUE(shows(with, "\"rejected\"", "/v4/events/batch", "[" + good_ + "," + bad_ + "]"));
  EXPECT_THAT(with.output(), AllOf(HasSubstr(R"("params":{"phone":123456789,"gift":true})"),
                                   HasSubstr("private@example.com")));
}

// The reader is stopped; what it does not take is dropped, and ingest goes on as ever.
TEST_F(Tap, NeverHoldsIngestUp) {
  Process slow = tap({"--sample", "100%"});
  ASSERT_TRUE(shows(slow, "test.event", "/v4/events/batch", good_));
  slow.kill(SIGSTOP);
  HttpClient client(port_);
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(client.post("/v4/events/batch", events(1'000)).status, 202);
  }
  slow.kill(SIGCONT);
  EXPECT_TRUE(slow.says("{\"dropped\":"));
  EXPECT_GE(metric("events_accepted_total"), 5'000);
  slow.kill(SIGKILL);
  slow.wait();
  stop();
}

TEST_F(Tap, FewAreOpenAtOnceAndOneThatGoesMakesRoom) {
  std::vector<Process> taps;
  for (int i = 0; i < 4; ++i) {
    taps.push_back(tap({}));
    ASSERT_TRUE(shows(taps.back(), "test.event", "/v4/events/batch", good_));
  }
  Process late = tap({});
  EXPECT_EQ(code_of(late), 1);
  EXPECT_THAT(late.output(), HasSubstr(" says 503: "));
  taps.pop_back();
  EXPECT_TRUE(eventually([&] {
    late = tap({});
    const auto shown = [&] { return late.output().find("test.event") != std::string::npos; };
    return eventually([&] {
             EXPECT_EQ(post(port_, "/v4/events/batch", good_).status, 202);
             return shown() || late.ended();
           }) &&
           shown();
  })) << late.output();
}

TEST_F(Operations, TellsWhatTheProcessTakes) {
  const auto before = static_cast<double>(std::time(nullptr));
  start({});
  const std::string text = "\n" + get(admin_, "/metrics").body;
  const auto value = [&](const std::string& name) {
    const std::size_t at = text.find("\n" + name + " ");
    EXPECT_NE(at, text.npos) << name;
    return at == text.npos ? -1 : std::stod(text.substr(at + name.size() + 2));
  };
  // The time at which the machine began is known to the second.
  EXPECT_GE(value("process_start_time_seconds"), before - 2);
  EXPECT_LE(value("process_start_time_seconds"), static_cast<double>(std::time(nullptr)) + 2);
  EXPECT_GT(value("process_cpu_seconds_total"), 0);
  EXPECT_GT(value("process_resident_memory_bytes"), 1'000'000);
  EXPECT_GT(value("process_open_fds"), 3);
  EXPECT_GT(value("process_max_fds"), value("process_open_fds"));
  EXPECT_EQ(value("sluice_dead_letter_limit_bytes"), 1'073'741'824);
  stop();
}

TEST_F(Operations, AUnixSocketIsItsGroupsAndIsReplacedAfterAKill) {
  const std::string path = directory_ / "ingest.sock";
  configure({.ingest = "listen: \"unix:" + path + "\", threads: 2"});
  const auto serve = [&](const std::string& config) {
    return Process({"/bin/sh", "-c", R"(umask 077; exec "$0" serve --config "$1")", SLUICE_BINARY,
                    directory_ / config},
                   directory_ / ("log-" + std::to_string(++runs_)));
  };
  const auto accepts = [&] {
    return HttpClient(0, {.unix_path = path}).post("/v4/events/batch", events(1)).status == 202;
  };
  gateway_.emplace(serve("sluice.yaml"));
  ASSERT_TRUE(gateway_->says("ready admin")) << gateway_->output();
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_TRUE(S_ISSOCK(status.st_mode));
  EXPECT_EQ(status.st_mode & 07777U, 0660U) << "whatever the umask";
  EXPECT_TRUE(accepts());

  std::ifstream first(directory_ / "sluice.yaml");
  std::string other{std::istreambuf_iterator<char>(first), {}};
  other.replace(other.find(directory_ / "dlq"), std::string(directory_ / "dlq").size(),
                directory_ / "other");
  file("other.yaml", other);
  Process second = serve("other.yaml");
  EXPECT_EQ(second.wait(), 1);
  EXPECT_THAT(second.output(), HasSubstr("cannot listen on unix:" + path));
  EXPECT_TRUE(accepts()) << "the first one still has it";

  gateway_->kill(SIGKILL);
  gateway_->wait();
  ASSERT_TRUE(std::filesystem::exists(path)) << "as a kill leaves it";
  gateway_.emplace(serve("sluice.yaml"));
  ASSERT_TRUE(gateway_->says("ready admin")) << gateway_->output();
  EXPECT_TRUE(accepts());
  stop();
}

TEST_F(Operations, ReloadTakesOverProducersOnConnectionsThatStayOpen) {
  start({.producers = "{name: a, key: ka, workspace: default}"});
  HttpClient client(port_);
  EXPECT_EQ(send(client, "ka"), 202);
  EXPECT_EQ(send(client, "kb"), 401);
  configure({.producers = "{name: b, key: kb, workspace: default}, "
                          "{name: a, keys: [{key: ka2}, {key: ka}], workspace: default}"});
  const HttpAnswer answer = reload();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "{\"taken_over\":[\"ingest.producers\"],\"needs_restart\":[]}\n");
  ASSERT_TRUE(eventually([&] { return send(client, "kb") == 202; }));
  EXPECT_EQ(send(client, "ka"), 202);
  EXPECT_EQ(send(client, "ka2"), 202);
  configure({.producers = "{name: b, key: kb, workspace: default}"});
  gateway_->kill(SIGHUP);
  ASSERT_TRUE(eventually([&] { return send(client, "ka") == 401; }));
  EXPECT_EQ(send(client, "kb"), 202);
  EXPECT_EQ(metric("ingest_connections_total"), 1) << "one connection all the time";
  stop();
}

TEST_F(Operations, AProducerKeepsWhatItHasUsedOfItsRate) {
  const std::string limited = "{name: a, key: ka, rate_limit: 1/s, workspace: default}";
  start({.producers = limited});
  HttpClient client(port_);
  ASSERT_EQ(client.post("/v4/events/batch", events(1'000), {{"X-Api-Key", "ka"}}).status, 202);
  ASSERT_EQ(send(client, "ka"), 429) << "it has used up a quarter of an hour";
  configure({.producers = limited + ", {name: b, key: kb, workspace: default}"});
  ASSERT_EQ(reload().status, 200);
  ASSERT_TRUE(eventually([&] { return send(client, "kb") == 202; }));
  EXPECT_EQ(send(client, "ka"), 429);
  configure({.producers = "{name: a, key: ka, rate_limit: 5000/s, workspace: default}"});
  ASSERT_EQ(reload().status, 200);
  EXPECT_TRUE(eventually([&] { return send(client, "ka") == 202; }));
  stop();
}

TEST_F(Operations, ReloadTakesOverSourcesAndLimitsAndNamesWhatNeedsARestart) {
  const auto source = [](const std::string& name, const std::string& action) {
    return "sources:\n  - name: " + name +
           "\n    workspace: default\n    event:\n      action: {value: " + action +
           "}\n      label: {value: x}\n      client: {customId: {from: /who}}\n"
           "      params: {who: {from: /who}}\n";
  };
  start({.more = source("raw", "first.action")});
  HttpClient client(port_);
  EXPECT_EQ(client.post("/v1/events/raw", R"({"who":"w"})").status, 202);
  EXPECT_EQ(client.post("/v1/events/other", R"({"who":"w"})").status, 404);
  configure({.ingest = "listen: 127.0.0.1:0, threads: 1, max_body_bytes: 1KiB, "
                       "max_event_bytes: 512B",
             .more = source("other", "second.action") +
                     "delivery: {lanes: 3}\nlimits: {max_event_keys: 16}\n"});
  const HttpAnswer answer = reload();
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.body,
            "{\"taken_over\":[\"ingest.max_body_bytes\",\"ingest.max_event_bytes\",\"limits\","
            "\"sources\"],"
            "\"needs_restart\":[\"ingest.threads\",\"delivery\"]}\n");
  ASSERT_TRUE(
      eventually([&] { return client.post("/v1/events/other", R"({"who":"w"})").status == 202; }));
  EXPECT_EQ(client.post("/v1/events/raw", R"({"who":"w"})").status, 404);
  EXPECT_EQ(client.post("/v4/events/batch", events(100)).status, 413);
  EXPECT_EQ(metric("events_received_total", "source=\"raw\""), 1) << "what was counted stays";
  EXPECT_EQ(metric("events_received_total", "source=\"other\""), 1);
  EXPECT_THAT(gateway_->output(), HasSubstr("need a restart"));
  ASSERT_TRUE(eventually([&] { return metric("events_delivered_total") == 2; }));
  EXPECT_THAT(get(upstream_, "/sim/ledger").body,
              AllOf(HasSubstr("first.action"), HasSubstr("second.action")));
  stop();
}

TEST_F(Operations, ABadFileLeavesTheRunningConfigurationInPlaceAndSaysWhy) {
  start({.producers = "{name: a, key: ka, workspace: default}"});
  HttpClient client(port_);
  configure({.producers = "{name: a, key: kz, workspace: default}",
             .more = "delivery: {lanes: 0}\nnonsense: 1\n"});
  const HttpAnswer answer = reload();
  EXPECT_EQ(answer.status, 422);
  EXPECT_THAT(answer.body, AllOf(HasSubstr("\"mistakes\":["), HasSubstr("sluice.yaml:"),
                                 HasSubstr("lanes"), HasSubstr("nonsense")));
  EXPECT_EQ(post(admin_, "/reload", "{}").status, 401);
  configure({.ingest = "listen: 127.0.0.1:0, tls: {cert_file: /none, key_file: /none}"});
  EXPECT_EQ(reload().status, 422);
  EXPECT_EQ(send(client, "ka"), 202);
  stop();
}

// A body that is on its way when the producer and the source go is still taken.
TEST_F(Operations, ARequestUnderWayEndsByWhatItBeganWith) {
  const std::string source =
      "sources:\n  - name: raw\n    workspace: default\n    event:\n      action: {value: a.b}\n"
      "      label: {value: x}\n      client: {customId: {from: /who}}\n"
      "      params: {who: {from: /who}}\n";
  start({.producers = "{name: a, key: ka, workspace: default}", .more = source});
  HttpClient slow(port_);
  slow.send(
      "POST /v1/events/raw HTTP/1.1\r\nHost: x\r\nX-Api-Key: ka\r\nExpect: 100-continue\r\n"
      "Content-Length: 11\r\n\r\n");
  ASSERT_EQ(slow.read_answer().status, 100) << "the head has been looked at";
  configure({.producers = "{name: b, key: kb, workspace: default}"});
  ASSERT_EQ(reload().status, 200);
  HttpClient other(port_);
  ASSERT_TRUE(eventually([&] { return send(other, "ka") == 401; }));
  slow.send(R"({"who":"w"})");
  EXPECT_EQ(slow.read_answer().status, 202);
  EXPECT_EQ(send(slow, "ka"), 401);
  stop();
}

TEST_F(Operations, KeysInFilesAreTakenOverWhenTheyAreReplaced) {
  const std::string key_file = file("producer.key", "first\n");
  const std::string mount = directory_ / "mount";
  std::filesystem::create_directories(directory_ / "v1");
  std::filesystem::create_directories(directory_ / "v2");
  file("v1/api_key", "very-secret\n");
  file("v2/api_key", "other-secret\n");
  std::filesystem::create_directory_symlink(directory_ / "v1", mount);
  start({.producers = "{name: a, key_file: " + key_file + ", workspace: default}",
         .workspace = "auth: {method: basic, workspace_guid: 01890a5d-ac96-774b-bcce-b302099a8057, "
                      "api_key_file: " +
                      mount + "/api_key}",
         .more = "delivery: {backoff: {initial: 5ms, max: 50ms}}\n"});
  HttpClient client(port_);
  EXPECT_EQ(send(client, "first"), 202);
  file("producer.key", "");
  EXPECT_TRUE(gateway_->says("cannot be used"));
  EXPECT_EQ(send(client, "first"), 202) << "an empty key is no key";
  file("producer.key", "second\n");
  ASSERT_TRUE(eventually([&] { return send(client, "second") == 202; }));
  EXPECT_EQ(send(client, "first"), 401);
  // As Kubernetes rotates a secret: the link points elsewhere, at once.
  std::filesystem::create_directory_symlink(directory_ / "v2", mount + ".new");
  std::filesystem::rename(mount + ".new", mount);
  const auto refused = [&] { return metric("delivery_requests_total", "\"unauthorised\""); };
  EXPECT_EQ(refused(), 0);
  EXPECT_TRUE(eventually([&] {
    EXPECT_EQ(send(client, "second"), 202);
    return refused() > 0;
  })) << "the upstream does not know the other key";
  std::filesystem::create_directory_symlink(directory_ / "v1", mount + ".new");
  std::filesystem::rename(mount + ".new", mount);
  EXPECT_TRUE(eventually([&] { return metric("buffer_events") == 0; }));
  EXPECT_THAT(gateway_->output(), Not(AnyOf(HasSubstr("second"), HasSubstr("other-secret"))));
  stop();
}

// An editor, a shell or a secret store adds blanks, line ends and a byte order mark: at the start,
// and when the file is replaced.
TEST_F(Operations, AKeyIsTheSameHoweverItsFileIsPadded) {
  const std::string key_file = file("producer.key", "\xEF\xBB\xBF first \r\n");
  const std::string api_key = file("api_key", "\xEF\xBB\xBF\n very-secret\t\n");
  start({.producers = "{name: a, key_file: " + key_file + ", workspace: default}",
         .workspace = "auth: {method: basic, workspace_guid: 01890a5d-ac96-774b-bcce-b302099a8057, "
                      "api_key_file: " +
                      api_key + "}"});
  HttpClient client(port_);
  EXPECT_EQ(send(client, "first"), 202);
  EXPECT_TRUE(eventually([&] { return metric("events_delivered_total") == 1; }));
  EXPECT_EQ(metric("delivery_requests_total", "\"unauthorised\""), 0);
  file("producer.key", "\xEF\xBB\xBF\tsecond \n");
  ASSERT_TRUE(eventually([&] { return send(client, "second") == 202; }));
  EXPECT_EQ(send(client, "first"), 401);
  stop();
}

// Between reading a key and noting which file it was in, at the start and at a reload.
TEST_F(Operations, AKeyThatIsReplacedWhileItIsReadIsTakenOver) {
  const std::string key_file = file("producer.key", "first\n");
  configure({.producers = "{name: a, key_file: " + key_file + ", workspace: default}"});
  const auto read_and_replace = [&](const std::string& next) {
    auto config = config::load(directory_ / "sluice.yaml", config::process_environment()).value();
    file("producer.key", next + "\n");
    return config;
  };
  auto gateway =
      runtime::start_gateway(read_and_replace("second"), system_clock(),
                             {.load = [&] { return read_and_replace("third"); }, .quit = [] {}});
  ASSERT_TRUE(gateway);
  HttpClient client(std::get<config::TcpAddress>((*gateway)->ingest_addresses().front()).port);
  EXPECT_TRUE(eventually([&] { return send(client, "second") == 202; }));
  (*gateway)->reload();
  EXPECT_TRUE(eventually([&] { return send(client, "third") == 202; }));
  static_cast<void>((*gateway)->stop());
}

TEST_F(Operations, ANewCertificateIsForNewConnections) {
  const TestPki pki;
  const TestPki other;
  const config::ServerTls first = pki.issue("server", {.alternative_names = "DNS:localhost"});
  const config::ServerTls second = other.issue("server", {.alternative_names = "DNS:localhost"});
  start({.ingest = "listen: 127.0.0.1:0, tls: {cert_file: " + first.cert_file +
                   ", key_file: " + first.key_file + "}"});
  HttpClient open(port_, {.ca_file = pki.ca_file()});
  EXPECT_EQ(open.post("/v4/events/batch", events(1)).status, 202);
  std::filesystem::rename(second.cert_file, first.cert_file);
  std::filesystem::rename(second.key_file, first.key_file);
  const auto answers_with = [&](const TestPki& trusted) {
    try {
      HttpClient client(port_, {.ca_file = trusted.ca_file()});
      return client.post("/v4/events/batch", events(1)).status == 202;
    } catch (const std::exception&) {
      return false;
    }
  };
  EXPECT_TRUE(eventually([&] { return answers_with(other); }));
  EXPECT_FALSE(answers_with(pki));
  EXPECT_EQ(open.post("/v4/events/batch", events(1)).status, 202) << "it stays";
  stop();
}

TEST_F(Operations, TheStatusOfTheCertificateIsStapledAndTakenOverWhenItIsReplaced) {
  const TestPki pki;
  const config::ServerTls server = pki.issue("server", {.alternative_names = "DNS:localhost"});
  const auto contents = [](const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const std::string first = contents(pki.vouch(server));
  const std::string second = contents(pki.vouch(server, 7'200));
  ASSERT_NE(first, second);
  const std::string status_file = file("server.ocsp", first);
  const std::string ingest = "listen: 127.0.0.1:0, tls: {cert_file: " + server.cert_file +
                             ", key_file: " + server.key_file +
                             ", ocsp_response_file: " + status_file + "}";
  start({.ingest = ingest});
  const auto stapled = [&](bool asks) {
    HttpClient client(port_, {.ca_file = pki.ca_file(), .asks_for_status = asks});
    EXPECT_EQ(client.post("/v4/events/batch", events(1)).status, 202);
    return client.stapled();
  };
  EXPECT_EQ(stapled(true), first);
  EXPECT_EQ(stapled(false), "");
  file("server.ocsp", "no response");
  EXPECT_TRUE(gateway_->says("cannot be used"));
  EXPECT_EQ(stapled(true), first) << "what was read before stays";
  const HttpAnswer answer = reload();
  EXPECT_NE(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr("holds no OCSP response"));
  EXPECT_EQ(stapled(true), first);
  file("server.ocsp", second);
  EXPECT_TRUE(eventually([&] { return stapled(true) == second; }));
  stop();
}

TEST_F(Operations, ANewClientAuthorityIsForNewConnectionsAndNewNamesForAll) {
  const TestPki pki;
  const TestPki first;
  const TestPki second;
  const config::ServerTls server = pki.issue("server", {.alternative_names = "DNS:localhost"});
  const std::string ca_file = directory_ / "clients.pem";
  std::filesystem::copy_file(first.ca_file(), ca_file);
  const std::string ingest = "listen: 127.0.0.1:0, tls: {cert_file: " + server.cert_file +
                             ", key_file: " + server.key_file + ", client_ca_file: " + ca_file +
                             "}";
  start({.ingest = ingest, .producers = "{name: a, certificates: [a.test], workspace: default}"});
  const auto client_of = [&](const TestPki& authority, const HttpClient* resumes = nullptr) {
    const config::ServerTls files = authority.issue("a", {.alternative_names = "DNS:a.test"});
    return HttpClient::Options{.ca_file = pki.ca_file(),
                               .cert_file = files.cert_file,
                               .key_file = files.key_file,
                               .resumes = resumes};
  };
  const auto answer_to = [&](const HttpClient::Options& options) -> unsigned {
    try {
      return HttpClient(port_, options).post("/v4/events/batch", events(1)).status;
    } catch (const std::exception&) {
      return 0;
    }
  };
  HttpClient open(port_, client_of(first));
  EXPECT_EQ(open.post("/v4/events/batch", events(1)).status, 202);
  EXPECT_EQ(answer_to(client_of(second)), 0);
  std::filesystem::copy_file(second.ca_file(), ca_file + ".new");
  std::filesystem::rename(ca_file + ".new", ca_file);
  EXPECT_TRUE(eventually([&] { return answer_to(client_of(second)) == 202; }));
  EXPECT_EQ(answer_to(client_of(first)), 0);
  EXPECT_EQ(answer_to(client_of(first, &open)), 0) << "no session lives on";
  EXPECT_EQ(open.post("/v4/events/batch", events(1)).status, 202) << "it stays";
  configure(
      {.ingest = ingest, .producers = "{name: a, certificates: [b.test], workspace: default}"});
  ASSERT_EQ(reload().status, 200);
  EXPECT_TRUE(eventually([&] { return open.post("/v4/events/batch", events(1)).status == 403; }));
  stop();
}

}  // namespace
}  // namespace sluice::test
