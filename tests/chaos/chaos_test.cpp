// Goal: an event that was answered 202 reaches the upstream and counts there once, as it was sent
// last, in its profile's order, however often the gateway is killed and whatever the upstream
// answers.
//
//   SLUICE_CHAOS_SEED=7 SLUICE_CHAOS_KILLS=500 build/release/bin/chaos_test
#include <cstdlib>
#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "campaign.hpp"

namespace sluice::test {
namespace {

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before any thread
  return text == nullptr ? otherwise : std::stoull(text);
}

CampaignOptions from_environment() {
  return {.seed = number_from_environment("SLUICE_CHAOS_SEED", std::random_device{}()),
          .kills = static_cast<unsigned>(number_from_environment("SLUICE_CHAOS_KILLS", 12))};
}

class Chaos : public testing::TestWithParam<bool> {};

TEST_P(Chaos, EveryAcknowledgedEventCountsOnceInItsOrder) {
  CampaignOptions options = from_environment();
  options.jwt = GetParam();
  SCOPED_TRACE("SLUICE_CHAOS_SEED=" + std::to_string(options.seed));
  const CampaignReport report = run_campaign(options);
  EXPECT_THAT(report.violations, testing::IsEmpty());
  EXPECT_GT(report.acknowledged, 0);
  EXPECT_GT(report.overwrites, 0) << "changes were among them";
  EXPECT_GT(report.dead_lettered, 0) << "poison was among them";
  EXPECT_EQ(report.hard_kills + report.soft_stops, options.kills);
  RecordProperty("acknowledged", std::to_string(report.acknowledged));
  RecordProperty("deliveries", std::to_string(report.deliveries));
}

INSTANTIATE_TEST_SUITE_P(Credentials, Chaos, testing::Bool(),
                         [](const auto& tested) { return tested.param ? "jwt" : "basic"; });

TEST(ChaosItself, FindsThatWithoutSaltsEventsCountTwice) {
  CampaignOptions options = from_environment();
  options.kills = 3;
  options.salts = false;
  SCOPED_TRACE("SLUICE_CHAOS_SEED=" + std::to_string(options.seed));
  const CampaignReport report = run_campaign(options);
  EXPECT_THAT(report.violations, testing::Contains(testing::HasSubstr("counts twice")));
}

}  // namespace
}  // namespace sluice::test
