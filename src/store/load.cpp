#include "load.hpp"

#include <algorithm>
#include <optional>

#include <xxhash.h>

#include <sluice/base/log.hpp>

#include "read_back.hpp"

namespace sluice::store {
namespace {

// The stored value of one key, if it is there and what was written.
template <class T>
Result<std::optional<T>> load_value(Engine& engine, const std::string& key,
                                    std::optional<T> (*decode)(std::string_view,
                                                               std::string_view)) {
  const auto stored = engine.get(key);
  if (!stored && stored.error().code != Errc::corrupt) {
    return std::unexpected(stored.error());
  }
  if (stored && !*stored) {
    return std::nullopt;
  }
  std::optional<T> value = stored ? decode(key, **stored) : std::nullopt;
  if (!value) {
    SLUICE_LOG(
        error,
        "a part of the buffer's bookkeeping is unreadable: it is made up for from the events",
        {"workspace_id", workspace_of_key(key)}, {"tag", std::string_view(key).substr(0, 1)});
  }
  return value;
}

struct Ends {
  std::optional<Position> first;  // of the first stored group
  std::optional<Position> next;   // behind the last one
};

// Looks at all groups: for a store that is damaged.
Result<Ends> search_ends(Engine& engine, WorkspaceId id) {
  Ends ends;
  const auto read =
      read_past_damage(engine, Tag::group, id, {.begin = 0, .end = ticket_max},
                       [&](std::string_view key, std::string_view value) {
                         if (const auto group = decode_group(key, value)) {
                           const Ticket ticket = ticket_of_key(key);
                           if (!ends.first) {
                             ends.first = Position{.ticket = ticket, .before = group->head.before};
                           }
                           ends.next = Position{.ticket = ticket + 1, .before = group->head.before};
                           ends.next->before += group->head.own;
                         }
                         return true;
                       });
  if (!read) {
    return std::unexpected(read.error());
  }
  return ends;
}

Result<ReleaseLog::Ranges> load_ranges(Engine& engine, WorkspaceId id, Ticket low) {
  ReleaseLog::Ranges ranges;
  const auto read = read_past_damage(engine, Tag::released, id, {.begin = low, .end = ticket_max},
                                     [&](std::string_view key, std::string_view value) {
                                       if (const auto range = decode_position(key, value)) {
                                         ranges[ticket_of_key(key)] = {.end = range->ticket,
                                                                       .totals = range->before};
                                       }
                                       return true;
                                     });
  if (!read) {
    return std::unexpected(read.error());
  }
  return ranges;
}

// Where the next group goes. All sources agree, unless something was damaged: then the one that has
// seen the most is right.
Position next_position(const Position& low, const std::optional<Appended>& appended,
                       const Ends& ends, const ReleaseLog::Ranges& ranges) {
  Position next = low;
  if (appended && appended->next.ticket > next.ticket) {
    next = appended->next;
  }
  if (ends.next && ends.next->ticket > next.ticket) {
    next = *ends.next;
  }
  for (const auto& [begin, range] : ranges) {
    if (begin >= next.ticket) {
      next.ticket = range.end;
      next.before += range.totals;
    }
  }
  return next;
}

}  // namespace

Result<WorkspaceId> id_of(Engine& engine, std::string_view name,
                          const std::set<WorkspaceId>& taken) {
  auto id = static_cast<WorkspaceId>(XXH3_64bits(name.data(), name.size()));
  while (true) {
    if (!taken.contains(id)) {
      const auto stored = load_value(engine, make_key(Tag::appended, id), &decode_appended);
      if (!stored) {
        return std::unexpected(stored.error());
      }
      if (!*stored || (*stored)->name == name) {
        return id;
      }
    }
    ++id;
  }
}

Result<LoadedWorkspace> load_workspace(Engine& engine, WorkspaceId id) {
  const auto appended = load_value(engine, make_key(Tag::appended, id), &decode_appended);
  const auto low = load_value(engine, make_key(Tag::low, id), &decode_position);
  if (!appended || !low) {
    return std::unexpected(!appended ? appended.error() : low.error());
  }
  Ends ends;
  if (!*appended || !*low) {
    auto found = search_ends(engine, id);
    if (!found) {
      return std::unexpected(found.error());
    }
    ends = *found;
  }
  const Position begin = low->value_or(ends.first.value_or(Position{}));
  const auto ranges = load_ranges(engine, id, begin.ticket);
  if (!ranges) {
    return std::unexpected(ranges.error());
  }
  LoadedWorkspace workspace{.id = id,
                            .name = *appended ? (*appended)->name : "",
                            .next = next_position(begin, *appended, ends, *ranges),
                            .has_low = low->has_value()};
  workspace.releases = ReleaseLog(id, begin, *ranges);
  return workspace;
}

Result<std::set<WorkspaceId>> stored_ids(Engine& engine) {
  std::set<WorkspaceId> ids;
  for (const Tag tag : {Tag::appended, Tag::group}) {
    std::string from(1, static_cast<char>(tag));
    bool found = true;
    while (found) {
      found = false;
      const auto outcome =
          engine.read(from, key_above(tag), [&](std::string_view key, std::string_view) {
            found = true;
            ids.insert(workspace_of_key(key));
            from = make_key(tag, workspace_of_key(key), ticket_max) + '\0';
            return false;
          });
      if (!outcome && outcome.error().code != Errc::corrupt) {
        return std::unexpected(outcome.error());
      }
    }
  }
  return ids;
}

}  // namespace sluice::store
