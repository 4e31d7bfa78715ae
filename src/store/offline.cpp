#include <algorithm>
#include <filesystem>
#include <utility>

#include <sluice/store/offline.hpp>

#include "codec.hpp"
#include "door.hpp"
#include "folder.hpp"
#include "load.hpp"
#include "read_back.hpp"
#include "read_past.hpp"
#include "rocksdb_engine.hpp"
#include "salvage.hpp"
#include "tally.hpp"

namespace sluice::store {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t read_bytes = 8U << 20;

struct Opened {
  Folder folder;
  Tally tally;
  LookedAt database;
};

Door door_of(const Folder& folder, const std::string& program) {
  return {.program = program,
          .mark = {},
          .tally = decode_tally(TallyFile::read(folder.tally_path())).value_or(Tally())};
}

Result<Opened> open_offline(const std::string& path, const std::string& program) {
  auto folder = Folder::open(path, Folder::Missing::fail);
  if (!folder) {
    return std::unexpected(folder.error());
  }
  Door door = door_of(*folder, program);
  auto database = LookedAt::open(folder->database_path(), door);
  if (!database) {
    return failure(database.error().code,
                   "cannot open the store in " + path + ": " + database.error().message);
  }
  return Opened{.folder = *std::move(folder),
                .tally = std::move(door.tally),
                .database = *std::move(database)};
}

Result<std::vector<LoadedWorkspace>> load_all(Engine& engine, const Tally& tally) {
  auto ids = stored_ids(engine);
  if (!ids) {
    return std::unexpected(ids.error());
  }
  for (const auto& [id, entry] : tally) {
    ids->insert(id);
  }
  std::vector<LoadedWorkspace> all;
  for (const WorkspaceId id : *ids) {
    auto loaded = load_workspace(engine, id);
    if (!loaded) {
      return std::unexpected(loaded.error());
    }
    if (loaded->name.empty()) {
      loaded->name = "#" + std::to_string(id);
    }
    raise(*loaded, tally);
    all.push_back(*std::move(loaded));
  }
  std::ranges::sort(all, {}, &LoadedWorkspace::name);
  return all;
}

// Reads a workspace from its first open group to its last one.
Result<void> read_workspace(Engine& engine, const LoadedWorkspace& workspace,
                            const std::function<Result<void>(ReadBack&)>& take) {
  Position from = workspace.releases.low();
  while (from.ticket < workspace.next.ticket) {
    ReadBack read = read_back(engine, {.workspace = workspace.id,
                                       .from = from,
                                       .to = workspace.next,
                                       .bytes_max = read_bytes,
                                       .released = workspace.releases.ranges(),
                                       .now = {},
                                       .wall_now = {},
                                       .damaged = [](Ticket, std::string_view) {}});
    if (read.failed) {
      return std::unexpected(*read.failed);
    }
    from = read.reached;
    if (auto taken = take(read); !taken) {
      return taken;
    }
  }
  return {};
}

void count(const LoadedWorkspace& workspace, const ReadBack& read, Verification& verification) {
  for (const Group::Owner& group : read.groups) {
    ++verification.groups;
    verification.events += group->records().size();
  }
  for (const LostGroups& lost : read.lost) {
    verification.bad.push_back({.workspace = workspace.name,
                                .first_ticket = lost.begin,
                                .last_ticket = lost.end - 1,
                                .groups = lost.groups,
                                .events = lost.totals.events});
  }
}

// Reads everything. `take` sees what was read.
Result<Verification> read_all(
    Engine& engine, const Tally& tally,
    const std::function<void(const LoadedWorkspace&, const Group&)>& take) {
  const auto workspaces = load_all(engine, tally);
  if (!workspaces) {
    return std::unexpected(workspaces.error());
  }
  Verification verification;
  for (const LoadedWorkspace& workspace : *workspaces) {
    const auto outcome = read_workspace(engine, workspace, [&](ReadBack& read) -> Result<void> {
      count(workspace, read, verification);
      for (const Group::Owner& group : read.groups) {
        take(workspace, *group);
      }
      return {};
    });
    if (!outcome) {
      return std::unexpected(outcome.error());
    }
  }
  verification.log_dropped_bytes = engine.stats().log_dropped_bytes;
  return verification;
}

// What is lost counts as released from now on.
Result<void> settle_losses(Engine& engine, const Tally& tally) {
  const auto workspaces = load_all(engine, tally);
  if (!workspaces) {
    return std::unexpected(workspaces.error());
  }
  for (const LoadedWorkspace& workspace : *workspaces) {
    ReleaseLog releases = workspace.releases;
    const auto outcome = read_workspace(engine, workspace, [&](ReadBack& read) -> Result<void> {
      for (const LostGroups& lost : read.lost) {
        for_each_piece(lost, workspace.releases.ranges(), [&](const LostGroups& piece) {
          releases.add(piece.begin, piece.end, piece.totals);
        });
      }
      return {};
    });
    if (!outcome) {
      return outcome;
    }
    Batch batch;
    releases.write_all(batch);
    // Without its name it would be taken for another one's.
    if (!workspace.name.starts_with('#')) {
      const std::string key = make_key(Tag::appended, workspace.id);
      batch.put(key, encode_appended(key, {.next = workspace.next, .name = workspace.name}));
    }
    if (auto written = engine.write(batch, true); !written) {
      return written;
    }
  }
  return {};
}

}  // namespace

