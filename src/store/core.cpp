#include "core.hpp"

#include <algorithm>
#include <iterator>
#include <ranges>
#include <set>
#include <utility>

#include <sluice/base/assert.hpp>
#include <sluice/base/calendar.hpp>
#include <sluice/base/log.hpp>

#include "read_past.hpp"

namespace sluice::store {
namespace {

using namespace std::chrono_literals;

// Releases wait this long for a commit that takes them along. What is not written when the process
// dies is delivered again.
constexpr std::chrono::nanoseconds release_wait = 50ms;
constexpr std::chrono::nanoseconds recover_interval = 1s;
constexpr std::chrono::nanoseconds read_retry_interval = 1s;
// What the device refuses to read for so long, while it works otherwise, is lost.
constexpr std::chrono::nanoseconds read_patience = 5s;

std::string describe(const Error& error, const std::string& path) {
  if (error.code == Errc::disk_full) {
    return "the disk is full: free space on the file system of " + path +
           "; events are taken in again by themselves then";
  }
  if (error.code == Errc::gone) {
    return "the disk buffer's files are gone from " + path +
           " (deleted, renamed, or under another mount): put them back; what waits for its "
           "delivery "
           "is in memory only";
  }
  return "the disk buffer cannot write: " + error.message + "; check the device of " + path +
         ", it is tried again each second";
}

void note_committed(DedupLog& log, const Group& group, std::uint64_t entries) {
  if (group.records().empty()) {
    log.note_answer(group.ticket, group.answer()->request.identity, group.accepted_wall());
  } else {
    log.note(group.ticket, group.accepted_wall(), entries);
  }
}

void note_stored(DedupLog& log, std::string_view key, const StoredKeys& stored) {
  const Ticket ticket = ticket_of_key(key);
  if (is_answer_key(key) && stored.answer) {
    log.note_answer(ticket, stored.answer->request.identity, stored.accepted_wall);
  } else {
    log.note(ticket, stored.accepted_wall, stored.keys.size() + (stored.answer ? 1 : 0));
  }
}

}  // namespace

Core::Core(const Options& options, const Clock& clock, std::unique_ptr<Engine> engine, Bells bells,
           Quarantine quarantine, RaiseFormat raise_format, TallyKeeper tally)
    : options_(options),
      clock_(clock),
      engine_(std::move(engine)),
      bells_(std::move(bells)),
      quarantine_(std::move(quarantine)),
      raise_format_(std::move(raise_format)),
      tally_keeper_(std::move(tally)),
      queue_(options.producers, bells_.commit) {
  SLUICE_ASSERT(options_.read_ahead_bytes > 0 && options_.commit_bytes_max > 0);
}

Result<void> Core::start(std::vector<Workspace> workspaces) {
  ReadPast engine(*engine_);
  unconfigured_ = decode_tally(tally_keeper_.found).value_or(Tally());
  std::set<WorkspaceId> ids;
  for (Workspace& workspace : workspaces) {
    const auto id = id_of(engine, workspace.name, ids);
    if (!id) {
      return std::unexpected(id.error());
    }
    ids.insert(*id);
    auto loaded = load_workspace(engine, *id);
    if (!loaded) {
      return std::unexpected(loaded.error());
    }
    loaded->name = workspace.name;
    raise(*loaded, unconfigured_);
    unconfigured_.erase(*id);
    add_workspace(std::move(workspace), *std::move(loaded));
    if (auto restored = restore_window(*workspaces_.back()); !restored) {
      return restored;
    }
  }
  if (auto found = find_orphans(ids); !found) {
    return found;
  }
  // Also a probe: with a full disk the store comes up, delivers what it has, and takes nothing in.
  if (const auto written = write_known_state(); !written) {
    enter_trouble(written.error());
  } else if (!engine_->has_room()) {
    run_out_of_room();
  }
  for (const auto& workspace : workspaces_) {
    if (workspace->config.recovered) {
      workspace->config.recovered(workspace->recovered);
    }
  }
  return {};
}

void Core::add_workspace(Workspace workspace, LoadedWorkspace loaded) {
  const Shared shared{.queue = queue_, .trouble = trouble_, .closed = closed_, .bells = bells_};
  workspaces_.push_back(std::make_unique<WorkspaceBuffer>(
      shared, workspaces_.size(), std::move(workspace), std::move(loaded),
      Feed::Limits{.tail_bytes_max = options_.tail_bytes_max,
                   .read_ahead_bytes = options_.read_ahead_bytes},
      options_.reclaim_bytes));
  const WorkspaceBuffer& added = *workspaces_.back();
  if (added.recovered.events > 0) {
    SLUICE_LOG(info, "found events of an earlier run", {"workspace", added.config.name},
               {"events", added.recovered.events}, {"bytes", added.recovered.bytes});
  }
}

Result<void> Core::find_orphans(const std::set<WorkspaceId>& configured) {
  ReadPast engine(*engine_);
  auto stored = stored_ids(engine);
  if (!stored) {
    return std::unexpected(stored.error());
  }
  for (const auto& [id, entry] : unconfigured_) {
    stored->insert(id);
  }
  for (const WorkspaceId id : *stored) {
    if (configured.contains(id)) {
      continue;
    }
    auto loaded = load_workspace(engine, id);
    if (!loaded) {
      return std::unexpected(loaded.error());
    }
    raise(*loaded, unconfigured_);
    Orphan orphan{.name = loaded->name.empty() ? "#" + std::to_string(id) : loaded->name,
                  .backlog = loaded->releases.backlog(loaded->next)};
    if (orphan.backlog.events > 0) {
      SLUICE_LOG(error,
                 "the buffer holds events of a workspace that is not configured; they are kept: "
                 "configure it again, or take them out with `sluice buffer export`",
                 {"workspace", orphan.name}, {"events", orphan.backlog.events});
      orphans_.push_back(std::move(orphan));
    }
  }
  return {};
}

Result<void> Core::restore_window(WorkspaceBuffer& workspace) {
  buffer::DedupWindow& window = *workspace.config.window;
  const MonoTime now = clock_.mono_now();
  const WallTime wall_now = clock_.wall_now();
  MonoTime latest = MonoTime::min();
  ReadPast engine(*engine_);
  const auto damaged =
      read_past_damage(engine, Tag::dedup, workspace.id, {.begin = 0, .end = workspace.next.ticket},
                       [&](std::string_view key, std::string_view value) {
                         const auto stored = decode_keys(key, value);
                         if (!stored) {
                           return true;
                         }
                         note_stored(workspace.dedup, key, *stored);
                         const auto age = age_at(wall_now, stored->accepted_wall);
                         if (age >= window.options().window) {
                           return true;
                         }
                         latest = std::max<MonoTime>(latest, now - age);
                         for (const DedupKey dedup_key : stored->keys) {
                           window.restore(dedup_key, latest);
                         }
                         if (stored->answer) {
                           window.restore(*stored->answer, stored->accepted_wall, latest);
                         }
                         return true;
                       });
  if (!damaged) {
    return std::unexpected(damaged.error());
  }
  if (*damaged) {
    SLUICE_LOG(error,
               "a part of the deduplication window is unreadable: some events that are sent again "
               "will be delivered again",
               {"workspace", workspace.config.name});
  }
  return {};
}

// ---- The commit thread --------------------------------------------------------------------------

MonoTime Core::commit_step() {
  const MonoTime now = clock_.mono_now();
  queue_.drain(waiting_);
  if (!trouble_.exists() && !waiting_.empty() && !engine_->has_room()) {
    run_out_of_room();
  }
  const MonoTime due = !trouble_.exists() ? work(now)
                       : awaiting_room_   ? await_room(now)
                                          : wait_out_trouble(now);
  return queue_.try_sleep() ? due : now;
}

MonoTime Core::work(MonoTime now) {
  if (has_releases() && !releases_due_) {
    releases_due_ = now + release_wait;
  }
  if (proof_wanted_.exchange(false, std::memory_order_relaxed)) {
    workspaces_.front()->touched = true;  // so that there is something to write
    commit(true);
    proven_at_.store(trouble_.exists() ? MonoTime::min() : now, std::memory_order_relaxed);
  } else if (!waiting_.empty()) {
    commit(options_.sync == SyncPolicy::always);
  } else if (releases_due_ && *releases_due_ <= now) {
    commit(false);
  }
  sync_when_due(now);
  if (trouble_.exists()) {
    return recover_at_;
  }
  if (!waiting_.empty()) {
    return now;
  }
  return std::min(releases_due_.value_or(MonoTime::max()), sync_due_.value_or(MonoTime::max()));
}

MonoTime Core::wait_out_trouble(MonoTime now) {
  refuse(waiting_);
  if (now < recover_at_) {
    return recover_at_;
  }
  if (const auto recovered = recover(); !recovered) {
    enter_trouble(recovered.error());
    return recover_at_;
  }
  awaiting_room_ = true;
  unstored_events_.store(0, std::memory_order_relaxed);
  return await_room(now);
}

// Delivery goes on, and what it has ended is removed; that may make the room that is missing.
MonoTime Core::await_room(MonoTime now) {
  refuse(waiting_);
  sync_when_due(now);
  if (awaiting_room_ && now >= recover_at_ && has_releases()) {
    commit(true);
  }
  if (!awaiting_room_ || now < recover_at_) {  // a failure comes with its own time
    return std::min(recover_at_, sync_due_.value_or(MonoTime::max()));
  }
  if (!engine_->has_room()) {
    if (const auto made = engine_->make_room(live_bytes()); !made) {
      enter_trouble(made.error());
      return recover_at_;
    }
  }
  if (!engine_->has_room()) {
    recover_at_ = clock_.mono_now() + recover_interval;
    return recover_at_;
  }
  SLUICE_LOG(info, "the disk buffer works again");
  probe_.recoveries.add();
  awaiting_room_ = false;
  trouble_.set({});
  return now;
}

bool Core::has_releases() const {
  return std::ranges::any_of(workspaces_,
                             [](const auto& workspace) { return workspace->has_releases(); });
}

std::uint64_t Core::backlog_events() const {
  std::uint64_t events = 0;
  for (const auto& workspace : workspaces_) {
    events += workspace->releases.backlog(workspace->next).events;
  }
  return events;
}

// Of what is stored and was not released, at most: it may be stored compressed.
std::uint64_t Core::live_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& workspace : workspaces_) {
    bytes += workspace->releases.backlog(workspace->next).bytes + workspace->dedup.stored_bytes();
  }
  for (const Orphan& orphan : orphans_) {
    bytes += orphan.backlog.bytes;
  }
  return bytes;
}

