// Reading groups back from the engine: past what is damaged, with an exact account of what that
// was.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include <sluice/base/clock.hpp>
#include <sluice/store/engine.hpp>

#include "codec.hpp"
#include "ledger.hpp"
#include "release_log.hpp"

namespace sluice::store {

// Groups that were appended, not released, and cannot be read any more.
struct LostGroups {
  Ticket begin;  // the first
  Ticket end;    // behind the last; between them may be released ones
  std::uint64_t groups;
  Totals totals;
  std::vector<Share> shares{};  // of their bytes
};

struct ReadBackOptions {
  WorkspaceId workspace;
  Position from;
  Position to;
  std::size_t bytes_max;               // footprint; at least one group is read
  const ReleaseLog::Ranges& released;  // not to be read
  MonoTime now;                        // of the same moment
  WallTime wall_now;
  std::function<void(Ticket, std::string_view value)> damaged;  // a record that is not what it was
  // Whose the next so many bytes are of groups that are read or lost; empty: nobody's.
  std::function<std::vector<Share>(std::uint64_t bytes)> whose = nullptr;
};

struct ReadBack {
  std::vector<Group::Owner> groups;
  std::vector<Totals> befores;  // of each group: what those before it amount to
  Position reached;             // everything before was read, released, or is lost
  std::vector<LostGroups> lost;
  std::optional<Error> failed;  // the device; `reached` is where to go on
};

[[nodiscard]] ReadBack read_back(Engine& engine, const ReadBackOptions& options);

// The lost groups without the released ones between them. The first piece has what all amount to.
void for_each_piece(const LostGroups& lost, const ReleaseLog::Ranges& released,
                    const std::function<void(const LostGroups& piece)>& take);

struct TicketRange {
  Ticket begin;
  Ticket end;
};
// Gives all entries of a tag in a range of tickets that can be read, and passes over the others.
// Whether there were such.
[[nodiscard]] Result<bool> read_past_damage(Engine& engine, Tag tag, WorkspaceId workspace,
                                            TicketRange range, const Engine::Sink& sink);

// The first ticket in (begin, end) from which on something can be read, or `end`; `begin` cannot.
[[nodiscard]] Result<Ticket> next_readable(Engine& engine, Tag tag, WorkspaceId workspace,
                                           Ticket begin, Ticket end);

}  // namespace sluice::store
