#include <utility>

#include <sluice/buffer/buffer.hpp>
#include <sluice/queue/group_queue.hpp>

namespace sluice::buffer {
namespace {

class MemoryBuffer final : public Buffer {
 public:
  MemoryBuffer(std::size_t producers, std::function<void()> wake)
      : queue_(producers, std::move(wake)) {}

  [[nodiscard]] AckLevel level() const override { return AckLevel::memory; }
  [[nodiscard]] bool append(std::size_t producer, Group::Owner group, Acknowledge) override {
    queue_.push(producer, std::move(group));
    return true;
  }
  void read(std::vector<Group::Owner>& out) override { queue_.drain(out); }
  void release(Group::Owner group) override { group.reset(); }
  [[nodiscard]] bool try_sleep() override { return queue_.try_sleep(); }

 private:
  queue::GroupQueue queue_;
};

}  // namespace

std::unique_ptr<Buffer> make_memory_buffer(std::size_t producers, std::function<void()> wake) {
  return std::make_unique<MemoryBuffer>(producers, std::move(wake));
}

}  // namespace sluice::buffer
