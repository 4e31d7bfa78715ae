// The store's decisions, without a thread: what is committed when, what a failure means, what is
// read back.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <sluice/store/store.hpp>

#include "load.hpp"
#include "probe.hpp"
#include "read_back.hpp"
#include "tally.hpp"
#include "trouble.hpp"
#include "workspace_buffer.hpp"

namespace sluice::store {

class Core final : public SteppedStore {
 public:
  Core(const Options& options, const Clock& clock, std::unique_ptr<Engine> engine, Bells bells,
       Quarantine quarantine, RaiseFormat raise_format, TallyKeeper tally);
  ~Core() override { close(); }

  // Once, before anything else.
  [[nodiscard]] Result<void> start(std::vector<Workspace> workspaces);

  [[nodiscard]] buffer::Buffer& buffer(std::size_t workspace) override {
    return *workspaces_[workspace];
  }
  [[nodiscard]] Backlog recovered(std::size_t workspace) const override {
    return workspaces_[workspace]->recovered;
  }
  void expose(metrics::Exposition& exposition) const override;
  std::uint64_t close() override;
  MonoTime commit_step() override;
  MonoTime read_step() override;

 private:
  // A workspace with events on disk that is not configured any more.
  struct Orphan {
    std::string name;
    Backlog backlog;
  };

  void add_workspace(Workspace workspace, LoadedWorkspace loaded);
  [[nodiscard]] Result<void> find_orphans(const std::set<WorkspaceId>& configured);
  [[nodiscard]] Result<void> restore_window(WorkspaceBuffer& workspace);

  [[nodiscard]] MonoTime work(MonoTime now);
  [[nodiscard]] MonoTime wait_out_trouble(MonoTime now);
  [[nodiscard]] MonoTime await_room(MonoTime now);
  [[nodiscard]] bool has_releases() const;
  [[nodiscard]] std::uint64_t live_bytes() const;
  [[nodiscard]] std::uint64_t backlog_events() const;
  void commit(bool sync);
  [[nodiscard]] Result<void> write_commit(bool sync);
  void keep_tally();
  void place_appends();
  void place_answer(WorkspaceBuffer& workspace, Group& answer);
  void take_releases();
  void place_releases();
  void put_appended(const WorkspaceBuffer& workspace);
  void finish_commit();
  void let_reclaim();
  void undo_commit(const Error& error);
  void sync_when_due(MonoTime now);
  void refuse(std::deque<Append>& appends);
  void enter_trouble(const Error& error);
  void run_out_of_room();
  [[nodiscard]] Result<void> recover();
  [[nodiscard]] Result<void> write_known_state();
  [[nodiscard]] bool commit_all();
  [[nodiscard]] std::uint64_t abandon_waiting();

  // Whether it is to be tried again at once; nothing after a failure.
  [[nodiscard]] std::optional<bool> read_ahead(WorkspaceBuffer& workspace);
  [[nodiscard]] bool may_pass(const WorkspaceBuffer& workspace, Ticket from, MonoTime now);
  void note_failure(WorkspaceBuffer& workspace, const ReadBack& read, MonoTime now);
  void count_lost(WorkspaceBuffer& workspace, const LostGroups& lost);
  void reclaim(WorkspaceBuffer& workspace);

  const Options options_;
  const Clock& clock_;
  const std::unique_ptr<Engine> engine_;
  const Bells bells_;
  const Quarantine quarantine_;
  const RaiseFormat raise_format_;
  const TallyKeeper tally_keeper_;
  std::atomic<bool> closed_{false};
  Trouble trouble_;
  AppendQueue queue_;
  std::vector<std::unique_ptr<WorkspaceBuffer>> workspaces_;
  std::vector<Orphan> orphans_;
  // The read thread asks the commit thread whether the device works, apart from what it cannot
  // read.
  std::atomic<bool> proof_wanted_{false};
  std::atomic<MonoTime> proven_at_{MonoTime::min()};

  std::atomic<std::uint64_t> unstored_events_{0};  // while the files are gone

  // The commit thread's.
  Tally unconfigured_;       // what was kept of workspaces that are not configured
  std::string tally_bytes_;  // keeps its memory
  std::deque<Append> waiting_;
  std::deque<Append> committing_;
  Batch batch_;
  std::string value_;                // keeps its memory
  std::uint32_t format_needed_ = 0;  // by what is in the batch
  std::uint32_t format_raised_ = format_version_first;
  std::optional<MonoTime> releases_due_;
  std::optional<MonoTime> sync_due_;
  MonoTime recover_at_;
  bool awaiting_room_ = false;  // in trouble; all works, but nothing may be taken in
  CommitProbe probe_;
};

}  // namespace sluice::store
