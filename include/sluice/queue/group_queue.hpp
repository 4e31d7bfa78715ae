// The queue between the ingest threads and the dispatcher of a workspace: lock-free, many
// producers, one consumer, and exact in its order.
//
// moodycamel's queue is first-in-first-out per producer only, so a consumer that merely drained it
// could see an event before another one that was acknowledged earlier on another thread. Each group
// therefore takes a ticket, and the consumer gives out only tickets below a low watermark, from
// which on a ticket may have been taken without its group being visible yet.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include <concurrentqueue/concurrentqueue.h>

#include <sluice/event/group.hpp>

namespace sluice::queue {

class GroupQueue {
 public:
  // `wake` is called, on a producer's thread, when a group arrives and the consumer sleeps.
  GroupQueue(std::size_t producers, std::function<void()> wake);
  // Frees what is left in it. No producer or consumer is at work any more.
  ~GroupQueue();
  GroupQueue(const GroupQueue&) = delete;
  GroupQueue& operator=(const GroupQueue&) = delete;

  // Gives the group its ticket and hands it over. Each producer index belongs to one thread at a
  // time. The queue itself has no bound: who pushes has admitted the group before (Admission).
  void push(std::size_t producer, Group::Owner group);

  // Consumer: appends, in ticket order, every group below the watermark. A group whose push ended
  // before another's began always comes before it.
  void drain(std::vector<Group::Owner>& out);

  // Consumer: announces that it goes to sleep; the next push wakes it. False: something has come in
  // between, drain again instead.
  [[nodiscard]] bool try_sleep();

 private:
  static constexpr Ticket idle = ~Ticket{0};

  // One per producer, on a cache line of its own.
  struct alignas(64) Producer {
    explicit Producer(moodycamel::ConcurrentQueue<Group*>& queue) : token(queue) {}
    moodycamel::ProducerToken token;
    // While a push is under way, at most the ticket that it takes; `idle` otherwise.
    std::atomic<Ticket> low{idle};
  };

  moodycamel::ConcurrentQueue<Group*> queue_;
  std::vector<std::unique_ptr<Producer>> producers_;
  alignas(64) std::atomic<Ticket> next_{1};
  alignas(64) std::atomic<bool> sleeping_{false};
  std::function<void()> wake_;

  // The consumer's.
  std::vector<Group*> taken_;  // out of the queue, not given out yet
  Ticket given_out_ = 0;       // how many
};

}  // namespace sluice::queue
