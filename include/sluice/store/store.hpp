// The buffer on disk: what was acknowledged survives a crash of the process and of the machine.
//
// All workspaces share one RocksDB with one write-ahead log. One thread commits: it takes all
// groups that have arrived, writes them as one batch, syncs once, and acknowledges them; what
// arrives during the sync is the next batch. A group's ticket is its place in its workspace's order
// of commits, and goes on after a restart. docs/store-format.md describes what is stored.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sluice/base/clock.hpp>
#include <sluice/base/result.hpp>
#include <sluice/buffer/backing.hpp>
#include <sluice/store/engine.hpp>

namespace sluice::store {

// When a commit is synced.
enum class SyncPolicy : std::uint8_t {
  always,    // before it is acknowledged
  interval,  // in the background: a crash of the machine costs what was acknowledged since
};

// How far the opening of a store has come.
struct OpeningProgress {
  enum class Step : std::uint8_t {
    trying,      // whether it can be opened, in another process
    opening,     // it reads its logs
    rebuilding,  // it is built anew of what can be read
  };
  Step step = Step::trying;
  std::uint64_t done_bytes = 0;  // read and written in this step
  std::uint64_t bytes = 0;       // that are to be; 0: nobody knows
};
// Called about once a second, only while there is progress, one call at a time, on any thread.
using TellOpening = std::function<void(const OpeningProgress&)>;

struct Options {
  std::string path;  // a folder; created where missing
  // Sluice itself, by path, or what else calls run_trial() when it is told to (trial.hpp): it is
  // started for a moment to open the database first. Empty: nothing is started, and a damaged
  // database may end the process.
  std::string program = {};
  SyncPolicy sync = SyncPolicy::always;
  std::chrono::nanoseconds sync_interval = std::chrono::milliseconds(100);
  std::size_t producers = 1;                 // threads that append
  std::size_t tail_bytes_max = 32U << 20;    // per workspace: groups kept in memory after a commit
  std::size_t read_ahead_bytes = 8U << 20;   // per workspace: read from disk ahead of need
  std::size_t commit_bytes_max = 16U << 20;  // after this many, what has arrived waits its turn
  std::size_t reclaim_bytes = 32U << 20;     // once so many were released, files go
  // What the database collects before it flushes it: it holds up to three of these in memory.
  std::size_t write_buffer_bytes = 32U << 20;
  TellOpening tell_opening = nullptr;  // may be empty
};

using buffer::Backlog;
using buffer::Workspace;

// One per gateway. Closing it gives up events that were acknowledged at the level memory, if the
// disk does not take them.
class Store : public buffer::Backing {
 public:
  [[nodiscard]] bool survives_process() const final { return true; }
  // What was there at the start.
  [[nodiscard]] virtual Backlog recovered(std::size_t workspace) const = 0;
};

// What a store at the path has for its files: what is free on its file system, and what they take
// already. Nothing if it cannot be told.
[[nodiscard]] std::optional<std::uint64_t> room_for_store(const std::string& path);

// Opens the store at `options.path`, or on `engine` if one is given, and starts its threads. Comes
// up whenever it can: what is unreadable is set aside, counted and logged. Fails when another
// process has the store open, when it is of another format, and when the folder cannot be used; the
// message says what to do. `clock` outlives the store.
[[nodiscard]] Result<std::unique_ptr<Store>> open(const Options& options,
                                                  std::vector<Workspace> workspaces,
                                                  const Clock& clock,
                                                  std::unique_ptr<Engine> engine = nullptr);

// A store without threads: who owns it gives it its turns. For simulations; the real one is this
// one and two threads.
class SteppedStore : public Store {
 public:
  // One turn of the commit thread. When the next one is due at the latest: in the past for at once,
  // MonoTime::max() for when `bells.commit` is rung.
  virtual MonoTime commit_step() = 0;
  // One turn of the thread that reads groups back; likewise with `bells.read`.
  virtual MonoTime read_step() = 0;
};
// Called, on any thread, when there is something to do before the time that was announced.
struct Bells {
  std::function<void()> commit;
  std::function<void()> read;
};
// Keeps the bytes of a record that cannot be read, for people.
using Quarantine = std::function<void(const std::string& workspace, Ticket, std::string_view)>;
// Notes that the store has what no format before this one has; on disk when it returns without an
// error. Called on the commit thread.
using RaiseFormat = std::function<Result<void>(std::uint32_t format)>;

// How far the workspaces have come, kept apart from the engine, so that what the engine has lost is
// known.
struct TallyKeeper {
  std::string found;  // what was last kept; empty: nothing
  // Keeps it in place of the last; called on the commit thread after each commit, before its
  // acknowledgements. May be empty.
  std::function<void(std::string_view)> keep;
};

[[nodiscard]] Result<std::unique_ptr<SteppedStore>> open_stepped(
    const Options& options, std::vector<Workspace> workspaces, const Clock& clock,
    std::unique_ptr<Engine> engine, Bells bells, Quarantine quarantine,
    RaiseFormat raise_format = nullptr, TallyKeeper tally = {});

}  // namespace sluice::store
