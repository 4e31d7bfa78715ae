// Goal: what has gone wrong in the field with gateways and shippers of other makers does not go
// wrong here. Each test is named for the failure.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <sluice/base/rng.hpp>

#include "gateway_process.hpp"
#include "running_gateway.hpp"
#include "small_disk.hpp"

namespace sluice::test {
namespace {

using testing::HasSubstr;

std::string incompressible_text(std::size_t size) {
  static Rng rng(1);
  constexpr std::string_view letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text(size, '\0');
  for (char& letter : text) {
    letter = letters[rng.below(letters.size())];
  }
  return text;
}

class FieldFailure : public testing::Test {
 protected:
  FieldFailure() {
    if (!upstream_.start()) {
      throw std::runtime_error("the simulator did not start");
    }
  }
  GatewayProcess::Options options(const std::string& more = "") {
    return {.base_url = upstream_.base_url(),
            .more =
                "delivery: {timeout: 300ms, backoff: {initial: 5ms, max: 50ms}}\n"
                "drain_timeout: 200ms\n" +
                more};
  }
  GatewayProcess::Options options_on(const SmallDisk& disk) {
    GatewayProcess::Options small = options();
    small.buffer_path = disk / "buffer";
    return small;
  }
  [[nodiscard]] bool stored(std::uint64_t unique) const {
    return eventually([&] { return upstream_.ledger().summary().unique == unique; },
                      std::chrono::seconds(100));
  }
  // What was acknowledged has arrived, and nothing else, and all of it is accounted for.
  void expect_all(const GatewayProcess& gateway, std::uint64_t acknowledged) const {
    EXPECT_TRUE(stored(acknowledged)) << upstream_.ledger().summary().unique;
    EXPECT_TRUE(eventually([&] { return gateway.metric("buffer_events") == 0; },
                           std::chrono::seconds(240)));
    EXPECT_EQ(gateway.unaccounted(), 0);
  }