void Core::commit(bool sync) {
  const MonoTime begin = clock_.mono_now();
  batch_.clear();
  place_appends();
  place_releases();
  for (const auto& workspace : workspaces_) {
    sync = workspace->reclaim.update(workspace->releases.low(), workspace->next) || sync;
  }
#ifdef SLUICE_PLANTED_BUG  // what the simulation must find: tests/simulation/planted_bug_test.cpp
  sync = false;
#endif
  const auto written = write_commit(sync);
  if (!written) {
    undo_commit(written.error());
    return;
  }
  keep_tally();
  if (!sync && options_.sync == SyncPolicy::interval && !sync_due_) {
    sync_due_ = begin + options_.sync_interval;
  }
  if (!committing_.empty()) {
    probe_.commits.add();
    probe_.groups.observe(static_cast<double>(committing_.size()));
    probe_.duration.observe(clock_.mono_now() - begin);
  }
  finish_commit();
}

// A version that would take the records for damaged must not find them in a store of its format.
Result<void> Core::write_commit(bool sync) {
  if (format_needed_ > format_raised_ && raise_format_) {
    if (auto raised = raise_format_(format_needed_); !raised) {
      return raised;
    }
    format_raised_ = format_needed_;
  }
  return engine_->write(batch_, sync);
}

