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

#ifdef SLUICE_SANITIZED  // and slow
constexpr std::uint64_t day_hours = 6;
#else
constexpr std::uint64_t day_hours = 24;
#endif
// Events that a full buffer holds, at most.
constexpr std::uint64_t buffered_max = 5'000;

[[maybe_unused]] constexpr std::size_t ledger_bytes_max = 32;  // of one event

struct Totals {
  std::uint64_t acknowledged = 0;
  std::uint64_t repeated = 0;
  std::uint64_t overwrites = 0;
  std::uint64_t dead_lettered = 0;
  std::uint64_t crashes = 0;
  std::uint64_t second_kind = 0;
};

Totals simulate_many(SimulationOptions options) {
  log::configure(log::Level::off, log::Format::human);
  Totals totals;
  const std::uint64_t first = number_from_environment("SLUICE_SIMULATION_SEED", 1);
  const std::uint64_t runs =
      number_from_environment("SLUICE_SIMULATION_RUNS", SLUICE_SIMULATION_RUNS) /
      (options.clock_jumps > 0 || options.all_kinds ? 4 : 1);
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
    totals.overwrites += report.overwrites;
    totals.dead_lettered += report.dead_lettered;
    totals.crashes += report.crashes;
    totals.second_kind += report.second_kind;
  }
  return totals;
}

TEST(Simulation, EverythingEndsOnceTheFaultsEnd) {
  const Totals totals = simulate_many({});
  EXPECT_GT(totals.acknowledged, 0);
  EXPECT_GT(totals.repeated, 0);
  EXPECT_GT(totals.overwrites, 0);
  EXPECT_GT(totals.dead_lettered, 0);
  EXPECT_GT(totals.crashes, 0);
  std::cout << totals.acknowledged << " events acknowledged, " << totals.repeated
            << " deliveries repeated, " << totals.overwrites << " events overwritten, "
            << totals.dead_lettered << " dead letters, " << totals.crashes << " crashes\n";
}

TEST(Simulation, NothingIsWrongWhileTheFaultsLast) { (void)simulate_many({.faults_end = false}); }

// Back-off, time-outs, lingering and the window of recent events go by the clock that never jumps;
// after a crash that window is known by the wall clock's times.
TEST(Simulation, AWallClockThatJumpsByHoursChangesNothing) {
  const Totals totals = simulate_many({.clock_jumps = 5});
  EXPECT_GT(totals.acknowledged, 0);
  EXPECT_GT(totals.crashes, 0);
}

// With a kind of writes that is made up: what would take every kind that is not the first for the
// second delivers it to the wrong endpoint, or calls it by the wrong name.
TEST(Simulation, AFurtherKindOfWritesIsAsWellServed) {
  const Totals totals = simulate_many({.all_kinds = true});
  EXPECT_GT(totals.second_kind, 0);
  EXPECT_GT(totals.dead_lettered, 0);
  EXPECT_GT(totals.crashes, 0);
}

// A leak is what grows with the events that have come and gone. Two weeks take a few minutes:
//
//   SLUICE_SIMULATION_HOURS=336 build/release/bin/simulation_test --gtest_filter='*Day*'
TEST(Simulation, ADayLeavesNothingBehind) {
  log::configure(log::Level::off, log::Format::human);
  const test::TemporaryDirectory folder;
  const SimulationOptions options{
      .seed = number_from_environment("SLUICE_SIMULATION_SEED", 1),
      .length = std::chrono::hours(number_from_environment("SLUICE_SIMULATION_HOURS", day_hours)),
      .rest_max = std::chrono::seconds(20),
      .dedup_window = std::chrono::hours(1),
      .compact = true};
  const SimulationReport report = simulate(options, folder / "dead-letter");
  EXPECT_THAT(report.violations, testing::IsEmpty()) << "SLUICE_SIMULATION_SEED=" << options.seed;
  EXPECT_GT(report.acknowledged, 1'000 * report.footprints.size());
  EXPECT_EQ(report.acknowledged, report.unique + report.dead_lettered);
  ASSERT_GE(report.footprints.size(), options.length / std::chrono::hours(2));
  for (const Footprint& footprint : report.footprints) {
    SCOPED_TRACE("hour " + std::to_string(footprint.at.count()));
    // Of each event and request a key; what is not settled is in `buffered_max` at most.
    EXPECT_LE(footprint.dedup_entries, 2 * footprint.events_lately + buffered_max);
    EXPECT_LE(footprint.stored_entries, 2 * footprint.events_lately + buffered_max);
    EXPECT_LE(footprint.happenings, 500);
  }
  const Footprint& early = report.footprints[report.footprints.size() / 4];
  const Footprint& late = report.footprints.back();
#ifndef SLUICE_SANITIZED  // which has a heap of its own
  // The vendor's ledger keeps a key of each event, and nothing else does.
  EXPECT_LE(late.heap_bytes,
            early.heap_bytes + (ledger_bytes_max * report.acknowledged) + (std::size_t{1} << 20));
#endif
  std::cout << report.acknowledged << " events; heap " << early.heap_bytes << " bytes in hour "
            << early.at.count() << ", " << late.heap_bytes << " in hour " << late.at.count()
            << ", with " << late.dedup_entries << " keys, " << late.stored_entries
            << " stored entries, " << late.happenings << " happenings\n";
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
