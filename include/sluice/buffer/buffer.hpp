// The seam behind which accepted events wait: memory or disk. One per workspace.
//
// A buffer is narrow: append a group, read groups in their order of acceptance, release a group
// that has ended. What it holds is bounded by the workspace's Admission, not here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <sluice/base/result.hpp>
#include <sluice/event/group.hpp>

namespace sluice::buffer {

// What an acknowledged event survives.
enum class AckLevel : std::uint8_t {
  memory,  // nothing but the upstream's troubles: it is gone with the process
  disk,    // a crash of the process and of the machine
};

class Buffer {
 public:
  // Called once with the outcome of an append, on any thread.
  using Acknowledge = std::function<void(Result<void>)>;

  virtual ~Buffer() = default;

  // The level that append() reaches.
  [[nodiscard]] virtual AckLevel level() const = 0;
  // Takes the group in. True: it is acknowledged at level() already, and `acknowledge` will not be
  // called. Each producer index belongs to one thread at a time.
  [[nodiscard]] virtual bool append(std::size_t producer, Group::Owner group,
                                    Acknowledge acknowledge) = 0;
  // Consumer: appends the groups that are ready, in their order of acceptance.
  virtual void read(std::vector<Group::Owner>& out) = 0;
  // Consumer: all events of the group have ended; frees it.
  virtual void release(Group::Owner group) = 0;
  // Consumer: see GroupQueue::try_sleep.
  [[nodiscard]] virtual bool try_sleep() = 0;
};

// Keeps groups in memory only. `wake` is called, on a producer's thread, when a group arrives and
// the consumer sleeps.
[[nodiscard]] std::unique_ptr<Buffer> make_memory_buffer(std::size_t producers,
                                                         std::function<void()> wake);

}  // namespace sluice::buffer
