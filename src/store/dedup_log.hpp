// The stored part of a workspace's deduplication window: which keys are on disk, and when they may
// go.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "codec.hpp"

namespace sluice::store {

// Keys are stored by group, whether that has been delivered or not, and removed many groups at a
// time.
class DedupLog {
 public:
  DedupLog(WorkspaceId workspace, buffer::DedupWindow::Options options)
      : workspace_(workspace), options_(options) {}

  // How many entries the group has for the window; 0 if the window keeps none.
  [[nodiscard]] std::uint64_t entries_of(const Group& group) const;
  // About what is stored takes.
  [[nodiscard]] std::uint64_t stored_bytes() const { return keys_ * sizeof(DedupKey); }
  // Adds the group's keys to the batch; of a group without events, whose ticket is that of the
  // group before it, the answer.
  void put(Batch& batch, const Group& group);
  // Notes what is stored: in ascending order of tickets.
  void note(Ticket ticket, WallTime accepted, std::uint64_t key_count);
  // Likewise of an answer without events, by the identity of its request's key; `ticket` is that of
  // the group before it.
  void note_answer(Ticket ticket, std::uint64_t identity, WallTime accepted);
  // What was put and not written: cut() removes what may have come of it.
  void take_back(const Group& answer);
  // Adds the removal of what has left the window to the batch.
  void trim(Batch& batch, WallTime now);
  // Adds the removal of everything from this ticket on, and of what was taken back.
  void cut(Batch& batch, Ticket from) const;
  void was_cut() { taken_back_.clear(); }

 private:
  struct Answer {
    Ticket ticket;
    std::uint64_t identity;
  };
  struct Bucket {
    Ticket begin;
    Ticket end;  // one above the last group's
    WallTime oldest;
    WallTime newest;
    std::uint64_t keys;
    std::vector<Answer> answers = {};
  };

  Bucket& bucket_for(Ticket begin, WallTime accepted, std::uint64_t key_count);

  WorkspaceId workspace_;
  buffer::DedupWindow::Options options_;
  std::deque<Bucket> buckets_;
  std::uint64_t keys_ = 0;  // in all buckets
  std::vector<Answer> taken_back_;
  std::string value_;  // keeps its memory
};

}  // namespace sluice::store