void Core::keep_tally() {
  if (!tally_keeper_.keep) {
    return;
  }
  std::vector<TallyPart> parts;
  parts.reserve(workspaces_.size() + unconfigured_.size());
  for (const auto& workspace : workspaces_) {
    parts.push_back({.id = workspace->id,
                     .next = workspace->next,
                     .low = workspace->releases.low(),
                     .ranges = workspace->releases.ranges()});
  }
  for (const auto& [id, entry] : unconfigured_) {
    parts.push_back({.id = id,
                     .next = entry.next,
                     .low = entry.low,
                     .ranges = entry.ranges,
                     .is_complete = entry.is_complete});
  }
  encode_tally(parts, tally_bytes_);
  tally_keeper_.keep(tally_bytes_);
}

void Core::place_appends() {
  format_needed_ = 0;
  std::size_t events_bytes = 0;  // before they are compressed, which takes its time too
  while (!waiting_.empty() && !awaiting_room_ &&
         std::max(batch_.size_bytes(), events_bytes) < options_.commit_bytes_max) {
    Append& append = committing_.emplace_back(std::move(waiting_.front()));
    waiting_.pop_front();
    if (append.group == nullptr) {
      continue;
    }
    WorkspaceBuffer& workspace = *workspaces_[append.workspace];
    Group& group = *append.group;
    if (group.records().empty()) {
      place_answer(workspace, group);
      continue;
    }
    group.ticket = workspace.next.ticket++;
    const std::string key = make_key(Tag::group, workspace.id, group.ticket);
    format_needed_ =
        std::max(format_needed_, encode_group(key, group, workspace.next.before, value_));
    batch_.put(key, value_);
    events_bytes += group.bytes().size();
    workspace.next.before += totals_of(group);
    workspace.touched = true;
    if (workspace.dedup.entries_of(group) > 0) {
      workspace.dedup.put(batch_, group);
    }
  }
  const WallTime wall_now = clock_.wall_now();
  for (const auto& workspace : workspaces_) {
    if (workspace->touched) {
      put_appended(*workspace);
      workspace->dedup.trim(batch_, wall_now);
    }
  }
}

