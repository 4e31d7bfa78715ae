// What the store's tests share: a clock that is set, groups with known content, a store in steps.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/base/clock.hpp>
#include <sluice/base/rng.hpp>
#include <sluice/store/store.hpp>

#include "memory_engine.hpp"
#include "window_settlement.hpp"

namespace sluice::store {

using namespace std::chrono_literals;

// How many random runs: more with the environment variable SLUICE_STORE_RUNS.
inline std::uint64_t run_count(std::uint64_t otherwise) {
  const char* const runs =
      std::getenv("SLUICE_STORE_RUNS");  // NOLINT(concurrency-mt-unsafe): one thread
  return runs == nullptr ? otherwise : std::strtoull(runs, nullptr, 10);
}

class FakeClock final : public Clock {
 public:
  [[nodiscard]] WallTime wall_now() const override {
    return wall_.value_or(std::chrono::time_point_cast<std::chrono::milliseconds>(
        WallTime(1'000'000'000'000ms) + elapsed_));
  }
  [[nodiscard]] MonoTime mono_now() const override { return MonoTime(1h) + elapsed_; }
  void advance(std::chrono::nanoseconds by) { elapsed_ += by; }
  void set_wall(WallTime shown) { wall_ = shown; }

 private:
  std::chrono::nanoseconds elapsed_{0};
  std::optional<WallTime> wall_;  // what it shows, whatever time passes
};

// What a group is made of, by its number: the same number gives the same bytes, and no other does.
inline Group::Owner numbered_group(std::uint64_t number, const Clock& clock,
                                   std::size_t size_min = 0, bool with_answer = false,
                                   std::string_view traceparent = {}, std::uint32_t producer = 0) {
  Rng rng(number);
  std::string bytes;
  std::vector<EventRecord> records;
  std::vector<DedupKey> keys;
  const std::uint64_t events = 1 + rng.below(4);
  for (std::uint64_t i = 0; i < events; ++i) {
    std::string json = "{\"n\":" + std::to_string(number) + ",\"i\":" + std::to_string(i) + "}";
    const std::size_t size = std::max(size_min / events, json.size() + rng.below(40));
    // Every other one is worth compressing if it is long.
    const std::uint64_t letters = number % 2 == 0 ? 26 : 1;
    while (json.size() < size) {
      json.push_back(static_cast<char>('a' + rng.below(letters)));
    }
    records.push_back({.offset = static_cast<std::uint32_t>(bytes.size()),
                       .size = static_cast<std::uint32_t>(json.size()),
                       .profile_hash = rng(),
                       .kind = static_cast<EventKind>(rng.below(kinds().size()))});
    bytes += json;
    if (rng.below(2) == 0) {
      keys.push_back({.identity = rng(), .content = rng()});
    }
  }
  std::optional<RememberedAnswer> answer;
  if (with_answer) {
    answer = RememberedAnswer{.request = {.identity = rng(), .content = number},
                              .accepted = static_cast<std::uint32_t>(events),
                              .duplicates = 3};
  }
  return Group::make({.records = records,
                      .bytes = bytes,
                      .dedup_keys = keys,
                      .answer = answer,
                      .accepted_at = clock.mono_now(),
                      .accepted_wall = clock.wall_now(),
                      .producer = producer,
                      .traceparent = traceparent});
}

inline constexpr std::string_view some_trace =
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

inline std::uint64_t number_of(const Group& group) {
  return std::stoull(std::string(group.json(0).substr(5)));
}

// One event, of these bytes.
inline Group::Owner group_of(std::string_view bytes) {
  const EventRecord record{
      .offset = 0, .size = static_cast<std::uint32_t>(bytes.size()), .profile_hash = 1, .kind = {}};
  return Group::make({.records = std::span(&record, 1),
                      .bytes = bytes,
                      .dedup_keys = {},
                      .answer = {},
                      .accepted_at = {},
                      .accepted_wall = {}});
}

// One event for each key.
inline Group::Owner keyed_group(std::uint64_t number, const std::vector<DedupKey>& keys,
                                const Clock& clock) {
  const std::string json = "{\"n\":" + std::to_string(number) + "}";
  std::string bytes;
  std::vector<EventRecord> records;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    records.push_back({.offset = static_cast<std::uint32_t>(bytes.size()),
                       .size = static_cast<std::uint32_t>(json.size()),
                       .profile_hash = 1,
                       .kind = {}});
    bytes += json;
  }
  return Group::make({.records = records,
                      .bytes = bytes,
                      .dedup_keys = keys,
                      .answer = {},
                      .accepted_at = clock.mono_now(),
                      .accepted_wall = clock.wall_now()});
}

inline std::string repetitive_text(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; text.size() < size; ++i) {
    text += R"({"action":"page.visit","label":"Visit )" + std::to_string(i) + "\"}";
  }
  text.resize(size);
  return text;
}

inline bool same_content(const Group& a, const Group& b) {
  return a.bytes() == b.bytes() && std::ranges::equal(a.records(), b.records()) &&
         std::ranges::equal(a.dedup_keys(), b.dedup_keys()) && a.answer() == b.answer() &&
         a.accepted_wall() == b.accepted_wall() && a.traceparent() == b.traceparent() &&
         a.footprint_bytes() == b.footprint_bytes();
}

