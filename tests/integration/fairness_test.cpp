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

#include "gateway_process.hpp"
#include "running_gateway.hpp"

namespace sluice::test {
namespace {

using testing::HasSubstr;

std::string one(std::string_view customer) { return "[" + event(customer) + "]"; }

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
      const unsigned status = client
                                  .post("/v4/events/batch", one("p" + std::to_string(acknowledged)),
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

}  // namespace
}  // namespace sluice::test
