// Telling how the opening of a store goes on: with a large or damaged one it takes long, and
// whoever waits for it has to know that it does not hang.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include <sluice/store/store.hpp>

namespace sluice::store {

// Bytes that a process, or a thread of this one, has read and written since it began, as the kernel
// counts them in `file`, such as /proc/PID/io; 0 if it does not.
[[nodiscard]] std::uint64_t moved_bytes(const std::string& file);

// Tells of one step, at most once a second, and only when there has been progress.
class OpeningStep {
 public:
  OpeningStep(TellOpening tell, OpeningProgress::Step step) : tell_(std::move(tell)), step_(step) {}

  // So much is done, of `bytes`; 0: nobody knows.
  void note(std::uint64_t done_bytes, std::uint64_t bytes = 0);

 private:
  const TellOpening tell_;
  const OpeningProgress::Step step_;
  std::chrono::steady_clock::time_point told_at_{};
  std::uint64_t told_bytes_ = 0;
};

// Tells of a step that says nothing itself, by what the thread that made this object moves while it
// lives.
class WatchedStep {
 public:
  WatchedStep(const TellOpening& tell, OpeningProgress::Step step);

 private:
  std::jthread thread_;
};

}  // namespace sluice::store