  simulator::Simulator upstream_{{}};
};

TEST_F(FieldFailure, ABufferThatIsFullWhileTheDestinationIsDownThenSigterm) {
  ASSERT_TRUE(upstream_.set_faults("status=503"));
  GatewayProcess::Options small = options();
  small.buffer_more = ", max_bytes: 2MiB";
  GatewayProcess gateway(small);
  gateway.start();
  std::uint64_t acknowledged = 0;
  HttpAnswer answer;
  while ((answer = gateway.post(events(500))).status == 202) {
    acknowledged += 500;
  }
  EXPECT_EQ(answer.status, 503);
  EXPECT_TRUE(answer.headers.contains("retry-after"));
  EXPECT_GT(acknowledged, 500);
  EXPECT_EQ(gateway.get_admin("/readyz").status, 503);
  EXPECT_EQ(gateway.stop(), 0) << "what is left is on disk: " << gateway.log();
  EXPECT_THAT(gateway.log(), HasSubstr("stays on disk"));

  ASSERT_TRUE(upstream_.set_faults("[]"));
  gateway.start();
  expect_all(gateway, acknowledged);
  EXPECT_TRUE(eventually([&] { return gateway.get_admin("/readyz").status == 200; }))
      << "health recovers";
}

TEST_F(FieldFailure, ARestartDuringAnOutageWaitsForNothingThatIsOnDisk) {
  ASSERT_TRUE(upstream_.set_faults("status=503"));
  GatewayProcess gateway({.base_url = upstream_.base_url(), .more = "drain_timeout: 1h\n"});
  gateway.start();
  ASSERT_EQ(gateway.post(events(50)).status, 202);
  ASSERT_EQ(gateway.post(events(50), {{"Prefer", "sluice-ack=memory"}}).status, 202);
  EXPECT_EQ(gateway.stop(), 0) << "and not after an hour: " << gateway.log();
  EXPECT_THAT(gateway.log(), HasSubstr("stays on disk"));
  ASSERT_TRUE(upstream_.set_faults("[]"));
  gateway.start();
  expect_all(gateway, 100);
}

TEST_F(FieldFailure, AnOutageCostsAProducerItsShareForEver) {
  ASSERT_TRUE(upstream_.set_faults("status=503"));
  GatewayProcess::Options shared = options();
  shared.ingest_more =
      ", producers: [{name: greedy, key: kg, workspace: default}, {name: modest, key: km, "
      "workspace: default}]";
  // So many that the share of the one in memory is much less than that on disk.
  shared.buffer_more = ", max_bytes: 256MiB";
  for (int i = 1; i < 64; ++i) {
    shared.workspaces_more += "  - {name: w" + std::to_string(i) +
                              ", base_url: " + upstream_.base_url() +
                              ", auth: {method: jwt, api_key: k}}\n";
  }
  GatewayProcess gateway(shared);
  gateway.start();
  const std::string body = events(200);
  const auto fill = [&] {
    std::uint64_t accepted = 0;
    while (gateway.post(body, {{"X-Api-Key", "kg"}}).status == 202) {
      accepted += 200;
    }
    return accepted;
  };
  const std::uint64_t share = fill();
  EXPECT_GT(gateway.metric("buffer_bytes"), 1.5e6) << "most of it cannot be in memory any more";
  EXPECT_EQ(gateway.post(body, {{"X-Api-Key", "km"}}).status, 202) << "the other one has its own";
  ASSERT_TRUE(upstream_.set_faults("[]"));
  ASSERT_TRUE(eventually([&] { return gateway.metric("buffer_events") == 0; }));
  ASSERT_TRUE(upstream_.set_faults("status=503"));
  EXPECT_EQ(fill(), share);
}

TEST_F(FieldFailure, TheLastEventIsStuckUntilTheNextOneArrives) {
  GatewayProcess gateway(options("batch: {linger: 20ms}\n"));
  gateway.start();
  ASSERT_EQ(gateway.post("[" + event("a") + "]").status, 202);
  EXPECT_TRUE(stored(1));
  EXPECT_TRUE(
      eventually([&] { return gateway.metric("buffer_events") == 0; }, std::chrono::seconds(240)));
  ASSERT_EQ(gateway.post("[" + event("b") + "]").status, 202);
  EXPECT_TRUE(stored(2));
}

// The first request's answer cannot be written while the second one's event is on its way to the
// disk.
TEST_F(FieldFailure, AClientIsGoneBeforeItsAnswers) {
  GatewayProcess gateway(options());
  gateway.start();
  const auto request = [](std::string_view body) {
    return "POST /v4/events/batch HTTP/1.1\r\nHost: x\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
  };
  constexpr int clients = 300;
  for (int i = 0; i < clients; ++i) {
    HttpClient(0, {.unix_path = gateway.ingest()})
        .send(request("!") + request("[" + event("gone") + "]"));
  }
  EXPECT_TRUE(eventually([&] {
    return gateway.metric("ingest_connections_total") == clients &&
           gateway.metric("ingest_connections") == 0 && gateway.metric("buffer_events") == 0;
  })) << gateway.log();
  EXPECT_GT(gateway.metric("events_accepted_total"), 0);
  EXPECT_EQ(gateway.metric("events_accepted_total"),
            static_cast<double>(upstream_.ledger().summary().unique));
  EXPECT_EQ(gateway.unaccounted(), 0);
}

TEST_F(FieldFailure, A401DropsTheBatch) {
  ASSERT_TRUE(upstream_.set_faults("revoke"));
  GatewayProcess gateway(options());
  gateway.start();
  ASSERT_EQ(gateway.post(events(300)).status, 202);
  ASSERT_TRUE(eventually([&] { return gateway.metric("workspace_parked") == 1; }));
  gateway.kill();
  gateway.start();
  ASSERT_TRUE(upstream_.set_faults("[]"));
  expect_all(gateway, 300);
}

TEST_F(FieldFailure, OneRejectedTenantStarvesAnother) {
  simulator::Simulator refusing({});
  ASSERT_TRUE(refusing.start());
  ASSERT_TRUE(refusing.set_faults("revoke"));
  GatewayProcess::Options two = options(
      "sources:\n  - {name: other, workspace: other, event: {type: hit-timer, client: {customId: "
      "{from: /id, type: string}}}}\n");
  two.workspaces_more = "  - name: other\n    base_url: " + refusing.base_url() +
                        "\n    auth: {method: jwt, api_key: k}\n";
  GatewayProcess gateway(two);
  gateway.start();
  HttpClient producer(0, {.unix_path = gateway.ingest()});
  ASSERT_EQ(producer.post("/v1/events/other", R"([{"id":"a"},{"id":"b"}])").status, 202);
  ASSERT_TRUE(
      eventually([&] { return gateway.metric("workspace_parked", R"(workspace="other")") == 1; }));
  ASSERT_EQ(gateway.post(events(200)).status, 202);
  EXPECT_TRUE(stored(200));
  EXPECT_EQ(gateway.metric("buffer_events", R"(workspace="other")"), 2);
}

TEST_F(FieldFailure, AWholeBatchIsLostForOneOversizedEvent) {
  ASSERT_TRUE(
      upstream_.set_faults(R"([{"action":"poison","pointer":"/params/sku","equals":"HUGE"}])"));
  GatewayProcess gateway(options("batch: {linger: 50ms}\n"));
  gateway.start();
  const std::string huge = R"({"sku":"HUGE","text":")" + std::string(200'000, 'x') + "\"}";
  std::string body = events(400);
  body.replace(body.size() - 1, 1, "," + event("big", huge) + "," + event("after") + "]");
  ASSERT_EQ(gateway.post(body).status, 202);
  expect_all(gateway, 401);
  EXPECT_EQ(gateway.metric("events_dead_lettered_total"), 1);
}

TEST_F(FieldFailure, EverythingIsReplayedAtOnceAfterAnOutage) {
  ASSERT_TRUE(upstream_.set_faults("status=503"));
  GatewayProcess gateway(options());
  gateway.start();
  for (int i = 0; i < 40; ++i) {
    ASSERT_EQ(gateway.post(events(500)).status, 202);
  }
  ASSERT_TRUE(eventually([&] { return gateway.metric("circuit_state") == 2; }));
  ASSERT_TRUE(upstream_.set_faults(R"([{"action":"latency","latency_ms":30}])"));
  upstream_.reset();
  expect_all(gateway, 20'000);
  EXPECT_LE(upstream_.stats().in_flight_max, 16U) << "delivery.max_in_flight";
}

TEST_F(FieldFailure, TheProducerTimesOutAndSendsAgainAcrossARestart) {
  ASSERT_TRUE(upstream_.set_faults("status=503"));
  GatewayProcess gateway(options());
  gateway.start();
  const Headers keyed{{"Idempotency-Key", "order-1"}};
  const HttpAnswer first = gateway.post(events(50), keyed);
  ASSERT_EQ(first.status, 202);
  gateway.kill();
  gateway.start();
  EXPECT_EQ(gateway.post(events(50), keyed).body, first.body) << "the same answer";
  ASSERT_TRUE(upstream_.set_faults("[]"));
  expect_all(gateway, 50);
  EXPECT_EQ(gateway.metric("events_duplicate_total"), 50);
}

TEST_F(FieldFailure, TheKeyOfARequestThatHadNothingNewIsKnownAfterARestart) {
  GatewayProcess gateway(options());
  gateway.start();
  const auto event = [](std::string_view customer) {
    return R"({"type":"custom","action":"a.b","eventSalt":"s","client":{"customId":")" +
           std::string(customer) + R"("},"time":"2020-01-01T00:00:00Z","params":{}})";
  };
  const Headers keyed{{"Idempotency-Key", "K"}};
  ASSERT_EQ(gateway.post(event("1")).status, 202);
  const HttpAnswer first = gateway.post(event("1"), keyed);
  EXPECT_THAT(first.body, HasSubstr(R"("accepted":0,"rejected":0,"duplicates":1)"));
  EXPECT_FALSE(first.headers.contains("idempotency-replayed"));
  gateway.kill();
  gateway.start();
  EXPECT_EQ(gateway.post(event("2"), keyed).status, 422) << "another request came first with it";
  const HttpAnswer again = gateway.post(event("1"), keyed);
  EXPECT_EQ(again.body, first.body);
  EXPECT_TRUE(again.headers.contains("idempotency-replayed"));
  gateway.kill();
  gateway.start();
  EXPECT_EQ(gateway.post(event("2"), keyed).status, 422) << "nor does a replay change that";
  expect_all(gateway, 1);
}