// An answer without events takes no ticket: there is nothing to read back or to release.
void Core::place_answer(WorkspaceBuffer& workspace, Group& answer) {
  answer.ticket = workspace.next.ticket - 1;
  if (workspace.dedup.entries_of(answer) > 0) {
    workspace.dedup.put(batch_, answer);
    workspace.touched = true;
  }
}

void Core::take_releases() {
  releases_due_.reset();
  for (const auto& workspace : workspaces_) {
    std::vector<Release> ended = workspace->take_releases();
    do {
      for (const Release& release : ended) {
        workspace->releases.add(release.begin, release.end, release.totals);
      }
      ended = workspace->take_held(workspace->releases.low().ticket);
    } while (!ended.empty());
  }
}

void Core::place_releases() {
  take_releases();
  for (const auto& workspace : workspaces_) {
    if (workspace->releases.has_changes()) {
      workspace->releases.write_changes(batch_);
    }
  }
}

void Core::put_appended(const WorkspaceBuffer& workspace) {
  const std::string key = make_key(Tag::appended, workspace.id);
  batch_.put(key, encode_appended(key, {.next = workspace.next, .name = workspace.config.name}));
}

void Core::finish_commit() {
  for (Append& append : committing_) {
    if (append.group == nullptr) {
      continue;
    }
    WorkspaceBuffer& workspace = *workspaces_[append.workspace];
    if (const std::uint64_t entries = workspace.dedup.entries_of(*append.group); entries > 0) {
      note_committed(workspace.dedup, *append.group, entries);
    }
    probe_.appended_bytes.add(append.group->bytes().size());
    workspace.stored(append);
    if (!append.group->records().empty()) {
      workspace.committed.push_back(std::move(append.group));
    }
  }
  for (Append& append : committing_) {
    if (append.acknowledge) {
      append.acknowledge({});
    }
  }
  committing_.clear();
  for (const auto& workspace : workspaces_) {
    workspace->releases.written();
    if (std::exchange(workspace->touched, false) && workspace->feed.offer(workspace->committed)) {
      workspace->config.wake();
    }
  }
  let_reclaim();
}

// What was written is on stable storage, as far as it matters here.
void Core::let_reclaim() {
  for (const auto& workspace : workspaces_) {
    if (workspace->reclaim.synced()) {
      bells_.read();
    }
  }
}

