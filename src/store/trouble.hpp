// Why nothing can be stored at present.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <utility>

namespace sluice::store {

// Set by the commit thread, read by any; reading costs next to nothing while there is none.
class Trouble {
 public:
  [[nodiscard]] bool exists() const { return exists_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::string text() const {
    if (!exists()) {
      return {};
    }
    const std::lock_guard lock(mutex_);
    return text_;
  }
  // An empty text ends it.
  void set(std::string text) {
    const std::lock_guard lock(mutex_);
    text_ = std::move(text);
    exists_.store(!text_.empty(), std::memory_order_relaxed);
  }

 private:
  std::atomic<bool> exists_{false};
  mutable std::mutex mutex_;
  std::string text_;
};

}  // namespace sluice::store
