// What the simulator has stored, keyed the way Synerise keys it: an event that comes again with the
// same salt, time, profile and action overwrites the earlier one and counts once [P, "eventSalt"]:
// the last one wins. With the same bytes it is a repetition, with others an overwrite.
// An event without a salt, or whose time is not its own (left out, or in the future and replaced),
// never meets another.
//
// Thread-safe; one lock per recorded request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/base/clock.hpp>
#include <sluice/simulator/options.hpp>

namespace sluice::simulator {

// The identifiers that an event gives of its client; what is not given is empty.
struct ClientIdentity {
  std::optional<std::int64_t> id = {};
  std::string_view custom_id = {};
  std::string_view uuid = {};
  std::string_view email = {};
};

// One delivered event, as views that live for the call that records it.
struct Arrival {
  std::string_view salt = {};  // empty: none
  WallTime time{};
  bool time_is_own = false;    // sent by the caller and kept
  bool time_replaced = false;  // it was in the future: `time` is the arrival time instead
  ClientIdentity client = {};
  std::string_view action = {};
  std::string_view label = {};
  std::string_view body = {};  // the bytes as they came; kept by the full ledger only
};

// One stored event.
struct LedgerEntry {
  std::string salt;
  std::string time;     // ISO 8601 in UTC, milliseconds
  std::string profile;  // all identifiers given, "id:1", "customId:a", …, joined by line feeds
  std::string action;
  std::string label;
  std::string body;              // of the last delivery
  std::uint32_t count = 0;       // how often it was delivered
  std::uint32_t overwrites = 0;  // how often with other bytes than before
  std::uint64_t first_seq = 0;   // its place among all deliveries, from 1
  std::uint64_t last_seq = 0;    // that of the last delivery
};

struct LedgerSummary {
  std::uint64_t unique = 0;       // stored events
  std::uint64_t deliveries = 0;   // accepted events, repeated ones included
  std::uint64_t repetitions = 0;  // of the deliveries: with the bytes that were stored
  std::uint64_t overwrites = 0;   // with others (a compact ledger may miss one in 65,536)
};

// Which entries to list: in the order in which they first arrived.
struct LedgerQuery {
  std::string_view profile = {};  // empty: all
  std::string_view salt = {};     // likewise
  std::size_t offset = 0;
  std::size_t limit = SIZE_MAX;
};

class Ledger {
 public:
  explicit Ledger(LedgerMode mode);
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  [[nodiscard]] LedgerMode mode() const { return mode_; }
  // Stores the events of one request, in order. Returns how many have a salt that came before with
  // another profile or action.
  std::uint64_t record(std::span<const Arrival> arrivals);
  void clear();

  [[nodiscard]] LedgerSummary summary() const;
  // How often the event with this identity was delivered; of what has no identity, 0.
  [[nodiscard]] std::uint32_t deliveries_of(const Arrival& arrival) const;
  // Empty for a compact ledger, which keeps no entries.
  [[nodiscard]] std::vector<LedgerEntry> entries(const LedgerQuery& query = {}) const;
  // The first entry with this salt.
  [[nodiscard]] std::optional<LedgerEntry> find(std::string_view salt) const;

 private:
  struct Contents;

  LedgerMode mode_;
  std::unique_ptr<Contents> contents_;
};

}  // namespace sluice::simulator
