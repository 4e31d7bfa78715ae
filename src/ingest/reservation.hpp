// What a request holds on its way into the buffer.
#pragma once

#include <optional>
#include <vector>

#include <sluice/ingest/tables.hpp>

#include "handler.hpp"

namespace sluice::ingest {

// Reserved keys and admitted events, given up again unless they get as far as the buffer.
class Reservation {
 public:
  Reservation(const WorkspaceTarget& workspace, const std::vector<DedupKey>& keys,
              const std::optional<DedupKey>& request)
      : workspace_(&workspace), keys_(keys), request_(request) {}
  ~Reservation() {
    if (workspace_ == nullptr) {
      return;
    }
    workspace_->dedup->give_up(keys_, request_);
    if (admitted_) {
      workspace_->admission->release_bytes(admitted_->bytes, admitted_->producer);
      workspace_->admission->release_events(admitted_->events);
    }
  }
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;

  [[nodiscard]] bool try_admit(const Handed& events) {
    if (!workspace_->admission->try_admit(events.events, events.bytes, events.producer)) {
      return false;
    }
    admitted_ = events;
    return true;
  }
  void hand_over() { workspace_ = nullptr; }

 private:
  const WorkspaceTarget* workspace_;
  const std::vector<DedupKey>& keys_;
  const std::optional<DedupKey>& request_;
  std::optional<Handed> admitted_;
};

}  // namespace sluice::ingest
