// Goal: a volume that is full, by the buffer itself or by others, costs no event and no visit by
// night: the gateway starts on it, delivers what is there, and takes events in again once there is
// room.
#include <filesystem>
#include <stdexcept>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sluice/base/rng.hpp>

#include "gateway_process.hpp"
#include "running_gateway.hpp"
#include "small_disk.hpp"
#include "tracked_events.hpp"

namespace sluice::test {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

class FullVolume : public testing::Test {
 protected:
  FullVolume() {
    if (!upstream_.start()) {
      throw std::runtime_error("the simulator did not start");
    }
  }
  void SetUp() override {
    if (!disk_.mounted()) {
      GTEST_SKIP() << "mounting a small file system takes root";
    }
    upstream_is(false);
    gateway_.emplace(GatewayProcess::Options{
        .base_url = upstream_.base_url(),
        .more = "delivery: {timeout: 300ms, backoff: {initial: 5ms, max: 50ms}}\n"
                "drain_timeout: 200ms\n",
        .buffer_path = disk_ / "buffer",
        .buffer_more = ", max_bytes: 8GiB"});
    gateway_->start();
  }

  void upstream_is(bool well) { ASSERT_TRUE(upstream_.set_faults(well ? "[]" : "status=503")); }
  // Events that do not get smaller, in requests of a size that is not the same each time.
  std::string some_events() {
    const std::uint64_t count = 1 + rng_.below(30);
    std::string body = "[";
    for (std::uint64_t i = 0; i < count; ++i) {
      std::string text(10 + rng_.below(3'000), '\0');
      for (char& letter : text) {
        letter = static_cast<char>('0' + rng_.below(75));
        letter = letter == '\\' ? '/' : letter;
      }
      body += (i > 0 ? "," : "") + event("c" + std::to_string(i), R"({"text":")" + text + "\"}");
    }
    posted_ = count;
    return body + "]";
  }
  // Whether it was accepted.
  bool post() {
    const std::string body = some_events();
    const unsigned status = gateway_->post(body).status;
    acknowledged_ += status == 202 ? posted_ : 0;
    return status == 202;
  }
  void post_until_refused() {
    ASSERT_TRUE(eventually([&] { return !post(); }, std::chrono::seconds(120)));
    ASSERT_TRUE(eventually([&] { return gateway_->get_admin("/readyz").status == 503; }));
    EXPECT_THAT(gateway_->get_admin("/readyz").body, HasSubstr("the disk is full"));
  }
  void expect_all_delivered() {
    EXPECT_TRUE(eventually([&] { return upstream_.ledger().summary().unique == acknowledged_; },
                           std::chrono::seconds(100)))
        << upstream_.ledger().summary().unique << " of " << acknowledged_ << gateway_->log();
    EXPECT_TRUE(eventually([&] { return gateway_->metric("buffer_events") == 0; }));
    EXPECT_EQ(gateway_->unaccounted(), 0);
    EXPECT_EQ(gateway_->metric("buffer_events_lost_total"), 0);
  }
  void expect_it_takes_events_in() {
    EXPECT_TRUE(eventually([&] { return post(); }))
        << gateway_->get_admin("/status").body << gateway_->log();
    EXPECT_TRUE(eventually([&] { return gateway_->get_admin("/readyz").status == 200; }));
    EXPECT_GT(gateway_->metric("buffer_reserve_bytes"), 0) << "for the next time";
  }

  const TemporaryDirectory folder_;
  SmallDisk disk_{folder_ / "disk"};
  simulator::Simulator upstream_{{}};
  std::optional<GatewayProcess> gateway_;
  std::uint64_t acknowledged_ = 0;  // events

 private:
  Rng rng_{1};
  std::uint64_t posted_ = 0;
};

TEST_F(FullVolume, FilledByItselfAndKilledItStartsDeliversAndTakesEventsInAgain) {
  post_until_refused();
  EXPECT_GT(acknowledged_, 1'000U) << "most of the volume is of use";
  gateway_->kill();
  upstream_is(true);
  gateway_->start();
  expect_all_delivered();
  expect_it_takes_events_in();
  expect_all_delivered();
}

TEST_F(FullVolume, FilledByItselfItDeliversAndTakesEventsInAgain) {
  post_until_refused();
  upstream_is(true);
  expect_all_delivered();
  expect_it_takes_events_in();
  expect_all_delivered();
}

TEST_F(FullVolume, KilledAgainAndAgainItStillStarts) {
  post_until_refused();
  for (int i = 0; i < 5; ++i) {
    gateway_->kill();
    gateway_->start();
    static_cast<void>(post());
  }
  upstream_is(true);
  expect_all_delivered();
  expect_it_takes_events_in();
}

TEST_F(FullVolume, FilledByOthersItStartsAndDelivers) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(post());
  }
  disk_.fill();
  post_until_refused();
  gateway_->kill();
  upstream_is(true);
  gateway_->start();
  expect_all_delivered();
  EXPECT_FALSE(post()) << "others have the room";
  disk_.empty();
  expect_it_takes_events_in();
  expect_all_delivered();
}

TEST_F(FullVolume, FilledByOthersWhileItRuns) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(post());
  }
  disk_.fill();
  post_until_refused();
  upstream_is(true);
  expect_all_delivered();
  disk_.empty();
  expect_it_takes_events_in();
  expect_all_delivered();
}

// As a store that an earlier version has filled, or whose reserve others have taken: it cannot be
// written at all.
TEST_F(FullVolume, WithNothingLeftWhatIsThereIsDelivered) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(post());
  }
  gateway_->stop();
  fs::remove(disk_ / "buffer/reserve");
  disk_.fill();
  upstream_is(true);
  gateway_->start();
  expect_all_delivered();
  EXPECT_FALSE(post());
  disk_.empty();
  expect_it_takes_events_in();
  expect_all_delivered();
  EXPECT_EQ(gateway_->stop(), 0);
}

TEST_F(FullVolume, WithoutALimitGivenNoMoreIsTakenThanFits) {
  GatewayProcess fitting({.base_url = upstream_.base_url(),
                          .more = "drain_timeout: 200ms\n",
                          .buffer_path = disk_ / "another"});
  fitting.start();
  const std::uint64_t limit =
      number_behind(fitting.get_admin("/status").body, R"("buffer_max_bytes":)");
  EXPECT_GT(limit, 10U << 20);
  EXPECT_LT(limit, 22U << 20) << "a third of 64 MiB";
  EXPECT_THAT(fitting.log(), HasSubstr("the disk buffer has room"));
  EXPECT_THAT(gateway_->log(), HasSubstr("buffer.max_bytes is more than its file system"));
}

}  // namespace
}  // namespace sluice::test
