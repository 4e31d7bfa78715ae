// Whose budget the groups take that are on disk only.
//
// A producer's index holds for one run of the gateway: the next one may have another configuration.
// So it is not stored with a group, but kept here for as long as the group is in no other place in
// memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <vector>

namespace sluice::store {

// Some of the bytes that groups take.
struct Share {
  std::uint32_t producer;  // by its index; 0: nobody's
  std::uint64_t bytes;
};

// First in, first out; takes 8 bytes for a row of groups of the same producer.
class Ledger {
 public:
  void add(std::uint32_t producer, std::size_t bytes) {
    if (entries_.empty() || entries_.back().producer != producer ||
        bytes > std::numeric_limits<std::uint32_t>::max() - entries_.back().bytes) {
      entries_.push_back({.producer = producer, .bytes = 0});
    }
    entries_.back().bytes += static_cast<std::uint32_t>(bytes);
  }

  // Takes the next so many bytes off: those of groups in the order in which they were added,
  // whether they were read or are lost. What was not added is nobody's.
  [[nodiscard]] std::vector<Share> take(std::uint64_t bytes) {
    std::vector<Share> shares;
    while (bytes > 0 && !entries_.empty()) {
      Entry& first = entries_.front();
      const auto taken = static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes, first.bytes));
      shares.push_back({.producer = first.producer, .bytes = taken});
      bytes -= taken;
      first.bytes -= taken;
      if (first.bytes == 0) {
        entries_.pop_front();
      }
    }
    if (bytes > 0) {
      shares.push_back({.producer = 0, .bytes = bytes});
    }
    return shares;
  }

 private:
  struct Entry {
    std::uint32_t producer;
    std::uint32_t bytes;
  };
  std::deque<Entry> entries_;
};

}  // namespace sluice::store
