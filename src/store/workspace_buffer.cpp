#include "workspace_buffer.hpp"

#include <span>
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
    config.settlement->refused(*group);
    acknowledge(failure(Errc::failed, "the buffer is closed"));
    return false;
  }
  const bool at_once = wanted == buffer::AckLevel::memory;
  if (at_once) {
    acknowledge = nullptr;
    unstored_.fetch_add(1, std::memory_order_relaxed);
  }
  shared_.queue.push(producer,
                     {.workspace = index_,
                      .wanted = wanted,
                      .group = std::move(group),
                      .acknowledge = std::move(acknowledge)},
                     [this, at_once](const Append& placed) {
                       if (at_once) {
                         config.settlement->kept(*placed.group);
                       }
                     });
  return at_once;
}

bool WorkspaceBuffer::await_earlier(std::size_t producer, buffer::AckLevel wanted,
                                    Acknowledge acknowledge) noexcept {
  // Acquire: pairs with stored(). What is not counted any more is on disk.
  if (wanted == buffer::AckLevel::memory || unstored_.load(std::memory_order_acquire) == 0) {
    return true;
  }
  if (shared_.closed.load(std::memory_order_acquire)) {
    acknowledge(failure(Errc::failed, "the buffer is closed"));
    return false;
  }
  shared_.queue.push(producer, {.workspace = index_,
                                .wanted = wanted,
                                .group = nullptr,
                                .acknowledge = std::move(acknowledge)});
  return false;
}

void WorkspaceBuffer::stored(const Append& append) {
  if (append.wanted == buffer::AckLevel::memory) {
    unstored_.fetch_sub(1, std::memory_order_release);
  } else {
    config.settlement->kept(*append.group);
  }
}

void WorkspaceBuffer::read(std::vector<Group::Owner>& out, std::size_t bytes_max) {
  const std::size_t before = out.size();
  if (feed.read(out, bytes_max)) {
    shared_.bells.read();
  }
  const std::lock_guard lock(mutex_);
  for (const Group::Owner& group : std::span(out).subspan(before)) {
    open_events_.open(*group);
  }
}

void WorkspaceBuffer::release(Group::Owner group) {
  const Release release{
      .begin = group->ticket, .end = group->ticket + 1, .totals = totals_of(*group)};
  const auto may_release = [&] {
    const std::lock_guard lock(mutex_);
    const bool may = open_events_.try_close(*group, release);
    held_back_ = held_back_ || !may;
    return may;
  };
  if (may_release()) {
    add_release(release);
  } else {
    shared_.bells.commit();  // it may be the first of those that are open
  }
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
  return !released_.empty() || held_back_;
}

std::vector<Release> WorkspaceBuffer::take_releases() {
  const std::lock_guard lock(mutex_);
  return std::exchange(released_, {});
}

std::vector<Release> WorkspaceBuffer::take_held(Ticket low) {
  std::vector<Release> freed;
  const std::lock_guard lock(mutex_);
  held_back_ = false;
  open_events_.take_held(low, freed);
  return freed;
}

}  // namespace sluice::store
