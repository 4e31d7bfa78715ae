// Which groups may be released on their own.
//
// A group comes again as a whole after a crash if one of its events had not ended. If the consumer
// has ended an event of it and then, in another group, a change of that event, the earlier version
// would come again alone and be the last word. So a group that shares an event's identity with one
// that is still open is held back until all before it have been released.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "codec.hpp"

namespace sluice::store {

// Groups that will never be read (again).
struct Release {
  Ticket begin;
  Ticket end;
  Totals totals;
};

class OpenEvents {
 public:
  // The consumer holds the group from now on. One of a single event has ended or has not: nobody
  // needs to wait for it.
  void open(const Group& group) {
    if (group.records().size() > 1) {
      for (const DedupKey& key : group.dedup_keys()) {
        ++open_[key.identity];
      }
    }
  }
  // All events of the group have ended. Whether it may be released at once; otherwise it is held.
  [[nodiscard]] bool try_close(const Group& group, const Release& release) {
    const bool counted = group.records().size() > 1;
    const bool is_shared = std::ranges::any_of(group.dedup_keys(), [&](const DedupKey& key) {
      const auto found = open_.find(key.identity);
      return found != open_.end() && found->second > (counted ? 1U : 0U);
    });
    if (!is_shared) {
      for (const DedupKey& key : group.dedup_keys()) {
        if (counted) {
          close(key.identity);
        }
      }
      return true;
    }
    Held& held = held_.emplace_back(Held{.release = release, .identities = {}});
    for (const DedupKey& key : group.dedup_keys()) {
      held.identities.push_back(key.identity);
      open_[key.identity] += counted ? 0 : 1;  // what changes it in turn waits, too
    }
    return false;
  }
  // Appends what was held back, now that everything before this ticket has been released.
  void take_held(Ticket low, std::vector<Release>& out) {
    std::erase_if(held_, [&](const Held& held) {
      if (held.release.begin > low) {
        return false;
      }
      out.push_back(held.release);
      for (const std::uint64_t identity : held.identities) {
        close(identity);
      }
      return true;
    });
  }

 private:
  struct Held {
    Release release;
    std::vector<std::uint64_t> identities;
  };

  void close(std::uint64_t identity) {
    const auto found = open_.find(identity);
    if (--found->second == 0) {
      open_.erase(found);
    }
  }

  boost::unordered_flat_map<std::uint64_t, std::uint32_t> open_;  // of how many groups, by identity
  std::vector<Held> held_;
};

}  // namespace sluice::store
