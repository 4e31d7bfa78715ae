// How much of the machine each part may take, as the configuration and the machine have it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include <sluice/buffer/admission.hpp>
#include <sluice/config/config.hpp>
#include <sluice/store/store.hpp>

#include "pipeline.hpp"

namespace sluice::runtime {

// Producers that can be added by reloading, over the life of the process.
constexpr std::size_t spare_producers = 256;
// Producers that are told apart, over the life of the process.
[[nodiscard]] inline std::size_t producers_max(const config::Config& config) {
  return config.ingest.producers.size() + spare_producers;
}

// Where buffer.max_bytes is not given, it is no more than the volume has room for. `room_bytes`: of
// store::room_for_store().
void fit_to_volume(config::Config& config, std::optional<std::uint64_t> room_bytes);
// Says in the log how buffer.max_bytes fits to the volume.
void say_what_fits(const config::Buffer& buffer, std::optional<std::uint64_t> room_bytes);

// The limits of one workspace: the buffer's, in equal shares, so that one that is down cannot take
// the room of the others.
[[nodiscard]] buffer::Admission::Limits limits_of(const config::Config& config,
                                                  const config::Workspace& workspace);
[[nodiscard]] PipelineOptions pipeline_options(const config::Config& config,
                                               const config::Workspace& workspace);
// `producers`: threads that append. `program`: as of store::Options.
[[nodiscard]] store::Options store_options(const config::Config& config, std::size_t producers,
                                           const std::string& program);

}  // namespace sluice::runtime
