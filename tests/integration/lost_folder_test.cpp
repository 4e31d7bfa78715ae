// Goal: when the folder of the disk buffer is deleted, renamed or mounted over while the gateway
// runs, nothing is acknowledged that is not there; what was acknowledged before is delivered, and
// saved where that is possible.
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway_process.hpp"
#include "running_gateway.hpp"
#include "small_disk.hpp"

namespace sluice::test {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

class LostFolder : public testing::Test {
 protected:
  LostFolder() {
    if (!upstream_.start() || !upstream_.set_faults("status=503")) {
      throw std::runtime_error("the simulator did not start");
    }
    gateway_.emplace(GatewayProcess::Options{
        .base_url = upstream_.base_url(),
        .more = "delivery: {timeout: 300ms, backoff: {initial: 5ms, max: 50ms}}\n"
                "drain_timeout: 200ms\n",
        .buffer_path = path_});
    gateway_->start();
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(post(), 202U);
    }
  }

  unsigned post() {
    const unsigned status = gateway_->post(events(50)).status;
    acknowledged_ += status == 202 ? 50 : 0;
    return status;
  }
  void expect_refusal() {
    EXPECT_EQ(post(), 503U);
    EXPECT_EQ(gateway_->get_admin("/readyz").status, 503U);
    EXPECT_THAT(gateway_->get_admin("/readyz").body, HasSubstr("are gone from " + path_));
  }
  void expect_all_delivered() {
    ASSERT_TRUE(upstream_.set_faults("[]"));
    EXPECT_TRUE(eventually([&] { return upstream_.ledger().summary().unique == acknowledged_; },
                           std::chrono::seconds(100)))
        << upstream_.ledger().summary().unique << " of " << acknowledged_ << gateway_->log();
    EXPECT_TRUE(eventually([&] { return gateway_->metric("buffer_events") == 0; }));
    EXPECT_EQ(gateway_->unaccounted(), 0);
  }
  // The buffer is gone; the gateway saves what it has, goes on, and dies.
  void expect_that_all_is_saved() {
    expect_refusal();
    EXPECT_TRUE(eventually([&] { return post() == 202; })) << gateway_->log();
    EXPECT_EQ(gateway_->get_admin("/readyz").status, 200U);
    EXPECT_EQ(gateway_->metric("buffer_unstored_events"), 0);
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(post(), 202U);
    }
    gateway_->kill();
    gateway_->start();
    expect_all_delivered();
  }

  const TemporaryDirectory folder_;
  const std::string path_ = folder_ / "buffer";
  simulator::Simulator upstream_{{}};
  std::optional<GatewayProcess> gateway_;
  std::atomic<std::uint64_t> acknowledged_{0};  // events
};

TEST_F(LostFolder, DeletedItIsMadeAgainWithWhatItHeld) {
  fs::remove_all(path_);
  expect_that_all_is_saved();
}

TEST_F(LostFolder, OnlyTheDatabaseDeleted) {
  fs::remove_all(path_ + "/db");
  expect_that_all_is_saved();
}

TEST_F(LostFolder, OnlyTheFilesDeleted) {
  for (const auto& entry : fs::directory_iterator(path_ + "/db")) {
    fs::remove(entry.path());
  }
  expect_that_all_is_saved();
}

TEST_F(LostFolder, RenamedItIsMadeAgainWithWhatItHeld) {
  fs::rename(path_, folder_ / "elsewhere");
  expect_that_all_is_saved();
}

TEST_F(LostFolder, WhereItCannotBeMadeAgainNothingIsAcknowledgedAnyMore) {
  std::atomic<bool> gone{false};
  std::atomic<bool> done{false};
  std::atomic<int> refused{0};
  std::vector<std::thread> producers;
  for (int i = 0; i < 4; ++i) {
    producers.emplace_back([&] {
      while (!done) {
        const bool was_gone = gone;
        const unsigned status = post();
        EXPECT_TRUE(status == 503 || !was_gone) << "answered " << status;
        refused += was_gone && status == 503 ? 1 : 0;
      }
    });
  }
  // The gateway may be about to make another file there.
  EXPECT_TRUE(eventually([&] {
    std::error_code busy;
    fs::remove_all(path_, busy);
    std::ofstream(path_) << "";
    return fs::is_regular_file(path_);
  }));
  gone = true;
  EXPECT_TRUE(eventually([&] { return refused >= 40; }));
  done = true;
  for (std::thread& producer : producers) {
    producer.join();
  }
  expect_refusal();
  EXPECT_TRUE(eventually([&] {
    return gateway_->metric("buffer_unstored_events") == static_cast<double>(acknowledged_);
  })) << gateway_->metric("buffer_unstored_events")
      << " of " << acknowledged_;
  EXPECT_EQ(gateway_->stop(), 75) << "and they are lost";
  EXPECT_THAT(gateway_->log(),
              HasSubstr("\"undelivered_events\":" + std::to_string(acknowledged_)));
}

TEST_F(LostFolder, WhatIsHeldIsDeliveredMeanwhile) {
  fs::remove_all(path_);
  std::ofstream(path_) << "";
  expect_refusal();
  expect_all_delivered();
  fs::remove(path_);
  EXPECT_TRUE(eventually([&] { return post() == 202; })) << gateway_->log();
  expect_all_delivered();
  EXPECT_EQ(gateway_->stop(), 0);
}

TEST_F(LostFolder, MountedOverItIsWaitedFor) {
  std::optional<SmallDisk> disk(path_);
  if (!disk->mounted()) {
    GTEST_SKIP() << "mounting a small file system takes root";
  }
  expect_refusal();
  EXPECT_TRUE(eventually([&] { return gateway_->metric("buffer_write_failures_total") >= 3; }));
  EXPECT_TRUE(fs::is_empty(path_)) << "nothing is written below";
  disk.reset();
  EXPECT_TRUE(eventually([&] { return post() == 202; })) << gateway_->log();
  gateway_->kill();
  gateway_->start();
  expect_all_delivered();
}

}  // namespace
}  // namespace sluice::test
