// What is behind the buffers of all workspaces: memory, a disk. One per gateway; nothing else asks
// which it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sluice/buffer/buffer.hpp>
#include <sluice/buffer/dedup_window.hpp>
#include <sluice/metrics/exposition.hpp>

namespace sluice::buffer {

struct Backlog {
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;  // the sum of Group::footprint_bytes()

  friend bool operator==(const Backlog&, const Backlog&) = default;
};

// What a backing is given of a workspace, and tells it. What is pointed at outlives the backing.
struct Workspace {
  std::string name;
  Settlement* settlement;
  DedupWindow* window;         // gets back what was remembered, where that outlives the process
  std::function<void()> wake;  // a group is ready and the consumer sleeps; called on any thread
  // Events that were acknowledged cannot be read any more, and will never come out of read(); they
  // are logged and counted. Called on any thread, once for each producer whose budget they take;
  // all their events come with the first. May be empty.
  std::function<void(const Backlog&, std::uint32_t producer)> lost;
  // Called once, while the backing is opened and before any other: what was there at the start, and
  // comes out of read() first. A part of it may be lost at once, so it has to be counted by then.
  // May be empty.
  std::function<void(const Backlog&)> recovered = nullptr;
};

class Backing {
 public:
  // Closes it.
  virtual ~Backing() = default;
  // Of the workspace with this index at the opening. Lives as long as the backing.
  [[nodiscard]] virtual Buffer& buffer(std::size_t workspace) = 0;
  // Whether the next process has what this one leaves.
  [[nodiscard]] virtual bool survives_process() const = 0;
  // Thread-safe.
  virtual void expose(metrics::Exposition& exposition) const = 0;
  // When it returns, all that was appended is kept or failed, and what was released is so for the
  // next process, too. An append afterwards fails. No read() or append() is under way. How many
  // events were given up, beyond what ends with the process by design.
  virtual std::uint64_t close() = 0;
};

// All is in memory, and gone with the process. `producers`: threads that append.
[[nodiscard]] std::unique_ptr<Backing> make_memory_backing(
    std::size_t producers, const std::vector<Workspace>& workspaces);

}  // namespace sluice::buffer
