// Goal: from admission to delivery every promise holds, whatever the seed makes of the day: crashes
// that lose what was not synced, a disk that fails, and an upstream with every mood there is.
//
//   SLUICE_SIMULATION_SEED=42 SLUICE_SIMULATION_RUNS=1 build/release/bin/simulation_test
#include "simulation.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sluice/base/log.hpp>

#include "temporary_directory.hpp"

namespace sluice::simulation {
namespace {

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
  return text == nullptr ? otherwise : std::stoull(text);
}

struct Totals {
  std::uint64_t acknowledged = 0;
  std::uint64_t repeated = 0;
  std::uint64_t dead_lettered = 0;
  std::uint64_t crashes = 0;
};

Totals simulate_many(SimulationOptions options) {
  log::configure(log::Level::off, log::Format::human);
  Totals totals;
  const std::uint64_t first = number_from_environment("SLUICE_SIMULATION_SEED", 1);
  const std::uint64_t runs =
      number_from_environment("SLUICE_SIMULATION_RUNS", SLUICE_SIMULATION_RUNS) /
      (options.clock_jumps > 0 ? 4 : 1);
  for (options.seed = first; options.seed < first + std::max<std::uint64_t>(1, runs);
       ++options.seed) {
    const test::TemporaryDirectory folder;
    const SimulationReport report = simulate(options, folder / "dead-letter");
    EXPECT_THAT(report.violations, testing::IsEmpty()) << "SLUICE_SIMULATION_SEED=" << options.seed;
    if (!report.violations.empty()) {
      break;
    }
    totals.acknowledged += report.acknowledged;
    totals.repeated += report.deliveries - std::min(report.deliveries, report.acknowledged);
    totals.dead_lettered += report.dead_lettered;
    totals.crashes += report.crashes;
  }
  return totals;
}

TEST(Simulation, EverythingEndsOnceTheFaultsEnd) {
  const Totals totals = simulate_many({});
  EXPECT_GT(totals.acknowledged, 0);
  EXPECT_GT(totals.repeated, 0);
  EXPECT_GT(totals.dead_lettered, 0);
  EXPECT_GT(totals.crashes, 0);
  std::cout << totals.acknowledged << " events acknowledged, " << totals.repeated
            << " deliveries repeated, " << totals.dead_lettered << " dead letters, "
            << totals.crashes << " crashes\n";
}

TEST(Simulation, NothingIsWrongWhileTheFaultsLast) { (void)simulate_many({.faults_end = false}); }

// Back-off, time-outs, lingering and the window of recent events go by the clock that never jumps;
// after a crash that window is known by the wall clock's times.
TEST(Simulation, AWallClockThatJumpsByHoursChangesNothing) {
  const Totals totals = simulate_many({.clock_jumps = 5});
  EXPECT_GT(totals.acknowledged, 0);
  EXPECT_GT(totals.crashes, 0);
}

TEST(Simulation, TheSameSeedIsTheSameDay) {
  const test::TemporaryDirectory folder;
  const SimulationReport first = simulate({.seed = 7}, folder / "first");
  const SimulationReport second = simulate({.seed = 7}, folder / "second");
  EXPECT_EQ(first.steps, second.steps);
  EXPECT_EQ(first.deliveries, second.deliveries);
  EXPECT_EQ(first.acknowledged, second.acknowledged);
}

}  // namespace
}  // namespace sluice::simulation
