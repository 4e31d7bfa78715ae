#include <algorithm>
#include <filesystem>
#include <utility>

#include <sluice/store/offline.hpp>

#include "codec.hpp"
#include "folder.hpp"
#include "load.hpp"
#include "read_back.hpp"
#include "rocksdb_engine.hpp"

namespace sluice::store {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t read_bytes = 8U << 20;

struct Opened {
  Folder folder;
  std::unique_ptr<Engine> engine;
};

Result<Opened> open_offline(const std::string& path, bool read_only) {
  auto folder = Folder::open(path, Folder::Missing::fail);
  if (!folder) {
    return std::unexpected(folder.error());
  }
  auto engine = open_rocksdb({.path = folder->database_path(), .read_only = read_only});
  if (!engine) {
    return failure(
        engine.error().code,
        "cannot open the store in " + path + ": " + engine.error().message +
            (engine.error().code == Errc::corrupt ? "; try `sluice buffer repair`" : ""));
  }
  return Opened{.folder = *std::move(folder), .engine = *std::move(engine)};
}

Result<std::vector<LoadedWorkspace>> load_all(Engine& engine) {
  const auto ids = stored_ids(engine);
  if (!ids) {
    return std::unexpected(ids.error());
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
    Engine& engine, const std::function<void(const LoadedWorkspace&, const Group&)>& take) {
  const auto workspaces = load_all(engine);
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

// Copies what can be read of a workspace. What is lost counts as released in the copy. Returns the
// first format that has what is in it.
Result<std::uint32_t> copy_workspace(Engine& from, LoadedWorkspace workspace, Engine& to) {
  std::uint32_t format = format_version_first;
  Batch batch;
  std::string value;
  const LoadedWorkspace original = workspace;
  auto copied = read_workspace(from, original, [&](ReadBack& read) {
    batch.clear();
    for (std::size_t i = 0; i < read.groups.size(); ++i) {
      const std::string key = make_key(Tag::group, workspace.id, read.groups[i]->ticket);
      format = std::max(format, encode_group(key, *read.groups[i], read.befores[i], value));
      batch.put(key, value);
    }
    for (const LostGroups& lost : read.lost) {
      for_each_piece(lost, original.releases.ranges(), [&](const LostGroups& piece) {
        workspace.releases.add(piece.begin, piece.end, piece.totals);
      });
    }
    return to.write(batch, false);
  });
  if (!copied) {
    return std::unexpected(copied.error());
  }
  batch.clear();
  const auto read =
      read_past_damage(from, Tag::dedup, workspace.id, {.begin = 0, .end = workspace.next.ticket},
                       [&](std::string_view key, std::string_view stored) {
                         if (decode_keys(key, stored)) {
                           batch.put(key, stored);
                         }
                         return true;
                       });
  if (!read) {
    return std::unexpected(read.error());
  }
  workspace.releases.write_all(batch);
  const std::string key = make_key(Tag::appended, workspace.id);
  batch.put(key, encode_appended(key, {.next = workspace.next, .name = workspace.name}));
  if (auto written = to.write(batch, true); !written) {
    return std::unexpected(written.error());
  }
  return format;
}

Result<std::uint32_t> copy_store(Engine& from, Engine& to) {
  const auto workspaces = load_all(from);
  if (!workspaces) {
    return std::unexpected(workspaces.error());
  }
  std::uint32_t format = format_version_first;
  for (const LoadedWorkspace& workspace : *workspaces) {
    const auto copied = copy_workspace(from, workspace, to);
    if (!copied) {
      return copied;
    }
    format = std::max(format, *copied);
  }
  return format;
}

}  // namespace

Result<StoreStat> stat(const std::string& path) {
  const auto opened = open_offline(path, true);
  if (!opened) {
    return std::unexpected(opened.error());
  }
  Engine& engine = *opened->engine;
  StoreStat stat{
      .format = opened->folder.format(), .disk_bytes = engine.stats().disk_bytes, .workspaces = {}};
  const auto workspaces = load_all(engine);
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

Result<Verification> verify(const std::string& path) {
  const auto opened = open_offline(path, true);
  if (!opened) {
    return std::unexpected(opened.error());
  }
  return read_all(*opened->engine, [](const LoadedWorkspace&, const Group&) {});
}

Result<Verification> export_events(const std::string& path,
                                   const std::function<void(const ExportedEvent&)>& take) {
  const auto opened = open_offline(path, true);
  if (!opened) {
    return std::unexpected(opened.error());
  }
  return read_all(*opened->engine, [&](const LoadedWorkspace& workspace, const Group& group) {
    for (std::size_t i = 0; i < group.records().size(); ++i) {
      take({.workspace = workspace.name,
            .ticket = group.ticket,
            .index = i,
            .kind = group.records()[i].kind,
            .accepted_at = group.accepted_wall(),
            .json = group.json(i)});
    }
  });
}

Result<Repair> repair(const std::string& path) {
  // Opening it for writing replays the log, and repairs RocksDB itself where that is needed.
  auto opened = open_offline(path, false);
  if (!opened) {
    return std::unexpected(opened.error());
  }
  auto found = read_all(*opened->engine, [](const LoadedWorkspace&, const Group&) {});
  if (!found) {
    return std::unexpected(found.error());
  }
  if (found->is_sound() && opened->engine->stats().repairs == 0) {
    return Repair{.found = *std::move(found), .set_aside = {}};
  }
  const std::string draft = opened->folder.database_path() + ".new";
  std::error_code error;
  fs::remove_all(draft, error);
  auto copy = open_rocksdb({.path = draft});
  if (!copy) {
    return std::unexpected(copy.error());
  }
  const auto copied = copy_store(*opened->engine, **copy);
  (*copy)->close();
  opened->engine->close();
  if (!copied) {
    return std::unexpected(copied.error());
  }
  if (auto raised = opened->folder.raise_format(*copied); !raised) {
    return std::unexpected(raised.error());
  }
  auto aside = set_database_aside(opened->folder.database_path());
  if (!aside) {
    return std::unexpected(aside.error());
  }
  fs::rename(draft, opened->folder.database_path(), error);
  if (error) {
    return failure(Errc::failed, "cannot rename " + draft + ": " + error.message());
  }
  return Repair{.found = *std::move(found), .set_aside = *std::move(aside)};
}

}  // namespace sluice::store
