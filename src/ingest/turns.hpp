// What waits for a thread, of several producers: they take turns, however much each has waiting.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>

namespace sluice::ingest {

// In the order of arrival within a producer. Not thread-safe.
template <class Item>
class Turns {
 public:
  void add(std::uint32_t producer, Item item) {
    std::deque<Item>& waiting = waiting_[producer];
    waiting.push_back(std::move(item));
    if (waiting.size() == 1) {
      order_.push_back(producer);
    }
  }
  [[nodiscard]] bool empty() const { return order_.empty(); }
  // Of the producer whose turn it is; nothing: nobody waits.
  std::optional<Item> take() {
    if (order_.empty()) {
      return std::nullopt;
    }
    const std::uint32_t producer = order_.front();
    order_.pop_front();
    const auto at = waiting_.find(producer);
    std::optional<Item> item = std::move(at->second.front());
    at->second.pop_front();
    if (at->second.empty()) {
      waiting_.erase(at);
    } else {
      order_.push_back(producer);
    }
    return item;
  }

 private:
  std::map<std::uint32_t, std::deque<Item>> waiting_;  // none is empty
  std::deque<std::uint32_t> order_;                    // producers with something waiting
};

}  // namespace sluice::ingest
