#include "opening.hpp"

#include <condition_variable>
#include <fstream>
#include <mutex>
#include <stop_token>
#include <utility>

#include <unistd.h>

#include <sluice/base/thread_name.hpp>

namespace sluice::store {
namespace {

constexpr std::chrono::seconds tell_interval{1};
// Less is what looking for it takes.
constexpr std::uint64_t progress_bytes_min = 64U << 10;

}  // namespace

std::uint64_t moved_bytes(const std::string& file) {
  std::ifstream lines(file);
  std::string name;
  std::uint64_t value = 0;
  std::uint64_t bytes = 0;
  while (lines >> name >> value) {
    bytes += name == "rchar:" || name == "wchar:" ? value : 0;
  }
  return bytes;
}

void OpeningStep::note(std::uint64_t done_bytes, std::uint64_t bytes) {
  const auto now = std::chrono::steady_clock::now();
  if (!tell_ || now - told_at_ < tell_interval || done_bytes < told_bytes_ + progress_bytes_min) {
    return;
  }
  told_at_ = now;
  told_bytes_ = done_bytes;
  tell_({.step = step_, .done_bytes = done_bytes, .bytes = bytes});
}

WatchedStep::WatchedStep(const TellOpening& tell, OpeningProgress::Step step) {
  if (!tell) {
    return;
  }
  const std::string file = "/proc/self/task/" + std::to_string(::gettid()) + "/io";
  thread_ = std::jthread([tell, step, file](const std::stop_token& stopped) {
    name_this_thread("opening");
    OpeningStep watched(tell, step);
    const std::uint64_t before = moved_bytes(file);
    std::mutex mutex;
    std::condition_variable_any changed;
    std::unique_lock lock(mutex);
    while (!changed.wait_for(lock, stopped, tell_interval, [] { return false; }) &&
           !stopped.stop_requested()) {
      const std::uint64_t moved = moved_bytes(file);
      watched.note(moved > before ? moved - before : 0);
    }
  });
}

}  // namespace sluice::store
