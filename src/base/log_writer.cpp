#include "log_writer.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <thread>
#include <utility>

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <sluice/base/thread_name.hpp>

namespace sluice::log {
namespace {

using SteadyClock = std::chrono::steady_clock;

// What waits for a standard error that takes nothing. Beyond it the oldest lines go.
constexpr std::size_t waiting_bytes_max = std::size_t{1} << 20;
// flush() gives up when nothing was taken for so long, and in any case after so many times that.
constexpr std::chrono::milliseconds flush_patience{1'000};
constexpr int flush_rounds_max = 3;
constexpr std::chrono::milliseconds last_words_patience{1'000};

// Whether all of it was written by then. Not more at once than what a pipe that says it is ready
// takes without blocking (pipe(7), PIPE_BUF); the descriptor cannot be made non-blocking, as other
// processes share it.
bool write_until(std::string_view text, SteadyClock::time_point deadline) noexcept {
  while (!text.empty()) {
    int wait_ms = -1;
    if (deadline != SteadyClock::time_point::max()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now());
      wait_ms = static_cast<int>(std::max<std::chrono::milliseconds::rep>(left.count(), 0));
    }
    pollfd ready{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    const int events = ::poll(&ready, 1, wait_ms);
    if (events < 0 && errno == EINTR) {
      continue;
    }
    if (events <= 0) {
      return false;
    }
    const std::size_t piece = std::min<std::size_t>(text.size(), PIPE_BUF);
    const ssize_t written = ::write(STDERR_FILENO, text.data(), piece);
    if (written < 0 && (errno == EINTR || errno == EAGAIN)) {
      continue;
    }
    if (written < 0) {
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

Writer& Writer::instance() {
  static Writer& writer = *new Writer;
  return writer;
}

void Writer::start_thread() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(has_thread_, true)) {
      return;
    }
  }
  ::pthread_atfork(prepare_fork, after_fork_in_parent, after_fork_in_child);
  std::thread([this] {
    name_this_thread("log");
    run();
  }).detach();
}

void Writer::write(std::string line) {
  const std::lock_guard lock(mutex_);
  if (!has_thread_) {
    dropped_ += write_until(line, SteadyClock::time_point::max()) ? 0 : 1;
    return;
  }
  bytes_ += line.size();
  lines_.push_back(std::move(line));
  while (bytes_ > waiting_bytes_max && lines_.size() > 1) {
    bytes_ -= lines_.front().size();
    lines_.pop_front();
    ++dropped_;
    ++dropped_unsaid_;
  }
  changed_.notify_all();
}

void Writer::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return !lines_.empty(); });
    const std::uint64_t unsaid = std::exchange(dropped_unsaid_, 0);
    const std::string line = take_line();
    writing_ = true;
    lock.unlock();
    const bool written =
        (unsaid == 0 || write_until(make_dropped_line(unsaid), SteadyClock::time_point::max())) &&
        write_until(line, SteadyClock::time_point::max());
    lock.lock();
    writing_ = false;
    ++taken_;
    if (!written) {
      ++dropped_;
      dropped_unsaid_ += unsaid + 1;
    }
    changed_.notify_all();
  }
}

std::string Writer::take_line() {
  std::string line = std::move(lines_.front());
  lines_.pop_front();
  bytes_ -= line.size();
  return line;
}

void Writer::flush() {
  std::unique_lock lock(mutex_);
  for (int round = 0; round < flush_rounds_max && has_thread_; ++round) {
    const std::uint64_t before = taken_;
    const bool done =
        changed_.wait_for(lock, flush_patience, [&] { return lines_.empty() && !writing_; });
    if (done || taken_ == before) {
      return;
    }
  }
}

void Writer::write_now(std::string_view text) noexcept {
  write_until(text, SteadyClock::now() + last_words_patience);
}

std::uint64_t Writer::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

void Writer::prepare_fork() { instance().mutex_.lock(); }
void Writer::after_fork_in_parent() { instance().mutex_.unlock(); }
void Writer::after_fork_in_child() {
  Writer& writer = instance();
  writer.has_thread_ = false;
  writer.lines_.clear();  // the parent writes them
  writer.bytes_ = 0;
  writer.mutex_.unlock();
}

}  // namespace sluice::log
