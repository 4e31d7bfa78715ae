// Goal: the ledger counts once what Synerise counts once, keeps the order of arrival, and stays
// right with many events and many threads.
#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/base/rng.hpp>
#include <sluice/simulator/ledger.hpp>

#include "key_table.hpp"

namespace sluice::simulator {
namespace {

using namespace std::chrono_literals;

Arrival sample() {
  return {.salt = "s",
          .time = WallTime(1'000ms),
          .time_is_own = true,
          .client = {.custom_id = "c"},
          .action = "a",
          .label = "l",
          .body = "{}"};
}

class LedgerInBothModes : public ::testing::TestWithParam<LedgerMode> {};

TEST_P(LedgerInBothModes, the_same_identity_counts_once) {
  Ledger ledger(GetParam());
  ledger.record({{sample(), sample()}});
  ledger.record({{sample()}});
  EXPECT_EQ(ledger.summary().unique, 1U);
  EXPECT_EQ(ledger.summary().deliveries, 3U);
  EXPECT_EQ(ledger.deliveries_of(sample()), 3U);
}

TEST_P(LedgerInBothModes, the_same_bytes_are_a_repetition_and_others_an_overwrite) {
  Ledger ledger(GetParam());
  Arrival changed = sample();
  changed.body = R"({"status":"paid"})";
  changed.label = "paid";
  ledger.record({{sample(), sample(), changed}});
  ledger.record({{changed, sample(), changed}});
  const LedgerSummary summary = ledger.summary();
  EXPECT_EQ(summary.unique, 1U);
  EXPECT_EQ(summary.deliveries, 6U);
  EXPECT_EQ(summary.repetitions, 2U);
  EXPECT_EQ(summary.overwrites, 3U);
  if (GetParam() == LedgerMode::full) {
    const LedgerEntry last = ledger.entries({.salt = "s"}).at(0);
    EXPECT_EQ(last.body, changed.body) << "the last one wins";
    EXPECT_EQ(last.label, "paid");
    EXPECT_EQ(last.count, 6U);
    EXPECT_EQ(last.overwrites, 3U);
    EXPECT_EQ(last.first_seq, 1U);
    EXPECT_EQ(last.last_seq, 6U);
    EXPECT_TRUE(ledger.entries({.salt = "t"}).empty());
  }
}

TEST_P(LedgerInBothModes, each_part_of_the_identity_makes_a_difference) {
  Ledger ledger(GetParam());
  std::vector<Arrival> arrivals(9, sample());
  arrivals[1].salt = "t";
  arrivals[2].time += 1ms;
  arrivals[3].action = "b";
  arrivals[4].client = {.custom_id = "d"};
  arrivals[5].client = {.id = 1, .custom_id = "c"};
  arrivals[6].client = {.email = "c"};
  // The border between salt and action is part of it.
  arrivals[7].salt = "sa";
  arrivals[7].action = "x";
  arrivals[8].salt = "s";
  arrivals[8].action = "ax";
  ledger.record(arrivals);
  EXPECT_EQ(ledger.summary().unique, arrivals.size());
  Arrival relabelled = sample();
  relabelled.label = "other";
  relabelled.body = "[]";
  ledger.record({{relabelled}});
  EXPECT_EQ(ledger.summary().unique, arrivals.size());
  EXPECT_EQ(ledger.deliveries_of(sample()), 2U);
}

TEST_P(LedgerInBothModes, tells_the_salts_that_stand_for_two_events) {
  Ledger ledger(GetParam());
  Arrival later = sample();
  later.time += 1ms;
  EXPECT_EQ(ledger.record({{sample(), sample(), later}}), 0U);
  Arrival other_action = sample();
  other_action.action = "b";
  Arrival other_profile = sample();
  other_profile.client = {.custom_id = "d"};
  other_profile.time_is_own = false;
  EXPECT_EQ(ledger.record({{other_action, sample(), other_profile}}), 2U);
  Arrival unsalted = other_action;
  unsalted.salt = {};
  EXPECT_EQ(ledger.record({{unsalted}}), 0U);
  ledger.clear();
  EXPECT_EQ(ledger.record({{other_action}}), 0U);
}

TEST_P(LedgerInBothModes, without_a_salt_or_a_time_of_its_own_each_delivery_is_new) {
  Ledger ledger(GetParam());
  Arrival unsalted = sample();
  unsalted.salt = {};
  Arrival untimed = sample();
  untimed.time_is_own = false;
  ledger.record({{unsalted, unsalted, untimed, untimed}});
  EXPECT_EQ(ledger.summary().unique, 4U);
  EXPECT_EQ(ledger.summary().deliveries, 4U);
  EXPECT_EQ(ledger.deliveries_of(unsalted), 0U);
}

TEST_P(LedgerInBothModes, clear) {
  Ledger ledger(GetParam());
  ledger.record({{sample()}});
  ledger.clear();
  EXPECT_EQ(ledger.summary().unique, 0U);
  EXPECT_EQ(ledger.summary().deliveries, 0U);
  EXPECT_EQ(ledger.deliveries_of(sample()), 0U);
  ledger.record({{sample()}});
  EXPECT_EQ(ledger.summary().unique, 1U);
}

TEST_P(LedgerInBothModes, many_threads_deliver_the_same_events) {
  constexpr int threads = 4;
  constexpr int events = 2'000;
  Ledger ledger(GetParam());
  std::vector<std::thread> running;
  running.reserve(threads);
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([&ledger] {
      for (int i = 0; i < events; ++i) {
        const std::string salt = std::to_string(i);
        Arrival arrival = sample();
        arrival.salt = salt;
        ledger.record({{arrival}});
      }
    });
  }
  for (std::thread& thread : running) {
    thread.join();
  }
  EXPECT_EQ(ledger.summary().unique, events);
  EXPECT_EQ(ledger.summary().deliveries, threads * events);
}

INSTANTIATE_TEST_SUITE_P(Mode, LedgerInBothModes,
                         ::testing::Values(LedgerMode::full, LedgerMode::compact),
                         [](const auto& mode) {
                           return mode.param == LedgerMode::full ? "full" : "compact";
                         });

TEST(FullLedger, entry_shows_all_of_the_first_delivery) {
  Ledger ledger(LedgerMode::full);
  Arrival arrival = sample();
  arrival.client = {.id = -5, .custom_id = "c", .uuid = "u", .email = "a@b.pl"};
  ledger.record({{arrival, arrival}});
  const LedgerEntry entry = ledger.find("s").value_or(LedgerEntry{});
  EXPECT_EQ(entry.salt, "s");
  EXPECT_EQ(entry.time, "1970-01-01T00:00:01.000Z");
  EXPECT_EQ(entry.profile, "id:-5\ncustomId:c\nuuid:u\nemail:a@b.pl");
  EXPECT_EQ(entry.action, "a");
  EXPECT_EQ(entry.label, "l");
  EXPECT_EQ(entry.body, "{}");
  EXPECT_EQ(entry.count, 2U);
  EXPECT_EQ(entry.first_seq, 1U);
  EXPECT_FALSE(ledger.find("other"));
}

TEST(FullLedger, lists_a_profile_in_the_order_of_first_arrival) {
  Ledger ledger(LedgerMode::full);
  std::vector<Arrival> arrivals(5, sample());
  arrivals[0].salt = "3";
  arrivals[1].salt = "1";
  arrivals[2].salt = "2";
  arrivals[2].client = {.custom_id = "other"};
  arrivals[3].salt = "3";
  arrivals[4].salt = "0";
  ledger.record(arrivals);
  const auto salts = [&](const LedgerQuery& query) {
    std::string joined;
    for (const LedgerEntry& entry : ledger.entries(query)) {
      joined += entry.salt + "@" + std::to_string(entry.first_seq) + " ";
    }
    return joined;
  };
  EXPECT_EQ(salts({}), "3@1 1@2 2@3 0@5 ");
  EXPECT_EQ(salts({.profile = "customId:c"}), "3@1 1@2 0@5 ");
  EXPECT_EQ(salts({.profile = "customId:c", .offset = 1, .limit = 1}), "1@2 ");
  EXPECT_EQ(salts({.offset = 9}), "");
  EXPECT_EQ(salts({.limit = 0}), "");
  EXPECT_EQ(salts({.profile = "customId:nobody"}), "");
}

TEST(CompactLedger, keeps_no_entries) {
  Ledger ledger(LedgerMode::compact);
  ledger.record({{sample()}});
  EXPECT_TRUE(ledger.entries().empty());
  EXPECT_FALSE(ledger.find("s"));
}

// Growing must not lose or mix up a key, whichever part it falls into.
TEST(KeyTable, holds_what_was_put_in_while_it_grows) {
  constexpr std::uint32_t count = 200'000;
  KeyTable table;
  Rng rng(7);
  std::vector<Key> keys;
  for (std::uint32_t i = 1; i <= count; ++i) {
    keys.push_back({.low = rng(), .high = rng()});
    EXPECT_EQ(table.find(keys.back()), 0U);
    std::uint32_t& value = table[keys.back()];
    ASSERT_EQ(value, 0U);
    value = i;
  }
  for (std::uint32_t i = 1; i <= count; ++i) {
    ASSERT_EQ(table.find(keys[i - 1]), i);
  }
}

TEST(KeyTable, keys_of_one_slot_are_told_apart) {
  KeyTable table;
  for (std::uint64_t i = 0; i < 40; ++i) {
    table[Key{.low = 64 * i, .high = 0}] = static_cast<std::uint32_t>(i + 1);
  }
  for (std::uint64_t i = 0; i < 40; ++i) {
    const Key key{.low = 64 * i, .high = 0};
    EXPECT_EQ(table.find(key), i + 1);
  }
}

}  // namespace
}  // namespace sluice::simulator
