// Threads for what takes long: bodies that are too large to be read on an ingest thread between the
// requests of others. There they would hold up every connection of the thread; here whoever sends
// them waits for its own, and others for one of them at most.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "handler.hpp"
#include "probe.hpp"
#include "turns.hpp"

namespace sluice::ingest {

class Bulk {
 public:
  // Called on one of the threads with its handler. Must not throw.
  using Work = std::function<void(Handler&)>;

  // A thread for each of the probes, which outlive it; their handlers are the buffers' producers
  // from `first_index` on.
  Bulk(std::shared_ptr<const HandlerOptions> options, std::size_t first_index,
       std::span<const std::unique_ptr<Probe>> probes);
  ~Bulk() { stop(); }
  Bulk(const Bulk&) = delete;
  Bulk& operator=(const Bulk&) = delete;

  void start();
  // Any thread; for the work that is begun from now on.
  void update(std::shared_ptr<const HandlerOptions> options);
  // Any thread. Producers take turns.
  void add(std::uint32_t producer, Work work);
  // Waits until all work is done; none may be added any more.
  void stop();

 private:
  void run(std::size_t first_index, Probe& probe);

  std::size_t first_index_;
  std::span<const std::unique_ptr<Probe>> probes_;
  std::mutex mutex_;  // guards what follows, but for the threads
  std::condition_variable wake_;
  std::shared_ptr<const HandlerOptions> options_;
  Turns<Work> turns_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace sluice::ingest