// Nothing of the commit counts; what was acknowledged already is tried again.
void Core::undo_commit(const Error& error) {
  for (const Append& append : committing_ | std::views::reverse) {
    if (append.group == nullptr) {
      continue;
    }
    if (append.group->records().empty()) {
      workspaces_[append.workspace]->dedup.take_back(*append.group);
      continue;
    }
    Position& next = workspaces_[append.workspace]->next;
    --next.ticket;
    next.before = next.before.minus(totals_of(*append.group));
  }
  for (const auto& workspace : workspaces_) {
    workspace->touched = false;
  }
  enter_trouble(error);
  waiting_.insert(waiting_.begin(), std::make_move_iterator(committing_.begin()),
                  std::make_move_iterator(committing_.end()));
  committing_.clear();
  refuse(waiting_);
}

void Core::sync_when_due(MonoTime now) {
  if (!sync_due_ || *sync_due_ > now || (trouble_.exists() && !awaiting_room_)) {
    return;
  }
  sync_due_.reset();
  if (const auto synced = engine_->sync(); !synced) {
    enter_trouble(synced.error());
  }
}

// Fails those that wait for their acknowledgement; keeps the others.
void Core::refuse(std::deque<Append>& appends) {
  std::deque<Append> kept;
  for (Append& append : appends) {
    if (!append.acknowledge) {
      kept.push_back(std::move(append));
      continue;
    }
    if (append.group != nullptr) {
      workspaces_[append.workspace]->config.settlement->refused(*append.group);
      append.group.reset();
    }
    append.acknowledge(failure(Errc::failed, trouble_.text()));
  }
  appends = std::move(kept);
}

void Core::enter_trouble(const Error& error) {
  probe_.failures.add();
  awaiting_room_ = false;
  trouble_.set(describe(error, options_.path));
  unstored_events_.store(error.code == Errc::gone ? backlog_events() : 0,
                         std::memory_order_relaxed);
  recover_at_ = clock_.mono_now() + recover_interval;
  SLUICE_LOG(error, "the disk buffer takes nothing in", {"reason", trouble_.text()},
             {"error", error.message});
}

// Nothing has failed yet, and nothing shall: what is stored has to be delivered and removed.
void Core::run_out_of_room() {
  trouble_.set(describe({.code = Errc::disk_full, .message = {}}, options_.path));
  awaiting_room_ = true;
  recover_at_ = clock_.mono_now();
  SLUICE_LOG(error, "the disk buffer takes nothing in", {"reason", trouble_.text()});
}

Result<void> Core::recover() {
  take_releases();  // they may make room
  if (auto reopened = engine_->reopen(); !reopened) {
    return reopened;
  }
  batch_.clear();
  for (const auto& workspace : workspaces_) {
    // What was refused must not come back.
    batch_.remove_range(make_key(Tag::group, workspace->id, workspace->next.ticket),
                        make_key(Tag::group, workspace->id, ticket_max));
    workspace->dedup.cut(batch_, workspace->next.ticket);
  }
  if (auto written = write_known_state(); !written) {
    return written;
  }
  for (const auto& workspace : workspaces_) {
    workspace->dedup.was_cut();
  }
  return {};
}

// On top of what is in the batch.
Result<void> Core::write_known_state() {
  for (const auto& workspace : workspaces_) {
    workspace->releases.write_all(batch_);
    put_appended(*workspace);
  }
  if (auto written = engine_->write(batch_, true); !written) {
    return written;
  }
  for (const auto& workspace : workspaces_) {
    workspace->releases.written();
  }
  keep_tally();
  let_reclaim();
  return {};
}

std::uint64_t Core::close() {
  if (closed_.exchange(true)) {
    return 0;
  }
  queue_.drain(waiting_);
  // What would be lost otherwise may have the last room.
  const auto spare_nothing = [this] {
    if (std::exchange(awaiting_room_, false)) {
      trouble_.set({});
    }
  };
  spare_nothing();
  if (trouble_.exists() || !commit_all()) {
    recover_at_ = MonoTime::min();
    static_cast<void>(wait_out_trouble(clock_.mono_now()));
    spare_nothing();
    static_cast<void>(commit_all());
  }
  const std::uint64_t given_up = abandon_waiting();
  engine_->close();
  return given_up;
}

// All that waits; whether it could be done.
bool Core::commit_all() {
  while (!trouble_.exists()) {
    const bool is_last = waiting_.empty();
    commit(true);
    if (is_last) {
      break;
    }
  }
  return !trouble_.exists();
}

