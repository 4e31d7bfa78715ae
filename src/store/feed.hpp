// The way of committed groups to the consumer of their workspace.
//
// A consumer that keeps up gets groups from memory, as they were committed. When it falls behind,
// the oldest groups are kept for it and the newest ones behind a gap, which is read back from disk:
//
//   front: next to be read | gap: on disk only | back: committed last
#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "codec.hpp"
#include "ledger.hpp"

namespace sluice::store {

// Thread-safe.
class Feed {
 public:
  struct Limits {
    std::size_t tail_bytes_max;
    std::size_t read_ahead_bytes;
  };
  // What is to be read back; of the gap, as much as fits.
  struct Want {
    Position from;
    Position to;
    std::size_t bytes_max;
  };

  // At first everything between the two is on disk only, and nobody's.
  Feed(Limits limits, const Position& from, const Position& to);

  // Groups that have just been committed, with the tickets that follow the last ones; moved from.
  // Whether the consumer is to be woken.
  [[nodiscard]] bool offer(std::vector<Group::Owner>& groups);
  // Appends what is ready, until `bytes_max` are reached. Whether there is something to be read
  // back now.
  bool read(std::vector<Group::Owner>& out, std::size_t bytes_max);
  // False: something is ready. Otherwise the next group that is ready wakes the consumer.
  [[nodiscard]] bool try_sleep();

  // Nothing: the gap is closed, or enough has been read. Otherwise fill() follows.
  [[nodiscard]] std::optional<Want> want();
  // Whose the next so many bytes are of what is wanted; for each that is read or lost, in order.
  [[nodiscard]] std::vector<Share> whose(std::uint64_t bytes);
  // The groups from Want::from up to `reached`; moved from. Whether the consumer is to be woken.
  [[nodiscard]] bool fill(std::vector<Group::Owner>& groups, const Position& reached);

 private:
  // The caller holds the mutex.
  [[nodiscard]] bool has_gap() const { return front_end_.ticket != back_begin_.ticket; }
  [[nodiscard]] bool is_ready() const;
  [[nodiscard]] bool wants() const;
  [[nodiscard]] bool take_sleeper();
  void push_front(Group::Owner group);
  void push_back(Group::Owner group);

  const Limits limits_;
  const Position run_begin_;  // of the first group that was committed since the start
  std::mutex mutex_;
  std::deque<Group::Owner> front_;
  std::size_t front_bytes_ = 0;
  Position front_end_;  // behind the last group of front_
  std::deque<Group::Owner> back_;
  std::size_t back_bytes_ = 0;
  Position back_begin_;  // of the first group of back_
  Ledger gap_;           // as far as it was committed since the start
  bool sleeping_ = false;
};

}  // namespace sluice::store
