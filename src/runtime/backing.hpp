// The one place that asks which type of buffer is configured.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sluice/base/clock.hpp>
#include <sluice/base/result.hpp>
#include <sluice/buffer/backing.hpp>
#include <sluice/config/config.hpp>
#include <sluice/store/store.hpp>

#include "pipeline.hpp"

namespace sluice::runtime {

struct BackingNeeds {
  const Clock& clock;                         // outlives the backing
  std::size_t producers = 1;                  // threads that append
  std::string program{};                      // as of store::Options
  std::optional<std::uint64_t> room_bytes{};  // of store::room_for_store(), at the start
  std::function<void(const store::OpeningProgress&)> tell_opening = nullptr;
};

// The workspace as a backing has it: what it tells goes to the pipeline, which outlives it.
[[nodiscard]] buffer::Workspace backed_workspace(Pipeline& pipeline, std::function<void()> wake);

// As the configuration says. Fails as store::open() does.
[[nodiscard]] Result<std::unique_ptr<buffer::Backing>> open_backing(
    const config::Config& config, std::vector<buffer::Workspace> workspaces,
    const BackingNeeds& needs);

}  // namespace sluice::runtime