// Acknowledged, and the disk does not take them, or its files are gone: they go with the process.
std::uint64_t Core::abandon_waiting() {
  std::uint64_t events = unstored_events_.load(std::memory_order_relaxed);
  for (const Append& append : waiting_) {
    events += append.group == nullptr ? 0 : append.group->records().size();
  }
  waiting_.clear();
  if (events > 0) {
    SLUICE_LOG(error, "events that were acknowledged and are in memory only are lost",
               {"events", events}, {"reason", trouble_.text()});
  }
  return events;
}

// ---- The read thread ----------------------------------------------------------------------------

MonoTime Core::read_step() {
  const MonoTime now = clock_.mono_now();
  MonoTime due = MonoTime::max();
  for (const auto& workspace : workspaces_) {
    const auto again = read_ahead(*workspace);
    if (!again) {
      due = std::min(due, now + read_retry_interval);
    } else if (*again) {
      due = now;
    }
    reclaim(*workspace);
  }
  return due;
}

std::optional<bool> Core::read_ahead(WorkspaceBuffer& workspace) {
  const auto want = workspace.feed.want();
  if (!want) {
    return false;
  }
  const MonoTime now = clock_.mono_now();
  ReadPast past(*engine_);
  Engine& engine = may_pass(workspace, want->from.ticket, now) ? past : *engine_;
  ReadBack read = read_back(
      engine, {.workspace = workspace.id,
               .from = want->from,
               .to = want->to,
               .bytes_max = want->bytes_max,
               .released = workspace.released_before,
               .now = now,
               .wall_now = clock_.wall_now(),
               .damaged =
                   [&](Ticket ticket, std::string_view value) {
                     if (quarantine_) {
                       quarantine_(workspace.config.name, ticket, value);
                     }
                   },
               .whose = [&](std::uint64_t bytes) { return workspace.feed.whose(bytes); }});
  for (const LostGroups& lost : read.lost) {
    count_lost(workspace, lost);
  }
  if (workspace.feed.fill(read.groups, read.reached)) {
    workspace.config.wake();
  }
  if (read.failed) {
    SLUICE_LOG(error, "buffered events cannot be read back at present; trying again",
               {"workspace", workspace.config.name}, {"error", read.failed->message});
    note_failure(workspace, read, now);
    return std::nullopt;
  }
  workspace.stuck.reset();
  return true;
}

void Core::note_failure(WorkspaceBuffer& workspace, const ReadBack& read, MonoTime now) {
  if (read.failed->code != Errc::unreadable) {
    workspace.stuck.reset();
    return;
  }
  if (!workspace.stuck || workspace.stuck->at != read.reached.ticket) {
    workspace.stuck = {.at = read.reached.ticket, .since = now};
  }
  proof_wanted_.store(true, std::memory_order_relaxed);
  bells_.commit();
}

// Whether what the device refuses to read is given up: not while it may be the whole device that
// fails. Then it can be written, and groups behind that can be read.
bool Core::may_pass(const WorkspaceBuffer& workspace, Ticket from, MonoTime now) {
  if (!workspace.stuck || workspace.stuck->at != from ||
      now - workspace.stuck->since < read_patience || trouble_.exists() ||
      proven_at_.load(std::memory_order_relaxed) <= workspace.stuck->since) {
    return false;
  }
  ReadPast engine(*engine_);
  const auto next = next_readable(engine, Tag::group, workspace.id, from, ticket_max);
  if (!next) {
    return false;
  }
  bool found = false;
  const auto read = engine.read(make_key(Tag::group, workspace.id, *next),
                                make_key(Tag::group, workspace.id, ticket_max),
                                [&](std::string_view, std::string_view) {
                                  found = true;
                                  return false;
                                });
  return read && found;
}

void Core::count_lost(WorkspaceBuffer& workspace, const LostGroups& lost) {
  const Backlog backlog = backlog_of(lost.groups, lost.totals);
  SLUICE_LOG(error, "buffered events cannot be read: the disk has damaged them, they are lost",
             {"workspace", workspace.config.name}, {"first_ticket", lost.begin},
             {"last_ticket", lost.end - 1}, {"groups", lost.groups}, {"events", backlog.events});
  workspace.events_lost.fetch_add(backlog.events, std::memory_order_relaxed);
  if (workspace.config.lost) {
    std::uint64_t events = backlog.events;
    for (const Share& share : lost.shares) {
      workspace.config.lost({.events = std::exchange(events, 0), .bytes = share.bytes},
                            share.producer);
    }
  }
  // For what stands behind them, they are released.
  for_each_piece(lost, workspace.released_before, [&](const LostGroups& piece) {
    workspace.add_release({.begin = piece.begin, .end = piece.end, .totals = piece.totals});
  });
}

