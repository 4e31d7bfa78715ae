// What waits for a thread, of several producers: they take turns, however much each has waiting.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <type_traits>
#include <utility>

namespace sluice::ingest {

// In the order of arrival within a producer. Not thread-safe. Taking needs no memory; where there
// is none for adding, nothing has changed.
template <class Item>
class Turns {
  static_assert(std::is_nothrow_move_constructible_v<Item>);

 public:
  void add(std::uint32_t producer, Item item) {
    if (const auto known = std::ranges::find(order_, producer, &Waiting::producer);
        known != order_.end()) {
      known->items.push_back(std::move(item));
      return;
    }
    std::list<Waiting> last(1);
    last.front().producer = producer;
    last.front().items.push_back(std::move(item));
    order_.splice(order_.end(), last);
  }
  [[nodiscard]] bool empty() const { return order_.empty(); }
  // Of the producer whose turn it is; nothing: nobody waits.
  std::optional<Item> take() {
    if (order_.empty()) {
      return std::nullopt;
    }
    std::deque<Item>& items = order_.front().items;
    std::optional<Item> item = std::move(items.front());
    items.pop_front();
    if (items.empty()) {
      order_.pop_front();
    } else {
      order_.splice(order_.end(), order_, order_.begin());
    }
    return item;
  }

 private:
  struct Waiting {
    std::uint32_t producer = 0;
    std::deque<Item> items{};  // not empty
  };

  std::list<Waiting> order_;  // each producer with something waiting, once
};

}  // namespace sluice::ingest