Result<StoreStat> stat(const std::string& path, const std::string& program) {
  const auto opened = open_offline(path, program);
  if (!opened) {
    return std::unexpected(opened.error());
  }
  ReadPast engine(opened->database.engine());
  StoreStat stat{
      .format = opened->folder.format(), .disk_bytes = engine.stats().disk_bytes, .workspaces = {}};
  const auto workspaces = load_all(engine, opened->tally);
  if (!workspaces) {
    return std::unexpected(workspaces.error());
  }
  for (const LoadedWorkspace& workspace : *workspaces) {
    const Ticket low = workspace.releases.low().ticket;
    WorkspaceStat& added = stat.workspaces.emplace_back(
        WorkspaceStat{.name = workspace.name,
                      .backlog = workspace.releases.backlog(workspace.next),
                      .groups = workspace.next.ticket - low,
                      .first_ticket = low,
                      .next_ticket = workspace.next.ticket,
                      .oldest = {}});
    for (const auto& [begin, range] : workspace.releases.ranges()) {
      added.groups -= range.end - begin;
    }
    const auto first = engine.read(make_key(Tag::group, workspace.id, low),
                                   make_key(Tag::group, workspace.id, workspace.next.ticket),
                                   [&](std::string_view key, std::string_view value) {
                                     if (const auto group = decode_group(key, value)) {
                                       added.oldest = group->head.accepted_wall;
                                     }
                                     return !added.oldest;
                                   });
    if (!first && first.error().code != Errc::corrupt) {
      return std::unexpected(first.error());
    }
  }
  return stat;
}

Result<Verification> verify(const std::string& path, const std::string& program) {
  return export_events(path, nullptr, program);
}

Result<Verification> export_events(const std::string& path,
                                   const std::function<void(const ExportedEvent&)>& take,
                                   const std::string& program) {
  const auto opened = open_offline(path, program);
  if (!opened) {
    return std::unexpected(opened.error());
  }
  ReadPast engine(opened->database.engine());
  const auto take_group = [&](const LoadedWorkspace& workspace, const Group& group) {
    for (std::size_t i = 0; take && i < group.records().size(); ++i) {
      take({.workspace = workspace.name,
            .ticket = group.ticket,
            .index = i,
            .kind = group.records()[i].kind,
            .accepted_at = group.accepted_wall(),
            .json = group.json(i)});
    }
  };
  auto found = read_all(engine, opened->tally, take_group);
  if (found) {
    found->cannot_open = opened->database.doubt();
  }
  return found;
}

Result<Repair> repair(const std::string& path, const std::string& program) {
  Repair repair;
  {
    auto opened = open_offline(path, program);
    if (!opened) {
      return std::unexpected(opened.error());
    }
    ReadPast engine(opened->database.engine());
    auto found = read_all(engine, opened->tally, [](const LoadedWorkspace&, const Group&) {});
    if (!found) {
      return std::unexpected(found.error());
    }
    found->cannot_open = opened->database.doubt();
    repair.found = *std::move(found);
  }
  if (repair.found.is_sound()) {
    return repair;
  }
  const auto folder = Folder::open(path, Folder::Missing::fail);
  if (!folder) {
    return std::unexpected(folder.error());
  }
  const Tally tally = door_of(*folder, program).tally;
  auto rebuilt = rebuild(folder->database_path(), tally, Options().write_buffer_bytes);
  if (!rebuilt) {
    return std::unexpected(rebuilt.error());
  }
  repair.is_rebuilt = true;
  repair.set_aside = std::move(rebuilt->aside);
  const auto engine = open_rocksdb({.path = folder->database_path()});
  if (!engine) {
    return std::unexpected(engine.error());
  }
  // More may be found than could be read.
  auto found = read_all(**engine, tally, [](const LoadedWorkspace&, const Group&) {});
  if (!found) {
    return std::unexpected(found.error());
  }
  repair.found = *std::move(found);
  if (auto settled = settle_losses(**engine, tally); !settled) {
    return std::unexpected(settled.error());
  }
  return repair;
}

}  // namespace sluice::store