void Core::reclaim(WorkspaceBuffer& workspace) {
  if (const auto job = workspace.reclaim.take(); job.to != 0) {
    engine_->reclaim(make_key(Tag::group, workspace.id), make_key(Tag::group, workspace.id, job.to),
                     job.thoroughly);
  }
}

// ---- Any thread ---------------------------------------------------------------------------------

void Core::expose(metrics::Exposition& exposition) const {
  exposition.counter("buffer_commits_total", "Commits of the disk buffer, each synced once.", {},
                     probe_.commits.value());
  exposition.histogram("buffer_commit_duration_seconds", "From taking groups to being on disk.", {},
                       probe_.duration.snapshot());
  exposition.histogram("buffer_commit_groups", "Groups, that is requests, per commit.", {},
                       probe_.groups.snapshot());
  exposition.counter("buffer_write_failures_total", "Writes and syncs that failed.", {},
                     probe_.failures.value());
  exposition.gauge("buffer_trouble", "1 while the disk buffer takes nothing in.", {},
                   trouble_.exists() ? 1 : 0);
  exposition.gauge("buffer_unstored_events",
                   "Acknowledged events that are in memory only, as the buffer's files are gone.",
                   {}, static_cast<double>(unstored_events_.load(std::memory_order_relaxed)));
  exposition.counter("buffer_appended_bytes_total", "Canonical bytes of events committed.", {},
                     probe_.appended_bytes.value());
  const Engine::Stats stats = engine_->stats();
  exposition.counter("buffer_written_bytes_total",
                     "Bytes written for them: log, tables, and tables rewritten.", {},
                     stats.written_bytes);
  exposition.gauge("buffer_disk_bytes", "Bytes that the buffer's files take.", {},
                   static_cast<double>(stats.disk_bytes));
  exposition.gauge("buffer_disk_free_bytes", "Bytes that are free on the buffer's file system.", {},
                   static_cast<double>(stats.free_bytes));
  exposition.gauge("buffer_reserve_bytes",
                   "Bytes kept for when the disk is full; 0: given back, or none are kept.", {},
                   static_cast<double>(stats.reserve_bytes));
  exposition.counter("buffer_log_dropped_bytes_total",
                     "Bytes of the write-ahead log that were unreadable at the start.", {},
                     stats.log_dropped_bytes);
  exposition.counter("buffer_repairs_total", "Stores that could only be opened by repair.", {},
                     stats.repairs);
  exposition.counter("buffer_stores_set_aside_total", "Stores beyond repair that were set aside.",
                     {}, stats.set_aside);
  for (const auto& workspace : workspaces_) {
    exposition.counter("buffer_events_lost_total", "Acknowledged events that cannot be read.",
                       {{"workspace", workspace->config.name}},
                       workspace->events_lost.load(std::memory_order_relaxed));
  }
  for (const Orphan& orphan : orphans_) {
    exposition.gauge("buffer_orphaned_events", "Events of workspaces that are not configured.",
                     {{"workspace", orphan.name}}, static_cast<double>(orphan.backlog.events));
  }
}

Result<std::unique_ptr<SteppedStore>> open_stepped(const Options& options,
                                                   std::vector<Workspace> workspaces,
                                                   const Clock& clock,
                                                   std::unique_ptr<Engine> engine, Bells bells,
                                                   Quarantine quarantine, RaiseFormat raise_format,
                                                   TallyKeeper tally) {
  auto core =
      std::make_unique<Core>(options, clock, std::move(engine), std::move(bells),
                             std::move(quarantine), std::move(raise_format), std::move(tally));
  if (auto started = core->start(std::move(workspaces)); !started) {
    return std::unexpected(started.error());
  }
  return core;
}

}  // namespace sluice::store
