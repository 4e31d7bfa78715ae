// The connections of one ingest thread whose clients have not shown yet who they are. Where there
// is no room for one connection more, the oldest of them makes it: who means to send events does so
// sooner than a whole limit of others can connect, and who has shown a key is never closed for it.
#pragma once

#include <atomic>
#include <cstdint>

#include <boost/intrusive/list.hpp>

namespace sluice::ingest {

// A connection that can be among them.
class Stranger : public boost::intrusive::list_base_hook<boost::intrusive::tag<Stranger>> {
 public:
  // Gives its descriptor back at once. It is among them no longer.
  virtual void make_room() = 0;

 protected:
  ~Stranger() = default;
};

// On its own thread, but for try_claim().
class Strangers {
 public:
  void add(Stranger& stranger) {
    strangers_.push_back(stranger);
    unclaimed_.fetch_add(1, std::memory_order_relaxed);
  }
  // Once its client is known, or it ends; nothing happens to one that is not among them.
  void remove(Stranger& stranger) {
    if (static_cast<Hook&>(stranger).is_linked()) {
      strangers_.erase(strangers_.iterator_to(stranger));
      unclaimed_.fetch_sub(1, std::memory_order_relaxed);
    }
  }
  // False: there is none.
  bool evict_oldest() {
    if (strangers_.empty()) {
      return false;
    }
    Stranger& oldest = strangers_.front();
    remove(oldest);
    oldest.make_room();
    return true;
  }

  // Any thread: whether there is one that nobody has claimed. Then redeem() must follow.
  [[nodiscard]] bool try_claim() {
    std::int64_t unclaimed = unclaimed_.load(std::memory_order_relaxed);
    while (unclaimed > 0) {
      if (unclaimed_.compare_exchange_weak(unclaimed, unclaimed - 1, std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }
  // Evicts the oldest for whoever has claimed one; it may have become known meanwhile.
  void redeem() {
    unclaimed_.fetch_add(1, std::memory_order_relaxed);
    evict_oldest();
  }

 private:
  using Hook = boost::intrusive::list_base_hook<boost::intrusive::tag<Stranger>>;

  boost::intrusive::list<Stranger, boost::intrusive::base_hook<Hook>> strangers_;
  // Below 0 for a moment, when those that were claimed become known. Relaxed: it orders nothing.
  std::atomic<std::int64_t> unclaimed_{0};
};

}  // namespace sluice::ingest
