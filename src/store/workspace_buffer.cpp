#include "workspace_buffer.hpp"

#include <utility>

namespace sluice::store {

WorkspaceBuffer::WorkspaceBuffer(Shared shared, std::size_t index, Workspace workspace,
                                 LoadedWorkspace loaded, Feed::Limits limits,
                                 std::uint64_t reclaim_bytes)
    : config(std::move(workspace)),
      id(loaded.id),
      recovered(loaded.releases.backlog(loaded.next)),
      released_before(loaded.releases.ranges()),
      feed(limits, loaded.releases.low(), loaded.next),
      next(loaded.next),
      releases(std::move(loaded.releases)),
      dedup(loaded.id, config.window->options()),
      reclaim(reclaim_bytes, next.before.minus(releases.low().before).payload_bytes),
      shared_(shared),
      index_(index) {}

bool WorkspaceBuffer::append(std::size_t producer, Group::Owner group, buffer::AckLevel wanted,
                             Acknowledge acknowledge) noexcept {
  if (shared_.closed.load(std::memory_order_acquire)) {
    config.window->give_up(group->dedup_keys());
    acknowledge(failure(Errc::failed, "the buffer is closed"));
    return false;
  }
  const bool at_once = wanted == buffer::AckLevel::memory;
  if (at_once) {
    confirm(*group);
    acknowledge = nullptr;
  }
  shared_.queue.push(producer, {.workspace = index_,
                                .wanted = wanted,
                                .group = std::move(group),
                                .acknowledge = std::move(acknowledge)});
  return at_once;
}

void WorkspaceBuffer::confirm(const Group& group) const {
  config.window->confirm(group.dedup_keys());
  if (group.answer()) {
    config.window->remember(*group.answer(), group.accepted_at());
  }
}

void WorkspaceBuffer::read(std::vector<Group::Owner>& out, std::size_t bytes_max) {
  if (feed.read(out, bytes_max)) {
    shared_.bells.read();
  }
}

void WorkspaceBuffer::release(Group::Owner group) {
  add_release({.begin = group->ticket, .end = group->ticket + 1, .totals = totals_of(*group)});
}

void WorkspaceBuffer::add_release(const Release& release) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = released_.empty();
    released_.push_back(release);
  }
  if (first) {
    shared_.bells.commit();
  }
}

bool WorkspaceBuffer::has_releases() {
  const std::lock_guard lock(mutex_);
  return !released_.empty();
}

std::vector<WorkspaceBuffer::Release> WorkspaceBuffer::take_releases() {
  const std::lock_guard lock(mutex_);
  return std::exchange(released_, {});
}

}  // namespace sluice::store
