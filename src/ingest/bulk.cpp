#include "bulk.hpp"

#include <utility>

#include <sluice/base/thread_name.hpp>

namespace sluice::ingest {
namespace {

HandlerOptionsPtr hold(std::shared_ptr<const HandlerOptions> options) {
  const HandlerOptions* const given = options.get();
  return {given, [options = std::move(options)](const HandlerOptions*) {}};
}

}  // namespace

Bulk::Bulk(std::shared_ptr<const HandlerOptions> options, std::size_t first_index,
           std::span<const std::unique_ptr<Probe>> probes)
    : first_index_(first_index), probes_(probes), options_(std::move(options)) {}

void Bulk::start() {
  for (std::size_t i = 0; i < probes_.size(); ++i) {
    threads_.emplace_back([this, i] {
      name_this_thread("bulk");
      run(first_index_ + i, *probes_[i]);
    });
  }
}

void Bulk::update(std::shared_ptr<const HandlerOptions> options) {
  const std::lock_guard lock(mutex_);
  options_ = std::move(options);
}

void Bulk::add(std::uint32_t producer, Work work) {
  const std::lock_guard lock(mutex_);
  turns_.add(producer, std::move(work));
  wake_.notify_one();
}

void Bulk::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  for (std::thread& thread : threads_) {
    thread.join();
  }
  threads_.clear();
}

// Without memory for another configuration's pointer the process ends, as anywhere else where it
// cannot go on.
void Bulk::run(std::size_t index, Probe& probe) {
  std::unique_lock lock(mutex_);
  std::shared_ptr<const HandlerOptions> adopted = options_;
  Handler handler(*adopted, index, Rng::from_system_entropy(), probe);
  while (true) {
    wake_.wait(lock, [&] { return stopping_ || !turns_.empty(); });
    const std::optional<Work> work = turns_.take();
    if (!work) {
      return;
    }
    std::shared_ptr<const HandlerOptions> latest = options_;
    lock.unlock();
    if (latest != adopted) {
      handler.adopt(hold(latest));
      adopted = std::move(latest);
    }
    probe.bulk_bodies.add();
    (*work)(handler);
    lock.lock();
  }
}

}  // namespace sluice::ingest