// Shops send an order again, under its salt, when its status changes.
TEST_F(FieldFailure, AChangedOrderIsTakenForARetryAndDropped) {
  const auto order = [](std::string_view status) {
    return R"({"type":"custom","action":"order.status","eventSalt":"order-1",)"
           R"("client":{"customId":"c"},"time":"2020-01-01T00:00:00Z","params":{"status":")" +
           std::string(status) + "\"}}";
  };
  ASSERT_TRUE(upstream_.set_faults("status=503"));
  GatewayProcess gateway(options());
  gateway.start();
  EXPECT_THAT(gateway.post("[" + order("new") + "," + order("paid") + "]").body,
              HasSubstr(R"("accepted":2)"));
  EXPECT_THAT(gateway.post(order("packed")).body, HasSubstr(R"("accepted":1)"));
  gateway.kill();
  gateway.start();
  EXPECT_THAT(gateway.post(order("packed")).body, HasSubstr(R"("accepted":0)"));
  EXPECT_THAT(gateway.post(order("sent")).body, HasSubstr(R"("accepted":1)"));
  EXPECT_EQ(gateway.metric("events_overwriting_total"), 1);
  ASSERT_TRUE(upstream_.set_faults(R"([{"action":"reset_after","count":3}])"));
  expect_all(gateway, 1);
  const auto stored = upstream_.ledger().entries({.salt = "order-1"});
  ASSERT_EQ(stored.size(), 1);
  EXPECT_THAT(stored[0].body, HasSubstr(R"("status":"sent")"));
  EXPECT_GE(stored[0].overwrites, 3);
  EXPECT_THAT(gateway.post(order("packed")).body, HasSubstr(R"("accepted":1)"));
  EXPECT_TRUE(eventually([&] {
    return upstream_.ledger().entries({.salt = "order-1"}).at(0).body.contains("packed");
  })) << "it goes back";
}

