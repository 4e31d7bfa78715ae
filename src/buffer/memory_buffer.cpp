#include <utility>

#include <sluice/buffer/backing.hpp>
#include <sluice/queue/group_queue.hpp>

namespace sluice::buffer {
namespace {

class MemoryBuffer final : public Buffer {
 public:
  MemoryBuffer(std::size_t producers, Settlement& settlement, std::function<void()> wake)
      : settlement_(settlement), queue_(producers, std::move(wake)) {}

  [[nodiscard]] AckLevel level() const override { return AckLevel::memory; }
  [[nodiscard]] bool append(std::size_t producer, Group::Owner group, AckLevel,
                            Acknowledge) noexcept override {
    if (group->records().empty()) {  // an answer, which the window keeps
      settlement_.kept(*group);
      return true;
    }
    // In its place, so that whatever changes one of its events comes behind it.
    queue_.push(producer, std::move(group),
                [this](const Group& placed) { settlement_.kept(placed); });
    return true;
  }
  [[nodiscard]] bool await_earlier(std::size_t, AckLevel, Acknowledge) noexcept override {
    return true;
  }
  // The groups are in memory one way or the other: there is nothing to be gained by holding back.
  void read(std::vector<Group::Owner>& out, std::size_t) override { queue_.drain(out); }
  void release(Group::Owner group) override { group.reset(); }
  [[nodiscard]] bool try_sleep() override { return queue_.try_sleep(); }
  [[nodiscard]] std::string trouble() const override { return {}; }

 private:
  Settlement& settlement_;
  queue::GroupQueue queue_;
};

class MemoryBacking final : public Backing {
 public:
  MemoryBacking(std::size_t producers, const std::vector<Workspace>& workspaces) {
    buffers_.reserve(workspaces.size());
    for (const Workspace& workspace : workspaces) {
      buffers_.push_back(make_memory_buffer(producers, *workspace.settlement, workspace.wake));
    }
  }

  [[nodiscard]] Buffer& buffer(std::size_t workspace) override { return *buffers_[workspace]; }
  [[nodiscard]] bool survives_process() const override { return false; }
  void expose(metrics::Exposition&) const override {}
  std::uint64_t close() override { return 0; }

 private:
  std::vector<std::unique_ptr<Buffer>> buffers_;
};

}  // namespace

std::unique_ptr<Backing> make_memory_backing(std::size_t producers,
                                             const std::vector<Workspace>& workspaces) {
  return std::make_unique<MemoryBacking>(producers, workspaces);
}

std::unique_ptr<Buffer> make_memory_buffer(std::size_t producers, Settlement& settlement,
                                           std::function<void()> wake) {
  return std::make_unique<MemoryBuffer>(producers, settlement, std::move(wake));
}

}  // namespace sluice::buffer
