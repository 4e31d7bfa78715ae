// The buffer of one workspace on disk, as ingest and delivery see it.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <vector>

#include <sluice/queue/ordered_queue.hpp>
#include <sluice/store/store.hpp>

#include "codec.hpp"
#include "dedup_log.hpp"
#include "feed.hpp"
#include "load.hpp"
#include "open_events.hpp"
#include "reclaim.hpp"
#include "release_log.hpp"
#include "trouble.hpp"

namespace sluice::store {

// A group on its way into a commit.
struct Append {
  std::size_t workspace = 0;  // its index
  buffer::AckLevel wanted = buffer::AckLevel::disk;
  Group::Owner group;                       // none: a mark, acknowledged when what precedes it is
  buffer::Buffer::Acknowledge acknowledge;  // empty: has been acknowledged
};
using AppendQueue = queue::OrderedQueue<Append>;

// What the buffers of a store share; outlives them.
struct Shared {
  AppendQueue& queue;
  const Trouble& trouble;
  const std::atomic<bool>& closed;
  const Bells& bells;
};

class WorkspaceBuffer final : public buffer::Buffer {
 public:
  WorkspaceBuffer(Shared shared, std::size_t index, Workspace workspace, LoadedWorkspace loaded,
                  Feed::Limits limits, std::uint64_t reclaim_bytes);

  [[nodiscard]] buffer::AckLevel level() const override { return buffer::AckLevel::disk; }
  [[nodiscard]] bool append(std::size_t producer, Group::Owner group, buffer::AckLevel wanted,
                            Acknowledge acknowledge) noexcept override;
  [[nodiscard]] bool await_earlier(std::size_t producer, buffer::AckLevel wanted,
                                   Acknowledge acknowledge) noexcept override;
  void read(std::vector<Group::Owner>& out, std::size_t bytes_max) override;
  void release(Group::Owner group) override;
  [[nodiscard]] bool try_sleep() override { return feed.try_sleep(); }
  [[nodiscard]] std::string trouble() const override { return shared_.trouble.text(); }

  // The group has been committed.
  void stored(const Append& append);
  // Thread-safe.
  void add_release(const Release& release);
  [[nodiscard]] bool has_releases();
  [[nodiscard]] std::vector<Release> take_releases();
  // What may be released now that everything before this ticket has been.
  [[nodiscard]] std::vector<Release> take_held(Ticket low);

  const Workspace config;
  const WorkspaceId id;
  const Backlog recovered;
  // Released before the start, beyond the low ticket.
  const ReleaseLog::Ranges released_before;
  Feed feed;
  std::atomic<std::uint64_t> events_lost{0};

  // The read thread's: where it cannot go on, as the device refuses to read.
  struct Stuck {
    Ticket at;
    MonoTime since;
  };
  std::optional<Stuck> stuck;

  // The commit thread's.
  Position next;
  ReleaseLog releases;
  DedupLog dedup;
  std::vector<Group::Owner> committed;  // by the commit under way
  bool touched = false;                 // by it
  Reclaim reclaim;

 private:
  const Shared shared_;
  const std::size_t index_;
  // Groups that were acknowledged at the level memory and are in no commit yet. Raised before the
  // window knows of them: who finds a repetition there sees this, too.
  std::atomic<std::uint64_t> unstored_{0};
  std::mutex mutex_;
  std::vector<Release> released_;
  OpenEvents open_events_;
  bool held_back_ = false;  // a group was, since the commit thread has last looked
};

}  // namespace sluice::store