TEST_F(FieldFailure, ASecondProcessOpensTheSameBuffer) {
  GatewayProcess gateway(options());
  gateway.start();
  GatewayProcess::Options same = options();
  same.buffer_path = gateway.directory() / "buffer";
  GatewayProcess second(same);
  EXPECT_ANY_THROW(second.start());
  EXPECT_EQ(second.process().wait(), 1);
  EXPECT_THAT(second.log(), HasSubstr("another process"));
  EXPECT_EQ(gateway.post(events(10)).status, 202);
}

TEST_F(FieldFailure, TheDiskIsFull) {
  const TemporaryDirectory folder;
  SmallDisk disk(folder / "disk");
  if (!disk.mounted()) {
    GTEST_SKIP() << "mounting a small file system takes root";
  }
  ASSERT_TRUE(upstream_.set_faults("status=503"));
  GatewayProcess gateway(options_on(disk));
  gateway.start();
  std::string body = "[";
  for (int i = 0; i < 20; ++i) {
    body += (i > 0 ? "," : "") + event("c", R"({"text":")" + incompressible_text(10'000) + "\"}");
  }
  body += "]";
  ASSERT_EQ(gateway.post(body).status, 202);
  disk.fill();
  std::uint64_t acknowledged = 20;
  ASSERT_TRUE(eventually([&] {
    const unsigned status = gateway.post(body).status;
    acknowledged += status == 202 ? 20 : 0;
    return status == 503;
  }));
  EXPECT_TRUE(eventually([&] { return gateway.get_admin("/readyz").status == 503; }));
  EXPECT_THAT(gateway.get_admin("/readyz").body, HasSubstr("full"));
  disk.empty();
  ASSERT_TRUE(eventually([&] {
    const unsigned status = gateway.post(body).status;
    acknowledged += status == 202 ? 20 : 0;
    return status == 202;
  })) << "it recovers by itself: "
      << gateway.get_admin("/status").body << gateway.log();
  EXPECT_TRUE(eventually([&] { return gateway.get_admin("/readyz").status == 200; }));
  ASSERT_TRUE(upstream_.set_faults("[]"));
  expect_all(gateway, acknowledged);
}

