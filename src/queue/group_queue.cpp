#include <algorithm>
#include <array>
#include <utility>

#include <sluice/base/assert.hpp>
#include <sluice/queue/group_queue.hpp>

namespace sluice::queue {
namespace {

bool by_ticket(const Group* a, const Group* b) { return a->ticket < b->ticket; }

}  // namespace

GroupQueue::GroupQueue(std::size_t producers, std::function<void()> wake) : wake_(std::move(wake)) {
  SLUICE_ASSERT(producers > 0);
  for (std::size_t i = 0; i < producers; ++i) {
    producers_.push_back(std::make_unique<Producer>(queue_));
  }
}

GroupQueue::~GroupQueue() {
  Group* group = nullptr;
  while (queue_.try_dequeue(group)) {
    taken_.push_back(group);
  }
  for (Group* left : taken_) {
    Group::Free{}(left);
  }
}

void GroupQueue::push(std::size_t producer_index, Group::Owner group) {
  Producer& producer = *producers_[producer_index];
  // Sequentially consistent together with next_: who sees the ticket taken, sees this bound as
  // well.
  producer.low.store(next_.load(std::memory_order_relaxed), std::memory_order_seq_cst);
  group->ticket = next_.fetch_add(1, std::memory_order_seq_cst);
  queue_.enqueue(producer.token, group.release());
  // Pairs with the load in drain(): who sees `idle` sees the group in the queue.
  producer.low.store(idle, std::memory_order_release);
  // Pairs with try_sleep(): either this sees `sleeping_`, or the consumer sees the new `next_`.
  if (sleeping_.load(std::memory_order_seq_cst) &&
      sleeping_.exchange(false, std::memory_order_acq_rel)) {
    wake_();
  }
}

void GroupQueue::drain(std::vector<Group::Owner>& out) {
  // The order of these loads matters: a ticket below `next_` was taken after its producer's bound
  // was set.
  Ticket watermark = next_.load(std::memory_order_seq_cst);
  for (const auto& producer : producers_) {
    watermark = std::min(watermark, producer->low.load(std::memory_order_seq_cst));
  }
  std::array<Group*, 256> chunk{};
  for (const auto& producer : producers_) {
    while (const std::size_t count = queue_.try_dequeue_bulk_from_producer(
               producer->token, chunk.begin(), chunk.size())) {
      taken_.insert(taken_.end(), chunk.begin(),
                    chunk.begin() + static_cast<std::ptrdiff_t>(count));
    }
  }
  if (!std::ranges::is_sorted(taken_, by_ticket)) {
    std::ranges::sort(taken_, by_ticket);
  }
  std::size_t ready = 0;
  while (ready < taken_.size() && taken_[ready]->ticket < watermark) {
    SLUICE_ASSERT(taken_[ready]->ticket == given_out_ + 1);
    ++given_out_;
    out.emplace_back(taken_[ready++]);
  }
  taken_.erase(taken_.begin(), taken_.begin() + static_cast<std::ptrdiff_t>(ready));
}

bool GroupQueue::try_sleep() {
  sleeping_.store(true, std::memory_order_seq_cst);
  if (next_.load(std::memory_order_seq_cst) == given_out_ + 1) {
    return true;
  }
  sleeping_.store(false, std::memory_order_relaxed);
  return false;
}

}  // namespace sluice::queue
