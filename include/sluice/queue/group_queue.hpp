// The queue between the ingest threads and the dispatcher of a workspace: lock-free, many
// producers, one consumer, and exact in its order.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include <sluice/event/group.hpp>
#include <sluice/queue/ordered_queue.hpp>

namespace sluice::queue {

class GroupQueue {
 public:
  // `wake` is called, on a producer's thread, when a group arrives and the consumer sleeps.
  GroupQueue(std::size_t producers, std::function<void()> wake);

  // Hands the group over. Each producer index belongs to one thread at a time. The queue itself has
  // no bound: who pushes has admitted the group before (Admission). `placed` is called once the
  // group has its place in the order.
  template <class Placed>
  void push(std::size_t producer, Group::Owner group, Placed placed) noexcept {
    queue_.push(producer, std::move(group),
                [&placed](const Group::Owner& owner) { placed(*owner); });
  }
  void push(std::size_t producer, Group::Owner group) noexcept {
    queue_.push(producer, std::move(group));
  }

  // Consumer: gives the groups that have come their tickets, and appends them. A group whose push
  // ended before another's began always comes before it.
  void drain(std::vector<Group::Owner>& out);

  // Consumer: announces that it goes to sleep; the next push wakes it. False: something has come in
  // between, drain again instead.
  [[nodiscard]] bool try_sleep() { return queue_.try_sleep(); }

 private:
  OrderedQueue<Group::Owner> queue_;
  Ticket last_ticket_ = 0;  // the consumer's
};

}  // namespace sluice::queue