TEST_F(FieldFailure, TheDiskIsFullAndThenGoneUntilTheEnd) {
  const TemporaryDirectory folder;
  SmallDisk disk(folder / "disk");
  if (!disk.mounted()) {
    GTEST_SKIP() << "mounting a small file system takes root";
  }
  ASSERT_TRUE(upstream_.set_faults("status=503"));
  GatewayProcess gateway(options_on(disk));
  gateway.start();
  const std::string body =
      "[" + event("c", R"({"text":")" + incompressible_text(90'000) + "\"}") + "]";
  disk.fill();
  // The last one that is acknowledged finds no room.
  ASSERT_TRUE(eventually(
      [&] { return gateway.post(body, {{"Prefer", "sluice-ack=memory"}}).status == 503; }));
  // It would find room in what is kept for that: not any more.
  std::filesystem::rename(disk / "buffer/db", disk / "buffer/gone");
  std::ofstream(disk / "buffer/db") << "";
  EXPECT_EQ(gateway.stop(), 75) << gateway.log();
  EXPECT_THAT(gateway.log(), HasSubstr("are lost, as they are on no disk"));
}

TEST_F(FieldFailure, TheDiskIsReadOnly) {
  const TemporaryDirectory folder;
  SmallDisk disk(folder / "disk");
  if (!disk.mounted()) {
    GTEST_SKIP() << "mounting a small file system takes root";
  }
  ASSERT_TRUE(upstream_.set_faults("status=503"));
  GatewayProcess gateway(options_on(disk));
  gateway.start();
  ASSERT_EQ(gateway.post(events(500)).status, 202);
  EXPECT_EQ(gateway.stop(), 0);
  ASSERT_TRUE(disk.make_read_only(true));
  EXPECT_ANY_THROW(gateway.start());
  EXPECT_EQ(gateway.process().wait(), 1);
  EXPECT_THAT(gateway.log(), HasSubstr(disk / "buffer"));
  ASSERT_TRUE(disk.make_read_only(false));
  ASSERT_TRUE(upstream_.set_faults("[]"));
  gateway.start();
  expect_all(gateway, 500);
}

