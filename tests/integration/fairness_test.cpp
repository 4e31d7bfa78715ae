// Goal: nobody is starved or stalled: not by connections that nobody uses, not by one producer's
// bodies, not by a log that nobody reads.
#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/base/rng.hpp>

#include "deflate.hpp"
#include "gateway_process.hpp"
#include "running_gateway.hpp"

namespace sluice::test {
namespace {

using testing::HasSubstr;

std::string array_of(std::string_view customer) { return "[" + event(customer) + "]"; }

// A real gateway in a shell that has prepared its surroundings, and its upstream.
class Surroundings : public testing::Test {
 protected:
  Surroundings() {
    if (!upstream_.start()) {
      throw std::runtime_error("the simulator did not start");
    }
  }
  [[nodiscard]] GatewayProcess::Options options(const std::string& script,
                                                const std::string& ingest_more = "") const {
    return {.base_url = upstream_.base_url(),
            .more = "drain_timeout: 200ms\n",
            .ingest_more = ingest_more,
            .launcher = {"/bin/sh", "-c", script}};
  }
  [[nodiscard]] bool stored(std::uint64_t unique) const {
    return eventually([&] { return upstream_.ledger().summary().unique == unique; });
  }

  simulator::Simulator upstream_{{}};
};

using Descriptors = Surroundings;

TEST_F(Descriptors, ConnectionsThatNobodyUsesTakeNoneThatOthersNeed) {
  for (const bool keyed : {true, false}) {
    GatewayProcess gateway(options("ulimit -n 256 && exec \"$0\" \"$@\"",
                                   keyed ? ", producers: [{name: shop, key: k}]" : ""));
    gateway.start();
    EXPECT_THAT(gateway.log(), HasSubstr("sharing out file descriptors\",\"limit\":256"));
    std::uint64_t acknowledged = upstream_.ledger().summary().unique;
    const auto post = [&](HttpClient& client) {
      const unsigned status =
          client
              .post("/v4/events/batch", array_of("p" + std::to_string(acknowledged)),
                    {{"X-Api-Key", "k"}})
              .status;
      EXPECT_EQ(status, 202);
      acknowledged += status == 202 ? 1 : 0;
    };
    HttpClient shop(0, {.unix_path = gateway.ingest()});
    post(shop);
    const std::array<std::string, 3> begun{"", "POST /v4/events/batch HT",
                                           "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"};
    std::vector<std::unique_ptr<HttpClient>> idle;
    for (std::size_t i = 0; i < 400; ++i) {
      idle.push_back(
          std::make_unique<HttpClient>(0, HttpClient::Options{.unix_path = gateway.ingest()}));
      idle.back()->send(begun[i % begun.size()]);
      if (i % 50 == 0) {
        post(shop);
      }
    }
    HttpClient late(0, {.unix_path = gateway.ingest()});
    post(late);
    post(shop);
    EXPECT_TRUE(stored(acknowledged)) << "delivery has its own";
    EXPECT_GT(gateway.metric("ingest_connections_evicted_total"), 0);
    EXPECT_EQ(gateway.metric("ingest_connections_refused_total"), 0);
    EXPECT_EQ(gateway.metric("buffer_write_failures_total"), 0);
    EXPECT_LT(gateway.metric("ingest_connections_limit"), 256);
    EXPECT_EQ(gateway.get_admin("/livez").status, 200);
    EXPECT_EQ(gateway.stop(), 0);
  }
}

TEST_F(Descriptors, TheSoftLimitIsRaisedToTheHardOne) {
  GatewayProcess gateway(options("ulimit -Sn 64 && ulimit -Hn 512 && exec \"$0\" \"$@\""));
  gateway.start();
  EXPECT_THAT(gateway.log(), HasSubstr("sharing out file descriptors\",\"limit\":512"));
}

// A pipe that takes nothing more, as when what reads it hangs.
class FullPipe {
 public:
  FullPipe() : path_(directory_ / "pipe") {
    EXPECT_EQ(::mkfifo(path_.c_str(), 0600), 0);
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    const std::string filling(4'096, '.');
    while (::write(descriptor_, filling.data(), filling.size()) > 0) {
    }
  }
  ~FullPipe() { ::close(descriptor_); }
  FullPipe(const FullPipe&) = delete;
  FullPipe& operator=(const FullPipe&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  // What is in it now.
  std::string drain() const {
    std::string text;
    std::array<char, 4'096> piece{};
    for (ssize_t bytes = 0; (bytes = ::read(descriptor_, piece.data(), piece.size())) > 0;) {
      text.append(piece.data(), static_cast<std::size_t>(bytes));
    }
    return text;
  }

 private:
  TemporaryDirectory directory_;
  std::string path_;
  int descriptor_ = -1;
};

using BlockedLog = Surroundings;

TEST_F(BlockedLog, StopsNeitherDeliveryNorTheAdminApiNorTheEnd) {
  const FullPipe pipe;
  GatewayProcess gateway(options("exec \"$0\" \"$@\" 2> " + pipe.path()));
  gateway.launch();
  ASSERT_TRUE(eventually([&] { return gateway.get_admin("/readyz").status == 200; }));
  EXPECT_EQ(gateway.post(events(10)).status, 202);
  EXPECT_TRUE(stored(10));
  gateway.process().kill(SIGHUP);  // each of these says something
  EXPECT_EQ(gateway.get_admin("/livez").status, 200);
  EXPECT_EQ(gateway.metric("log_lines_dropped_total"), 0) << "they wait";
  gateway.process().kill(SIGTERM);
  ASSERT_TRUE(eventually([&] { return gateway.process().ended(); }));
  EXPECT_EQ(gateway.process().wait(), 0);
}

TEST_F(BlockedLog, GoesOnWhereItStoppedOnceItIsRead) {
  const FullPipe pipe;
  GatewayProcess gateway(options("exec \"$0\" \"$@\" 2> " + pipe.path()));
  gateway.launch();
  ASSERT_TRUE(eventually([&] { return gateway.get_admin("/readyz").status == 200; }));
  std::string text;
  EXPECT_TRUE(eventually([&] {
    text += pipe.drain();
    return text.find("\"ready\"") != std::string::npos;
  }));
  EXPECT_LT(text.find("sharing out"), text.find("taking events"));
  EXPECT_LT(text.find("taking events"), text.find("\"ready\""));
}

TEST_F(BlockedLog, DoesNotHoldUpWhoCannotStart) {
  const FullPipe pipe;
  GatewayProcess::Options broken = options("exec \"$0\" \"$@\" 2> " + pipe.path());
  broken.more += "nothing_like_it: 1\n";
  GatewayProcess gateway(broken);
  gateway.launch();
  ASSERT_TRUE(eventually([&] { return gateway.process().ended(); }));
  EXPECT_EQ(gateway.process().wait(), 78) << "EX_CONFIG";
}

// So many events without any content, as an array or as lines.
std::string empty_events(std::size_t count, bool as_lines = false) {
  std::string body = as_lines ? "" : "[";
  for (std::size_t i = 0; i < count; ++i) {
    body += as_lines ? "{}\n" : i == 0 ? "{}" : ",{}";
  }
  return body + (as_lines ? "" : "]");
}

std::string noisy_request(std::string_view target, std::string_view headers,
                          std::string_view body) {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: x\r\nX-Api-Key: kn\r\n" +
         std::string(headers) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

struct Noise {
  const char* what;
  std::string target;
  std::string headers;
  std::string body;
  const char* code;
};

std::vector<Noise> noises() {
  constexpr std::size_t many = 120'000;
  const std::string json = "Content-Type: application/json\r\n";
  return {{"a small body that becomes a large array", "/v4/events/batch",
           json + "Content-Encoding: gzip\r\n", gzip(empty_events(many)), "400"},
          {"lines", "/v4/events/batch", "Content-Type: application/x-ndjson\r\n",
           empty_events(many, true), "400"},
          {"a source's raw events", "/v1/events/raw", json, empty_events(many / 4), "400"},
          {"valid events", "/v4/events/batch", json, events(20'000), "202"}};
}

// One thread, so that whoever is served is served by the one that the noise came to.
TEST(NoisyNeighbour, IsWaitedForByNobodyElse) {
  for (const Noise& noise : noises()) {
    RunningGateway gateway({}, plain_yaml(R"(ingest:
  threads: 1
  producers: [{name: noisy, key: kn}, {name: modest, key: km}]
buffer: {type: memory}
sources:
  - name: raw
    event: {action: {value: seen}, client: {customId: {from: /id, required: true}}}
)"));
    constexpr std::size_t connections = 6;
    std::vector<std::unique_ptr<HttpClient>> noisy;
    for (std::size_t i = 0; i < connections; ++i) {
      noisy.push_back(std::make_unique<HttpClient>(gateway.port()));
      noisy.back()->send(noisy_request(noise.target, noise.headers, noise.body));
    }
    HttpClient modest(gateway.port());
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(modest.post("/v4/events/batch", array_of("m"), {{"X-Api-Key", "km"}}).status, 202);
    }
    const double answered =
        gateway.metric("ingest_requests_total", std::string("code=\"") + noise.code + '"') -
        (noise.code == std::string("202") ? 20 : 0);
    EXPECT_LT(answered, connections) << noise.what << ": others were served meanwhile";
    for (const auto& client : noisy) {
      EXPECT_EQ(std::to_string(client->read_answer().status), noise.code) << noise.what;
    }
    EXPECT_EQ(gateway.metric("ingest_bulk_bodies_total"), connections) << noise.what;
  }
}

// Of so many events each, all of them refused; so many requests on each connection.
void expect_nobody_waits(std::size_t events_each, int requests) {
  RunningGateway gateway(
      {}, plain_yaml("ingest: {threads: 1, producers: [{name: noisy, key: kn}, {name: modest, key: "
                     "km}]}\nbuffer: {type: memory}\n"));
  HttpClient modest(gateway.port());
  const auto post = [&] {
    return modest.post("/v4/events/batch", array_of("m"), {{"X-Api-Key", "km"}}).status;
  };
  ASSERT_EQ(post(), 202);
  // More at once than one thread has done by the time that somebody else is served.
  constexpr int connections = 60;
  const std::string small = noisy_request("/v4/events/batch", "", empty_events(events_each));
  std::string all;
  for (int i = 0; i < requests; ++i) {
    all += small;
  }
  std::vector<std::unique_ptr<HttpClient>> noisy;
  for (int i = 0; i < connections; ++i) {
    noisy.push_back(std::make_unique<HttpClient>(gateway.port()));
    noisy.back()->send(all);
  }
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(post(), 202);
  }
  EXPECT_LT(gateway.metric("ingest_requests_total", R"(code="400")"), connections * requests)
      << events_each;
  EXPECT_GT(gateway.metric("ingest_bulk_bodies_total"), 0) << events_each;
}

TEST(NoisyNeighbour, WithManySmallBodiesIsWaitedForByNobodyElse) {
  expect_nobody_waits(10'000, 8);
  expect_nobody_waits(340, 100);  // of a kilobyte
}

// What the next request is told to wait, once this one has been answered so.
int wait_after(const std::string& rate_limit, std::string_view headers, std::string_view body,
               unsigned status) {
  RunningGateway gateway({}, plain_yaml("ingest: {producers: [{name: noisy, key: kn, rate_limit: " +
                                        rate_limit + "}]}\n"));
  HttpClient noisy(gateway.port());
  noisy.send(noisy_request("/v4/events/batch", headers, body));
  EXPECT_EQ(noisy.read_answer().status, status);
  noisy.send(noisy_request("/v4/events/batch", "", array_of("n")));
  const HttpAnswer refused = noisy.read_answer();
  EXPECT_EQ(refused.status, 429);
  return refused.status == 429 ? std::stoi(refused.headers.at("retry-after")) : 0;
}

TEST(NoisyNeighbour, PaysForWhatItSendsInVain) {
  const int after_light = wait_after("100/s", "", empty_events(5'000), 400);
  EXPECT_GT(after_light, 30) << "5000 events at 100/s";
  EXPECT_LE(after_light, 50);
}

TEST(NoisyNeighbour, PaysForBytesAndForNoMoreThanAnHour) {
  const std::string packed = "Content-Encoding: gzip\r\n";
  std::string spaces(4U << 20, ' ');  // which no coding makes so small that it is refused for that
  Rng rng(1);
  for (std::size_t i = 0; i < spaces.size(); i += 1 + rng.below(64)) {
    spaces[i] = '\n';
  }
  EXPECT_GT(wait_after("1/s", packed, gzip("[" + spaces + array_of("n").substr(1)), 202), 128)
      << "one event, in 256 times 16 KiB";
  EXPECT_GT(wait_after("1/s", packed, gzip("no JSON" + spaces), 400), 128);
  EXPECT_GT(wait_after("1/s", packed, gzip(spaces).substr(0, 30'000), 400), 20) << "cut off";
  const int longest = wait_after("1/s", packed, gzip(empty_events(100'000)), 400);
  EXPECT_GT(longest, 3'000);
  EXPECT_LE(longest, 3'600);
}

// What it can have examined is counted, not how long that takes.
TEST(NoisyNeighbour, UnderALimitHasNoMoreExaminedThanThatLetsThrough) {
  RunningGateway gateway({}, plain_yaml(R"(ingest:
  threads: 1
  producers: [{name: noisy, key: kn, rate_limit: 1/s}, {name: modest, key: km}]
buffer: {type: memory}
sources:
  - name: raw
    event: {action: {value: seen}, client: {customId: {from: /id, required: true}}}
)"));
  constexpr std::size_t count = 340;
  constexpr std::size_t requests = 50;
  const std::string ndjson = "Content-Type: application/x-ndjson\r\n";
  const std::string small = noisy_request("/v4/events/batch", "", empty_events(count)) +
                            noisy_request("/v4/events/batch", ndjson, empty_events(count, true)) +
                            noisy_request("/v1/events/raw", "", empty_events(count));
  std::string all;
  for (std::size_t i = 0; i < requests; ++i) {
    all += small;
  }
  constexpr std::size_t connections = 8;
  std::vector<std::unique_ptr<HttpClient>> noisy;
  for (std::size_t i = 0; i < connections; ++i) {
    noisy.push_back(std::make_unique<HttpClient>(gateway.port()));
    noisy.back()->send(all);
  }
  HttpClient modest(gateway.port());
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(modest.post("/v4/events/batch", array_of("m"), {{"X-Api-Key", "km"}}).status, 202);
  }
  for (const auto& client : noisy) {
    for (std::size_t i = 0; i < 3 * requests; ++i) {
      const unsigned status = client->read_answer().status;
      EXPECT_TRUE(status == 400 || status == 429) << status;
    }
  }
  EXPECT_EQ(gateway.metric("ingest_requests_total", R"(code="400")"), 1) << "the first one";
  EXPECT_EQ(gateway.metric("ingest_requests_total", R"(code="429")"),
            3 * requests * connections - 1);
  EXPECT_EQ(gateway.metric("events_rejected_total"), count);
}

}  // namespace
}  // namespace sluice::test
