// Finds all values that a set of JSON Pointers points at, in one walk over a raw value.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "json_walker.hpp"

namespace sluice::mapping {

// Where the value of a pointer is found: its index among the captured values of its tree.
using Slot = std::uint32_t;
inline constexpr Slot no_slot = std::numeric_limits<Slot>::max();

// JSON Pointers (RFC 6901) as a tree: each node is a slot, node 0 is the value that is walked
// itself.
class PointerTree {
 public:
  PointerTree() : nodes_(1) {}

  // Empty when the text is not a JSON Pointer.
  std::optional<Slot> add(std::string_view pointer);

  [[nodiscard]] std::size_t size() const { return nodes_.size(); }
  [[nodiscard]] std::span<const Slot> children(Slot slot) const { return nodes_[slot].children; }
  [[nodiscard]] Slot member(Slot object, std::string_view name) const;
  [[nodiscard]] Slot item(Slot array, std::uint32_t index) const;

 private:
  struct Node {
    std::string name;
    std::optional<std::uint32_t> index;  // when the name can be that of an array's item
    std::vector<Slot> children;
  };
  std::vector<Node> nodes_;
};

// A value in the raw event; views into it, valid while the walker holds it.
struct Captured {
  std::string_view json;                // as it was written; a null view: absent
  const std::uint32_t* mark = nullptr;  // to come back to it with the walker
};

// Walks the value at the cursor, checking all of it, and fills in the slots of what is there; all
// slots are empty before. Of members with the same name the last one counts. The walker has the
// error.
class Capture {
 public:
  Capture(normalise::JsonWalker& walker, const PointerTree& tree, std::span<Captured> slots,
          std::string& text)
      : walker_(walker), tree_(tree), slots_(slots), text_(text) {}

  void run() { value(0, 0); }

 private:
  void value(Slot slot, std::size_t depth);
  std::string_view container(Slot slot, std::size_t depth);
  std::string_view string();
  void child(Slot slot, std::size_t depth);
  void forget(Slot slot);

  normalise::JsonWalker& walker_;
  const PointerTree& tree_;
  std::span<Captured> slots_;
  std::string& text_;  // for what has to be unescaped
};

}  // namespace sluice::mapping
