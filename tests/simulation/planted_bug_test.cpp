// Goal: the simulation can fail. Built with SLUICE_PLANTED_BUG, the store acknowledges what it has
// not synced; a crash then loses acknowledged events, and some seed must tell.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sluice/base/log.hpp>

#include "simulation.hpp"
#include "temporary_directory.hpp"

namespace sluice::simulation {
namespace {

TEST(PlantedBug, IsFound) {
  log::configure(log::Level::off, log::Format::human);
  std::vector<std::string> violations;
  for (std::uint64_t seed = 1; seed < 50 && violations.empty(); ++seed) {
    const test::TemporaryDirectory folder;
    violations = simulate({.seed = seed}, folder / "dead-letter").violations;
  }
  EXPECT_THAT(violations, testing::Contains(testing::HasSubstr("is lost")));
}

}  // namespace
}  // namespace sluice::simulation
