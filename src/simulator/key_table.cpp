#include "key_table.hpp"

#include <bit>
#include <utility>

namespace sluice::simulator {
namespace {

using Words = std::array<std::uint32_t, 4>;

constexpr std::size_t slots_initial = 64;

}  // namespace

// The slot that holds the key, or the empty one where it belongs.
std::size_t KeyTable::locate(const Part& part, const Key& key) {
  const auto words = std::bit_cast<Words>(key);
  const std::size_t mask = part.slots.size() - 1;
  std::size_t at = key.low & mask;
  while (part.slots[at].value != 0 && part.slots[at].key != words) {
    at = (at + 1) & mask;
  }
  return at;
}

void KeyTable::grow(Part& part) {
  const std::size_t slots = part.slots.empty() ? slots_initial : part.slots.size() * 2;
  const std::vector<Slot> old = std::exchange(part.slots, std::vector<Slot>(slots));
  for (const Slot& slot : old) {
    if (slot.value != 0) {
      part.slots[locate(part, std::bit_cast<Key>(slot.key))] = slot;
    }
  }
}

std::uint32_t& KeyTable::operator[](const Key& key) {
  Part& part = part_of(key);
  // Full to three quarters at most: linear probing stays short.
  if (part.used * 4 >= part.slots.size() * 3) {
    grow(part);
  }
  Slot& slot = part.slots[locate(part, key)];
  if (slot.value == 0) {
    slot.key = std::bit_cast<Words>(key);
    ++part.used;
  }
  return slot.value;
}

std::uint32_t KeyTable::find(const Key& key) const {
  const Part& part = part_of(key);
  return part.slots.empty() ? 0 : part.slots[locate(part, key)].value;
}

void KeyTable::prefetch(const Key& key) const {
  const Part& part = part_of(key);
  if (!part.slots.empty()) {
    __builtin_prefetch(&part.slots[key.low & (part.slots.size() - 1)], 1);
  }
}

void KeyTable::clear() { parts_ = {}; }

}  // namespace sluice::simulator
