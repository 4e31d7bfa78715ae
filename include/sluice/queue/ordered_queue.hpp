// A lock-free queue of many producers and one consumer that is exact in its order.
//
// moodycamel's queue is first-in-first-out per producer only, so a consumer that merely drained it
// could see an item before another one that was pushed earlier on another thread. Each item
// therefore takes a place, and the consumer gives out only places below a low watermark, from which
// on a place may have been taken without its item being visible yet.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include <concurrentqueue.h>

#include <sluice/base/assert.hpp>

namespace sluice::queue {

// `Item` can be moved and default-constructed. What is left in the queue is destroyed with it, when
// no producer or consumer is at work any more.
template <class Item>
class OrderedQueue {
 public:
  // `wake` is called, on a producer's thread, when an item arrives and the consumer sleeps.
  OrderedQueue(std::size_t producers, std::function<void()> wake) : wake_(std::move(wake)) {
    SLUICE_ASSERT(producers > 0);
    for (std::size_t i = 0; i < producers; ++i) {
      producers_.push_back(std::make_unique<Producer>(queue_));
    }
  }

  // Each producer index belongs to one thread at a time. The queue itself has no bound. Where
  // memory runs out the process ends: a place that was taken must be filled.
  void push(std::size_t producer_index, Item item) noexcept {
    push(producer_index, std::move(item), [](const Item&) {});
  }
  // `placed` is called with the item once it has its place: what is pushed by who has seen the
  // effects of that comes behind it.
  template <class Placed>
  void push(std::size_t producer_index, Item item, Placed placed) noexcept {
    Producer& producer = *producers_[producer_index];
    // Sequentially consistent together with next_: who sees the place taken, sees this bound as
    // well.
    producer.low.store(next_.load(std::memory_order_relaxed), std::memory_order_seq_cst);
    const std::uint64_t place = next_.fetch_add(1, std::memory_order_seq_cst);
    placed(std::as_const(item));
    if (!queue_.enqueue(producer.token, Entry{.place = place, .item = std::move(item)})) {
      end_of_memory();
    }
    // Pairs with the load in drain(): who sees `idle` sees the item in the queue.
    producer.low.store(idle, std::memory_order_release);
    // Pairs with try_sleep(): either this sees `sleeping_`, or the consumer sees the new `next_`.
    if (sleeping_.load(std::memory_order_seq_cst) &&
        sleeping_.exchange(false, std::memory_order_acq_rel)) {
      wake_();
    }
  }

  // Consumer: appends, in the order of their places, every item below the watermark. An item whose
  // push ended before another's began always comes before it.
  template <class Container>
  void drain(Container& out) {
    // The order of these loads matters: a place below `next_` was taken after its producer's bound
    // was set.
    std::uint64_t watermark = next_.load(std::memory_order_seq_cst);
    for (const auto& producer : producers_) {
      watermark = std::min(watermark, producer->low.load(std::memory_order_seq_cst));
    }
    take_visible();
    std::size_t ready = 0;
    while (ready < taken_.size() && taken_[ready].place < watermark) {
      SLUICE_ASSERT(taken_[ready].place == given_out_ + 1);
      ++given_out_;
      out.push_back(std::move(taken_[ready++].item));
    }
    taken_.erase(taken_.begin(), taken_.begin() + static_cast<std::ptrdiff_t>(ready));
  }

  // Consumer: announces that it goes to sleep; the next push wakes it. False: something has come in
  // between, drain again instead.
  [[nodiscard]] bool try_sleep() {
    sleeping_.store(true, std::memory_order_seq_cst);
    if (next_.load(std::memory_order_seq_cst) == given_out_ + 1) {
      return true;
    }
    sleeping_.store(false, std::memory_order_relaxed);
    return false;
  }

 private:
  static constexpr std::uint64_t idle = ~std::uint64_t{0};

  struct Entry {
    std::uint64_t place = 0;
    Item item;
  };
  // One per producer, on a cache line of its own.
  struct alignas(64) Producer {
    explicit Producer(moodycamel::ConcurrentQueue<Entry>& queue) : token(queue) {}
    moodycamel::ProducerToken token;
    // While a push is under way, at most the place that it takes; `idle` otherwise.
    std::atomic<std::uint64_t> low{idle};
  };

  [[noreturn]] static void end_of_memory() { throw std::bad_alloc(); }

  void take_visible() {
    std::array<Entry, 128> chunk{};
    for (const auto& producer : producers_) {
      while (const std::size_t count = queue_.try_dequeue_bulk_from_producer(
                 producer->token, chunk.begin(), chunk.size())) {
        const auto end = chunk.begin() + static_cast<std::ptrdiff_t>(count);
        taken_.insert(taken_.end(), std::make_move_iterator(chunk.begin()),
                      std::make_move_iterator(end));
      }
    }
    if (!std::ranges::is_sorted(taken_, {}, &Entry::place)) {
      std::ranges::sort(taken_, {}, &Entry::place);
    }
  }

  moodycamel::ConcurrentQueue<Entry> queue_;
  std::vector<std::unique_ptr<Producer>> producers_;
  alignas(64) std::atomic<std::uint64_t> next_{1};
  alignas(64) std::atomic<bool> sleeping_{false};
  std::function<void()> wake_;

  // The consumer's.
  std::vector<Entry> taken_;     // out of the queue, not given out yet
  std::uint64_t given_out_ = 0;  // how many
};

}  // namespace sluice::queue
