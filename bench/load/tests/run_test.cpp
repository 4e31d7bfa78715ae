// Goal: over real sockets every request is sent once and accounted for: answered, lost or never
// sent; the generated events pass the strict simulator; a replay keeps its order.
#include "run.hpp"

#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sluice/simulator/simulator.hpp>

#include "test_pki.hpp"

namespace sluice::load {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class LoadRun : public ::testing::Test {
 protected:
  void start(simulator::Options options = {}) {
    simulator_ = std::make_unique<simulator::Simulator>(std::move(options));
    const auto started = simulator_->start();
    ASSERT_TRUE(started) << started.error().message;
    settings_.target = parse_target(simulator_->base_url() + "/v4/events/batch").value();
    settings_.header_lines = {"Authorization: Basic Zzpr", "Api-Version: 4.4"};
    settings_.connections = 4;
    settings_.batch = 10;
    settings_.profiles = 100;
    settings_.quiet = true;
  }
  Report run() {
    auto report = load::run(settings_, progress_);
    EXPECT_TRUE(report) << report.error().message;
    return report ? std::move(*report) : Report{};
  }

  std::unique_ptr<simulator::Simulator> simulator_;
  Settings settings_;
  std::ostringstream progress_;
};

TEST_F(LoadRun, SendsAsManyRequestsAsAskedForAndTheStrictSimulatorTakesThem) {
  start();
  settings_.requests = 203;
  for (const std::size_t pipeline : {1U, 8U}) {
    for (const std::size_t threads : {1U, 3U}) {
      simulator_->reset();
      settings_.pipeline = pipeline;
      settings_.threads = threads;
      const Report report = run();
      EXPECT_EQ(report.tally.requests(), 203U);
      EXPECT_EQ(report.tally.answers_with(202), 203U);
      EXPECT_EQ(report.tally.events(), 2'030U);
      EXPECT_TRUE(report.tally.complete());
      EXPECT_EQ(simulator_->stats().requests_total(), 203U);
      EXPECT_EQ(simulator_->stats().events_accepted, 2'030U);
      EXPECT_EQ(simulator_->stats().connections_accepted, 4U);
    }
  }
}

TEST_F(LoadRun, SendsValidEventsToADedicatedPath) {
  start();
  for (const char* type : {"custom", "product-view", "added-to-cart", "removed-from-cart"}) {
    settings_.target.path = std::string("/v4/events/") + type;
    settings_.shape = Shape::single;
    settings_.requests = 50;
    EXPECT_EQ(run().tally.answers_with(202), 50U) << type;
  }
}

TEST_F(LoadRun, AnOpenLoopSendsAllThatFallsDue) {
  start();
  settings_.rate_per_s = 400;
  settings_.duration = 500ms;
  settings_.threads = 2;
  const Report report = run();
  EXPECT_EQ(report.tally.requests(), 200U);
  EXPECT_TRUE(report.tally.complete());
}

TEST_F(LoadRun, WhatWaitsForAConnectionIsMeasuredFromItsDueTime) {
  start();
  ASSERT_TRUE(simulator_->set_faults("action=latency,latency_ms=20"));
  settings_.connections = 1;
  settings_.rate_per_s = 1'000;
  settings_.requests = 25;
  const Report report = run();
  // Due within 25 ms, sent one every 20 ms at the earliest: the last has waited for 24 answers.
  EXPECT_EQ(report.tally.requests(), 25U);
  EXPECT_GT(report.tally.latency().max(), 400ms);
  EXPECT_GT(report.tally.latency().quantile(0.5), 200ms);
}

TEST_F(LoadRun, WarmUpIsSentAndNotMeasured) {
  start();
  settings_.rate_per_s = 200;
  settings_.warmup = 250ms;
  settings_.duration = 250ms;
  const Report report = run();
  EXPECT_EQ(report.tally.requests(), 50U);
  EXPECT_EQ(simulator_->stats().requests_total(), 100U);
}

TEST_F(LoadRun, EveryLossIsCountedByItsCauseAndTheConnectionComesBack) {
  const struct {
    const char* fault;
    Loss loss;
  } cases[] = {
      {"action=reset_before,count=3", Loss::cut},
      {"action=cut_body,count=3", Loss::cut},
      {"action=malformed,count=3", Loss::malformed},
      {"action=hang,hang_ms=60000,count=3", Loss::timed_out},
  };
  start();
  settings_.requests = 100;
  settings_.timeout = 300ms;
  for (const auto& expected : cases) {
    ASSERT_TRUE(simulator_->set_faults(expected.fault));
    const Report report = run();
    EXPECT_EQ(report.tally.losses(expected.loss), 3U) << expected.fault;
    EXPECT_EQ(report.tally.requests(), 97U) << expected.fault;
    EXPECT_FALSE(report.tally.complete()) << expected.fault;
  }
}

TEST_F(LoadRun, StatusesAreCountedAndAreNoLoss) {
  start();
  ASSERT_TRUE(simulator_->set_faults("status=503,count=7"));
  settings_.requests = 20;
  const Report report = run();
  EXPECT_EQ(report.tally.answers_with(503), 7U);
  EXPECT_EQ(report.tally.answers_with(202), 13U);
  EXPECT_TRUE(report.tally.complete());
}

TEST_F(LoadRun, AReplaySendsEachLineOnceInOrder) {
  start();
  const test::TemporaryDirectory directory;
  settings_.file = directory / "requests.jsonl";
  settings_.connections = 1;
  {
    std::ofstream file(settings_.file);
    for (int i = 0; i < 30; ++i) {
      file << R"({"path":"/v4/events/batch","body":[{"type":"hit-timer","label":"l",)"
           << R"("client":{"id":1},"eventSalt":"s)" << i << R"(","time":"2025-06-01T10:00:00Z"}]})"
           << '\n';
    }
  }
  const Report report = run();
  EXPECT_EQ(report.tally.answers_with(202), 30U);
  EXPECT_EQ(report.tally.events(), 30U);
  EXPECT_EQ(simulator_->ledger().summary().unique, 30U);
  EXPECT_EQ(simulator_->ledger().summary().deliveries, 30U);

  settings_.loop = true;
  settings_.requests = 45;
  EXPECT_EQ(run().tally.requests(), 45U);
  EXPECT_EQ(simulator_->ledger().summary().unique, 30U);
  EXPECT_EQ(simulator_->ledger().summary().deliveries, 75U);
}

TEST_F(LoadRun, AnOutageWithoutAnEndLeavesTheRestUnsent) {
  start();
  // Once the connections are open, the simulator goes and does not come back.
  ASSERT_TRUE(simulator_->set_faults("action=latency,latency_ms=50"));
  settings_.connections = 1;
  settings_.requests = 10'000;
  settings_.timeout = 200ms;
  std::jthread outage([this] {
    while (simulator_->stats().requests_total() == 0) {
      std::this_thread::yield();
    }
    simulator_->stop();
  });
  const Report report = run();
  EXPECT_GT(report.tally.never_sent(), 0U);
  EXPECT_GT(report.tally.connects_failed(), 0U);
  EXPECT_EQ(report.tally.requests() + report.tally.losses(Loss::cut) + report.tally.never_sent(),
            10'000U);
}

TEST_F(LoadRun, ATargetThatCannotBeReachedIsAnError) {
  start();
  simulator_->stop();
  settings_.requests = 1;
  const auto report = load::run(settings_, progress_);
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message, HasSubstr(settings_.target.authority()));
}

TEST_F(LoadRun, TlsIsVerifiedUnlessItIsNot) {
  const test::TestPki pki;
  const auto files = pki.issue("server", {.alternative_names = "IP:127.0.0.1"});
  simulator::Options options;
  options.tls_cert_file = files.cert_file;
  options.tls_key_file = files.key_file;
  start(std::move(options));
  settings_.requests = 40;
  settings_.pipeline = 4;
  EXPECT_FALSE(load::run(settings_, progress_));
  settings_.insecure = true;
  EXPECT_EQ(run().tally.answers_with(202), 40U);
  settings_.insecure = false;
  settings_.ca_file = pki.ca_file();
  EXPECT_EQ(run().tally.answers_with(202), 40U);
}

}  // namespace
}  // namespace sluice::load