TEST_F(FieldFailure, ACorruptSegmentAtStart) {
  ASSERT_TRUE(upstream_.set_faults("status=503"));
  GatewayProcess gateway(options());
  gateway.start();
  for (int i = 0; i < 40; ++i) {
    ASSERT_EQ(gateway.post(events(500)).status, 202);
  }
  gateway.kill();
  std::filesystem::path largest;
  std::uintmax_t size = 0;
  for (const auto& file : std::filesystem::directory_iterator(gateway.directory() / "buffer/db")) {
    if (file.is_regular_file() && file.file_size() > size) {
      largest = file.path();
      size = file.file_size();
    }
  }
  std::fstream segment(largest, std::ios::in | std::ios::out | std::ios::binary);
  segment.seekp(static_cast<std::streamoff>(size / 2));
  segment << std::string(300, '!');
  segment.close();

  gateway.start();
  EXPECT_EQ(gateway.post(events(10)).status, 202) << "it serves";
  ASSERT_TRUE(upstream_.set_faults("[]"));
  EXPECT_TRUE(
      eventually([&] { return gateway.metric("buffer_events") == 0; }, std::chrono::seconds(240)));
  EXPECT_EQ(gateway.unaccounted(), 0);
  const double lost = gateway.metric("buffer_events_lost_total");
  EXPECT_GT(lost, 0);
  EXPECT_LT(lost, 5'000) << "only what was hit";
  EXPECT_TRUE(stored(20'010 - static_cast<std::uint64_t>(lost)));
}

TEST_F(FieldFailure, TheOutOfDescriptorsProcessNeverRecovers) {
  GatewayProcess gateway(options());
  gateway.start();
  const std::string descriptors = "/proc/" + std::to_string(gateway.process().pid()) + "/fd";
  const auto open_now = static_cast<std::size_t>(std::ranges::distance(
      std::filesystem::directory_iterator(descriptors), std::filesystem::directory_iterator()));
  const rlimit few{.rlim_cur = open_now + 4, .rlim_max = 4'096};
  ASSERT_EQ(::prlimit(gateway.process().pid(), RLIMIT_NOFILE, &few, nullptr), 0);
  std::uint64_t acknowledged = 0;
  {
    std::vector<std::unique_ptr<HttpClient>> idle;
    for (int i = 0; i < 12; ++i) {
      idle.push_back(
          std::make_unique<HttpClient>(0, HttpClient::Options{.unix_path = gateway.ingest()}));
    }
    acknowledged += idle.front()->post("/v4/events/batch", events(10)).status == 202 ? 10 : 0;
  }
  const rlimit enough{.rlim_cur = 4'096, .rlim_max = 4'096};
  ASSERT_EQ(::prlimit(gateway.process().pid(), RLIMIT_NOFILE, &enough, nullptr), 0);
  ASSERT_TRUE(eventually([&] {
    const unsigned status = gateway.post(events(10)).status;
    acknowledged += status == 202 ? 10 : 0;
    return status == 202;
  })) << gateway.log();
  expect_all(gateway, acknowledged);
}

// A store with a backlog of 20,000 events, as a process that was killed has left it.
class KilledStore : public FieldFailure {
 protected:
  void leave_backlog(GatewayProcess& gateway) {
    ASSERT_TRUE(upstream_.set_faults("status=503"));
    gateway.start();
    for (int i = 0; i < 40; ++i) {
      ASSERT_EQ(gateway.post(events(500)).status, 202);
    }
    gateway.kill();
    files_ = gateway.directory() / "buffer/db";
  }
  [[nodiscard]] std::filesystem::path newest(std::string_view kind) const {
    std::filesystem::path newest;
    for (const auto& file : std::filesystem::directory_iterator(files_)) {
      if (file.path().filename().string().find(kind) != std::string::npos) {
        newest = std::max(newest, file.path());
      }
    }
    return newest;
  }
  static void flip(const std::filesystem::path& path) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(20);
    const char byte = static_cast<char>(file.get());
    file.seekp(20);
    file.put(static_cast<char>(byte ^ 1));
  }
  // The exit code of one of the tools.
  static int run_tool(const GatewayProcess& gateway, const std::string& tool) {
    return Process({SLUICE_BINARY, "buffer", tool, "--config", gateway.config_file()},
                   gateway.directory() / tool)
        .wait();
  }
  // All that is not delivered is counted.
  void expect_lost(GatewayProcess& gateway, std::uint64_t lost_min, std::uint64_t lost_max) {
    gateway.start();
    EXPECT_EQ(gateway.post(events(10)).status, 202) << "it serves";
    ASSERT_TRUE(upstream_.set_faults("[]"));
    EXPECT_TRUE(eventually([&] { return gateway.metric("buffer_events") == 0; },
                           std::chrono::seconds(240)));
    EXPECT_EQ(gateway.unaccounted(), 0);
    const auto lost = static_cast<std::uint64_t>(gateway.metric("buffer_events_lost_total"));
    EXPECT_GE(lost, lost_min);
    EXPECT_LE(lost, lost_max);
    EXPECT_TRUE(stored(20'010 - lost)) << lost;
  }

 private:
  std::string files_;
};

TEST_F(KilledStore, ALogBlockThatIsThereTwice) {
  GatewayProcess gateway(options());
  leave_backlog(gateway);
  const auto log = newest(".log");
  std::ifstream file(log, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  constexpr std::size_t block = 32'768;
  ASSERT_GT(bytes.size(), 4 * block);
  bytes.insert(2 * block, bytes.substr(2 * block, block));
  std::ofstream(log, std::ios::binary) << bytes;
  EXPECT_EQ(run_tool(gateway, "stat"), 0);
  EXPECT_EQ(run_tool(gateway, "verify"), 1) << "it is not sound";
  EXPECT_EQ(run_tool(gateway, "export"), 1);
  expect_lost(gateway, 0, 0);
  EXPECT_THAT(gateway.log(), HasSubstr("was built anew"));
  EXPECT_EQ(gateway.metric("buffer_repairs_total"), 1);
}

TEST_F(KilledStore, AfterAnAssertionAllOfItIsTriedAndNothingLost) {
  GatewayProcess gateway(options());
  leave_backlog(gateway);
  gateway.start();
  const std::string mark = gateway.directory() / "buffer/OPENING";
  EXPECT_FALSE(std::filesystem::exists(mark));
  gateway.process().kill(SIGABRT);
  EXPECT_EQ(gateway.process().wait(), 128 + SIGABRT);
  EXPECT_TRUE(std::filesystem::exists(mark));
  expect_lost(gateway, 0, 0);
  EXPECT_FALSE(std::filesystem::exists(mark));
  EXPECT_EQ(gateway.metric("buffer_repairs_total"), 0);
}

TEST_F(KilledStore, CanBeRepairedByHand) {
  GatewayProcess gateway(options());
  leave_backlog(gateway);
  std::filesystem::remove(newest("CURRENT"));
  EXPECT_EQ(run_tool(gateway, "repair"), 0);
  EXPECT_EQ(run_tool(gateway, "verify"), 0);
  expect_lost(gateway, 0, 0);
  EXPECT_EQ(gateway.metric("buffer_repairs_total"), 0);
}

TEST_F(KilledStore, TheNewestLogIsGone) {
  GatewayProcess gateway(options());
  leave_backlog(gateway);
  std::filesystem::remove(newest(".log"));
  expect_lost(gateway, 20'000, 20'000);
  EXPECT_THAT(gateway.log(), HasSubstr("end before the last acknowledged events"));
}

TEST_F(KilledStore, TheNewestLogIsCut) {
  GatewayProcess gateway(options());
  leave_backlog(gateway);
  const auto log = newest(".log");
  std::filesystem::resize_file(log, std::filesystem::file_size(log) / 2);
  expect_lost(gateway, 9'000, 11'000);
}

TEST_F(KilledStore, LittleOfItIsLeft) {
  GatewayProcess gateway(options());
  leave_backlog(gateway);
  flip(newest("MANIFEST"));
  flip(gateway.directory() / "buffer/FORMAT");
  std::filesystem::remove(newest(".log"));
  std::filesystem::remove(newest("CURRENT"));
  expect_lost(gateway, 20'000, 20'000);
}

TEST_F(KilledStore, FoldersStandWhereFilesWere) {
  GatewayProcess gateway(options());
  leave_backlog(gateway);
  for (const std::string& file : {newest("CURRENT").string(), newest("MANIFEST").string(),
                                  std::string(gateway.directory() / "buffer/FORMAT"),
                                  std::string(gateway.directory() / "buffer/LOCK")}) {
    std::filesystem::remove(file);
    std::filesystem::create_directories(file + "/something");
  }
  expect_lost(gateway, 0, 0);
}

// A symbolic link to a file of which no byte can be read stands for a bad sector.
TEST_F(KilledStore, TheDeviceRefusesToReadTheManifest) {
  GatewayProcess gateway(options());
  leave_backlog(gateway);
  const auto manifest = newest("MANIFEST");
  std::filesystem::remove(manifest);
  std::filesystem::create_symlink("/proc/self/mem", manifest);
  EXPECT_EQ(run_tool(gateway, "export"), 1) << "not sound, but all is there";
  std::ifstream exported(gateway.directory() / "export");
  EXPECT_GE(std::ranges::distance(std::istreambuf_iterator<char>(exported),
                                  std::istreambuf_iterator<char>()),
            20'000);
  expect_lost(gateway, 0, 0);
}

}  // namespace
}  // namespace sluice::test
