// Gets lines to standard error, which may take them late or never: a full pipe, a terminal that was
// stopped, a disk that hangs.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>

namespace sluice::log {

// Any thread. Lines are written in the order in which they came.
class Writer {
 public:
  // The process's only one. Never destroyed: its thread may be stuck when main() has returned.
  static Writer& instance();

  // From now on a thread of its own writes what write() is given.
  void start_thread();
  // With its newline. Before start_thread() it is written when this returns.
  void write(std::string line);
  // Waits until what was given is written, as long as that goes on, and a few seconds at most.
  void flush();
  // Writes what standard error takes of it within a second. Allocates nothing.
  static void write_now(std::string_view text) noexcept;
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  Writer() = default;

  void run();
  std::string take_line();
  // A child of fork() has this one's memory and none of its threads: it writes for itself.
  static void prepare_fork();
  static void after_fork_in_parent();
  static void after_fork_in_child();

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::deque<std::string> lines_;  // that wait for the thread
  std::size_t bytes_ = 0;          // of them
  std::uint64_t taken_ = 0;        // lines that the thread has done with
  std::uint64_t dropped_ = 0;
  std::uint64_t dropped_unsaid_ = 0;  // of them, and no line has told so
  bool has_thread_ = false;
  bool writing_ = false;
};

// The line that tells how many are missing right before it; in log.cpp, as it is one like all.
[[nodiscard]] std::string make_dropped_line(std::uint64_t lines);

}  // namespace sluice::log
