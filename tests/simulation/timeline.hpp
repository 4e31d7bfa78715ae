// Simulated time, and what happens in it.
#pragma once

#include <functional>
#include <map>
#include <utility>

#include <sluice/base/assert.hpp>
#include <sluice/base/clock.hpp>

namespace sluice::simulation {

// A clock that only moves from one happening to the next. Happenings of one time keep the order in
// which they were arranged. The process's wall clock may be wrong; the world's is not.
class Timeline final : public Clock {
 public:
  using Happening = std::function<void()>;

  [[nodiscard]] WallTime wall_now() const override { return true_wall_now() + wall_offset_; }
  [[nodiscard]] WallTime true_wall_now() const {
    return WallTime(std::chrono::floor<std::chrono::milliseconds>(now_.time_since_epoch()));
  }
  [[nodiscard]] MonoTime mono_now() const override { return now_; }

  // In the world: happens whatever becomes of the process.
  void in_world(MonoTime time, Happening happening) { arrange(time, false, std::move(happening)); }
  // In the process that runs at present: never happens when that crashes before.
  void in_process(MonoTime time, Happening happening) { arrange(time, true, std::move(happening)); }
  void crash_process() { ++process_; }
  // The process's wall clock jumps: it is this much ahead of the world's from now on.
  void jump_wall_clock(std::chrono::milliseconds offset) { wall_offset_ = offset; }

  [[nodiscard]] std::size_t waiting() const { return happenings_.size(); }

  // Goes to the next happening and lets it happen; false: there is none.
  bool step() {
    while (!happenings_.empty()) {
      auto first = happenings_.extract(happenings_.begin());
      SLUICE_ASSERT(first.key() >= now_);
      Entry& entry = first.mapped();
      if (entry.of_process && entry.process != process_) {
        continue;
      }
      now_ = first.key();
      entry.happening();
      return true;
    }
    return false;
  }

 private:
  struct Entry {
    bool of_process;
    unsigned process;
    Happening happening;
  };

  void arrange(MonoTime time, bool of_process, Happening happening) {
    happenings_.emplace(std::max(time, now_), Entry{of_process, process_, std::move(happening)});
  }

  MonoTime now_{std::chrono::hours(480'000)};  // so that the wall clock shows a year of ours
  std::chrono::milliseconds wall_offset_{};
  std::multimap<MonoTime, Entry> happenings_;
  unsigned process_ = 0;
};

}  // namespace sluice::simulation
