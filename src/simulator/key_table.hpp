// A hash table from 128-bit keys to 32-bit values, 20 bytes a slot: the ledger of millions of
// events. It is split into parts that grow one at a time, so that growing neither doubles the
// memory for a moment nor holds a request up for long.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sluice::simulator {

// A hash of 128 bits; whoever makes it sees to its uniformity.
struct Key {
  std::uint64_t low;
  std::uint64_t high;

  bool operator==(const Key&) const = default;
};

class KeyTable {
 public:
  // The value of the key, to be changed in place; 0 when it is new. The caller must set it to
  // something else than 0, which stands for an empty slot. Valid until the next call.
  [[nodiscard]] std::uint32_t& operator[](const Key& key);
  // The value of the key; 0 when it is not there.
  [[nodiscard]] std::uint32_t find(const Key& key) const;
  // Starts to load the key's slot: a table of this size lies outside of every cache.
  void prefetch(const Key& key) const;
  void clear();

 private:
  static constexpr std::size_t part_count = 256;

  // Halves of the key, so that the slot needs no padding.
  struct Slot {
    std::array<std::uint32_t, 4> key;
    std::uint32_t value;
  };
  struct Part {
    std::vector<Slot> slots;  // a power of two
    std::size_t used = 0;
  };

  static std::size_t locate(const Part& part, const Key& key);
  static void grow(Part& part);
  [[nodiscard]] Part& part_of(const Key& key) { return parts_[key.high % part_count]; }
  [[nodiscard]] const Part& part_of(const Key& key) const { return parts_[key.high % part_count]; }

  std::array<Part, part_count> parts_;
};

}  // namespace sluice::simulator
