#include "backing.hpp"

#include <utility>

#include "sizing.hpp"

namespace sluice::runtime {

buffer::Workspace backed_workspace(Pipeline& pipeline, std::function<void()> wake) {
  return {.name = pipeline.name(),
          .settlement = &pipeline.settlement(),
          .window = &pipeline.dedup(),
          .wake = std::move(wake),
          .lost =
              [&pipeline](const buffer::Backlog& lost, std::uint32_t producer) {
                pipeline.forget_lost(lost.events, lost.bytes, producer);
              },
          .recovered =
              [&pipeline](const buffer::Backlog& found) {
                pipeline.restore(found.events, found.bytes);
              }};
}

Result<std::unique_ptr<buffer::Backing>> open_backing(const config::Config& config,
                                                      std::vector<buffer::Workspace> workspaces,
                                                      const BackingNeeds& needs) {
  if (config.buffer.type == config::BufferType::memory) {
    return buffer::make_memory_backing(needs.producers, workspaces);
  }
  say_what_fits(config.buffer, needs.room_bytes);
  store::Options options = store_options(config, needs.producers, needs.program);
  options.tell_opening = needs.tell_opening;
  return store::open(options, std::move(workspaces), needs.clock);
}

}  // namespace sluice::runtime
