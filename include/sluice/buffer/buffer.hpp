// The seam behind which accepted events wait: memory or disk. One per workspace.
//
// A buffer is narrow: append a group, read groups in their order of acceptance, release a group
// that has ended. What it holds is bounded by the workspace's Admission, not here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sluice/base/result.hpp>
#include <sluice/event/group.hpp>

namespace sluice::buffer {

// What an acknowledged event survives.
enum class AckLevel : std::uint8_t {
  memory,  // nothing but the upstream's troubles: it is gone with the process
  disk,    // a crash of the process and of the machine
};

// Who keeps books of what was handed to a buffer. Told once of each group, on any thread, and
// before its acknowledgement.
class Settlement {
 public:
  virtual ~Settlement() = default;

  // Nothing that is appended later can come before the group any more, and nobody has read it yet.
  virtual void kept(const Group& group) noexcept = 0;
  // It was not kept, and is gone.
  virtual void refused(const Group& group) noexcept = 0;
};

class Buffer {
 public:
  // Called once with the outcome of an append, on any thread. After an error the group is gone.
  using Acknowledge = std::function<void(Result<void>)>;

  virtual ~Buffer() = default;

  // The highest level that append() can reach.
  [[nodiscard]] virtual AckLevel level() const = 0;
  // Takes the group in, to be acknowledged at level `wanted`, or level() if that is lower. True: it
  // is acknowledged already, and `acknowledge` will not be called. The settlement is told of it
  // either way. Each producer index belongs to one thread at a time. Where memory runs out the
  // process ends: a group that was admitted is not forgotten.
  [[nodiscard]] virtual bool append(std::size_t producer, Group::Owner group, AckLevel wanted,
                                    Acknowledge acknowledge) noexcept = 0;
  // For a repetition of what was appended before: waits until that has reached level `wanted`, or
  // level(), if that is lower. True: it has already, and `acknowledge` will not be called.
  // Otherwise as with append().
  [[nodiscard]] virtual bool await_earlier(std::size_t producer, AckLevel wanted,
                                           Acknowledge acknowledge) noexcept = 0;
  // Consumer: appends groups that are ready, in their order of acceptance, until their footprint
  // reaches `bytes_max`.
  virtual void read(std::vector<Group::Owner>& out, std::size_t bytes_max) = 0;
  // Consumer: all events of the group have ended; frees it.
  virtual void release(Group::Owner group) = 0;
  // Consumer: announces that it goes to sleep; the next group that is ready wakes it. False: there
  // is one already, read again instead.
  [[nodiscard]] virtual bool try_sleep() = 0;
  // Why no group can be taken in at present, for people; empty when it can. Thread-safe.
  [[nodiscard]] virtual std::string trouble() const = 0;
};

// Keeps groups in memory only. `wake` is called, on a producer's thread, when a group arrives and
// the consumer sleeps. `settlement` outlives the buffer.
[[nodiscard]] std::unique_ptr<Buffer> make_memory_buffer(std::size_t producers,
                                                         Settlement& settlement,
                                                         std::function<void()> wake);

}  // namespace sluice::buffer
