#include <utility>

#include <sluice/queue/group_queue.hpp>

namespace sluice::queue {

GroupQueue::GroupQueue(std::size_t producers, std::function<void()> wake)
    : queue_(producers, std::move(wake)) {}

void GroupQueue::drain(std::vector<Group::Owner>& out) {
  const std::size_t first = out.size();
  queue_.drain(out);
  for (std::size_t i = first; i < out.size(); ++i) {
    out[i]->ticket = ++last_ticket_;
  }
}

}  // namespace sluice::queue