// A store in steps on a disk in memory, with one workspace or more.
class Stepped {
 public:
  explicit Stepped(std::size_t workspaces = 1, Options options = {})
      : options_(std::move(options)), workspaces_(workspaces) {
    open();
  }

  void open() {
    settlements.clear();
    windows.clear();
    lost.assign(workspaces_, {});
    wakes.assign(workspaces_, 0);
    std::vector<Workspace> list;
    for (std::size_t i = 0; i < workspaces_; ++i) {
      windows.push_back(std::make_unique<buffer::DedupWindow>(
          buffer::DedupWindow::Options{.window = window, .entries_max = 1'000'000}));
      settlements.push_back(std::make_unique<test::WindowSettlement>(*windows.back()));
      list.push_back({.name = "w" + std::to_string(i),
                      .settlement = settlements.back().get(),
                      .window = windows.back().get(),
                      .wake = [this, i] { ++wakes[i]; },
                      .lost =
                          [this, i](const Backlog& backlog, std::uint32_t producer) {
                            lost_by_producer[producer] += backlog.bytes;
                            lost[i].events += backlog.events;
                            lost[i].bytes += backlog.bytes;
                          }});
    }
    auto opened =
        open_stepped(options_, std::move(list), clock, std::make_unique<test::MemoryEngine>(disk),
                     {.commit = [] {}, .read = [] {}},
                     [this](const std::string&, Ticket ticket, std::string_view) {
                       quarantined.push_back(ticket);
                     });
    if (!opened) {
      FAIL() << opened.error().message;
    }
    store = *std::move(opened);
  }
  // The process and the machine die, and come back.
  void crash(const std::function<bool()>& survives = [] { return false; }) {
    disk.write_fails = Errc::failed;  // what the destructor may still write is too late
    store.reset();
    disk.write_fails.reset();
    disk.crash(survives);
    open();
  }
  void restart() {
    store.reset();
    open();
  }

  // How the append ended: nothing while it is under way.
  struct Outcome {
    std::optional<bool> kept;
    std::string error;
  };
  std::shared_ptr<Outcome> append(Group::Owner group, std::size_t workspace = 0,
                                  buffer::AckLevel level = buffer::AckLevel::disk) {
    auto outcome = std::make_shared<Outcome>();
    if (store->buffer(workspace).append(0, std::move(group), level,
                                        [outcome](const Result<void>& result) {
                                          outcome->kept = result.has_value();
                                          outcome->error = result ? "" : result.error().message;
                                        })) {
      outcome->kept = true;
    }
    return outcome;
  }
  std::shared_ptr<Outcome> await_earlier(buffer::AckLevel level = buffer::AckLevel::disk) {
    auto outcome = std::make_shared<Outcome>();
    if (store->buffer(0).await_earlier(0, level, [outcome](const Result<void>& result) {
          outcome->kept = result.has_value();
        })) {
      outcome->kept = true;
    }
    return outcome;
  }
  // One event in a request of its own.
  buffer::DedupWindow::Entry reserve(DedupKey key, MonoTime now, std::size_t workspace = 0) {
    std::vector<DedupKey> reserved;
    return windows[workspace]->try_reserve(key, now, reserved);
  }
  // What is known to have been answered to the request.
  std::optional<RememberedAnswer> answer_to(DedupKey request, MonoTime now,
                                            std::size_t workspace = 0) {
    const auto known =
        windows[workspace]->try_reserve_request({.key = request, .received_at = {}}, now);
    return known.entry == buffer::DedupWindow::RequestEntry::repeated
               ? std::optional(known.first->answer)
               : std::nullopt;
  }
  std::vector<Group::Owner> read(std::size_t workspace = 0, std::size_t bytes_max = ~0ULL) {
    std::vector<Group::Owner> groups;
    store->buffer(workspace).read(groups, bytes_max);
    return groups;
  }
  // Reads all there is, in as many turns as it takes.
  std::vector<Group::Owner> read_all(std::size_t workspace = 0) {
    std::vector<Group::Owner> groups;
    while (true) {
      store->buffer(workspace).read(groups, ~0ULL);
      if (store->read_step() == MonoTime::max() && store->buffer(workspace).try_sleep()) {
        return groups;
      }
    }
  }
  void commit() { static_cast<void>(store->commit_step()); }

  FakeClock clock;
  test::MemoryDisk disk;
  std::chrono::nanoseconds window = 10min;
  std::vector<std::unique_ptr<buffer::DedupWindow>> windows;
  std::vector<std::unique_ptr<test::WindowSettlement>> settlements;
  std::vector<Backlog> lost;
  std::map<std::uint32_t, std::uint64_t> lost_by_producer;  // bytes
  std::vector<int> wakes;
  std::vector<Ticket> quarantined;
  std::unique_ptr<SteppedStore> store;

 private:
  Options options_;
  std::size_t workspaces_;
};

}  // namespace sluice::store
