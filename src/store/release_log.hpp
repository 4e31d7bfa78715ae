// Which groups of a workspace have been released, and how that gets onto the disk.
//
// Groups end in about the order of their tickets, but not exactly: there is a low ticket, before
// which all have been released, and ranges beyond it. Both are stored with what they amount to, so
// that the backlog is known without reading it, and so that a gap in what is read is known to be
// either released or lost. Each stored value stands for itself: if a write is lost, the groups that
// it released come again, and the counts still hold.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "codec.hpp"

namespace sluice::store {

class ReleaseLog {
 public:
  struct Range {
    Ticket end;
    Totals totals;
  };
  // Disjoint, not adjacent, all beyond the low ticket; by their first tickets.
  using Ranges = std::map<Ticket, Range>;

  explicit ReleaseLog(WorkspaceId workspace) : workspace_(workspace) {}
  // What is stored: ranges before the low ticket and inside others are left out.
  ReleaseLog(WorkspaceId workspace, const Position& low, const Ranges& stored);

  // The groups from `begin` up to, and without, `end` have been released, and amount to that.
  void add(Ticket begin, Ticket end, const Totals& totals);
  // Whether anything was released that no batch has.
  [[nodiscard]] bool has_changes() const { return !fresh_.empty(); }
  // Adds the changes to the batch, and the removal of the groups.
  void write_changes(Batch& batch);
  // Adds everything, as at the start, and after a failed write, nobody knows what is stored.
  void write_all(Batch& batch);
  // The batch that changes were last added to is on its way to the disk.
  void written() { removed_.clear(); }

  [[nodiscard]] const Position& low() const { return low_; }
  [[nodiscard]] const Ranges& ranges() const { return ranges_; }
  [[nodiscard]] bool has(Ticket ticket) const;
  // What has not been released, of all groups up to `next`.
  [[nodiscard]] Backlog backlog(const Position& next) const;

 private:
  struct Fresh {
    Ticket begin;
    Ticket end;
  };
  void insert(Ticket begin, Range range);
  // Takes the ranges up that have become adjacent to the low ticket.
  void raise_low();
  void put_low(Batch& batch) const;
  void put_range(Batch& batch, Ticket begin, const Range& range) const;
  void remove_groups(Batch& batch);

  WorkspaceId workspace_;
  Position low_;
  Ranges ranges_;
  std::vector<Fresh> fresh_;    // released, and in no batch
  std::vector<Fresh> removed_;  // in the last batch
  std::set<Ticket> outdated_;   // ranges, by first ticket, that may be stored otherwise
  std::set<Ticket> stored_;     // ranges, by first ticket, that are stored
  Ticket low_stored_ = 0;
};

}  // namespace sluice::store
