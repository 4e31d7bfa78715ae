// A store that no gateway has open: looking at it, checking it, taking its events out, mending it.
//
// All of these lock the store, and fail with Errc::locked while a gateway runs on it. Only repair()
// changes anything; the others take room for a copy, while they run, of what can be found in a
// database that cannot be opened: beside it, or, where there is none, in TMPDIR. `program` is that
// of Options.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/base/clock.hpp>
#include <sluice/base/result.hpp>
#include <sluice/event/group.hpp>
#include <sluice/store/store.hpp>

namespace sluice::store {

struct WorkspaceStat {
  std::string name;  // "#" and its id where that is unreadable
  Backlog backlog;
  std::uint64_t groups = 0;
  Ticket first_ticket = 0;         // of the backlog, if there is one
  Ticket next_ticket = 0;          // that the next group gets
  std::optional<WallTime> oldest;  // when the oldest readable event was accepted
};
struct StoreStat {
  std::string format;  // and who wrote it
  std::uint64_t disk_bytes = 0;
  std::vector<WorkspaceStat> workspaces;
};
[[nodiscard]] Result<StoreStat> stat(const std::string& path, const std::string& program = {});

// Groups that cannot be read; between the tickets may be delivered ones, which do not count.
struct BadRange {
  std::string workspace;
  Ticket first_ticket;
  Ticket last_ticket;
  std::uint64_t groups;
  std::uint64_t events;
};
struct Verification {
  std::uint64_t groups = 0;  // that can be read
  std::uint64_t events = 0;
  std::vector<BadRange> bad;
  std::uint64_t log_dropped_bytes = 0;  // of the write-ahead log: what was in them is not known
  std::string cannot_open;              // why the database cannot be opened; empty: it can

  [[nodiscard]] bool is_sound() const {
    return bad.empty() && log_dropped_bytes == 0 && cannot_open.empty();
  }
};
// Reads every record.
[[nodiscard]] Result<Verification> verify(const std::string& path, const std::string& program = {});

struct ExportedEvent {
  std::string_view workspace;
  Ticket ticket;
  std::size_t index;  // in its group
  EventKind kind;
  WallTime accepted_at;
  std::string_view json;
};
// Gives every event that can be read, in order by workspace; what cannot is in the result.
[[nodiscard]] Result<Verification> export_events(
    const std::string& path, const std::function<void(const ExportedEvent&)>& take,
    const std::string& program = {});

struct Repair {
  Verification found;
  bool is_rebuilt = false;  // no: it was sound, and left alone
  std::string set_aside;    // where the damaged store is kept; empty: there was no room for two
};
// Builds a store anew of what can be read of one that is damaged.
[[nodiscard]] Result<Repair> repair(const std::string& path, const std::string& program = {});

}  // namespace sluice::store
