#include "sizing.hpp"

#include <algorithm>

#include <sluice/base/log.hpp>
#include <sluice/net/cpu.hpp>

namespace sluice::runtime {
namespace {

// The share of the memory ceiling that a memory buffer may take; the rest is for everything else.
constexpr std::size_t memory_share_percent = 50;
// With a disk buffer, so much of the backlog of all workspaces is in memory at most, and no more
// than this share of the memory ceiling.
constexpr std::size_t backlog_memory_bytes_max = 64U << 20;
constexpr std::size_t backlog_memory_share_percent = 25;

// Each of the store's three write buffers, likewise.
constexpr std::size_t write_buffer_bytes_min = 4U << 20;
constexpr std::size_t write_buffer_bytes_max = 32U << 20;
constexpr std::size_t write_buffer_share_percent = 10;

// What waits may take this part of the room that the disk buffer has: while events are delivered,
// its files take up to about three times as much.
constexpr std::uint64_t volume_share = 3;

std::size_t backlog_memory_bytes() {
  const auto ceiling = net::memory_ceiling_bytes();
  return ceiling ? std::min(backlog_memory_bytes_max, *ceiling * backlog_memory_share_percent / 100)
                 : backlog_memory_bytes_max;
}

std::size_t write_buffer_bytes() {
  const auto ceiling = net::memory_ceiling_bytes();
  return ceiling ? std::clamp(*ceiling * write_buffer_share_percent / 100, write_buffer_bytes_min,
                              write_buffer_bytes_max)
                 : write_buffer_bytes_max;
}

std::ptrdiff_t producers_of(const config::Config& config, const config::Workspace& workspace) {
  return std::ranges::count(config.ingest.producers, workspace.name, &config::Producer::workspace);
}

}  // namespace

void fit_to_volume(config::Config& config, std::optional<std::uint64_t> room_bytes) {
  config::Buffer& buffer = config.buffer;
  if (room_bytes && !buffer.max_bytes_given && buffer.type == config::BufferType::disk) {
    buffer.max_bytes = std::clamp<std::uint64_t>(*room_bytes / volume_share,
                                                 config.ingest.max_event_bytes, buffer.max_bytes);
  }
}

void say_what_fits(const config::Buffer& buffer, std::optional<std::uint64_t> room_bytes) {
  if (buffer.type != config::BufferType::disk || !room_bytes) {
    return;
  }
  if (buffer.max_bytes > *room_bytes) {
    SLUICE_LOG(warn,
               "buffer.max_bytes is more than its file system has room for: events are refused "
               "when that is full; a third of the room is a value that fits",
               {"max_bytes", buffer.max_bytes}, {"room_bytes", *room_bytes});
    return;
  }
  SLUICE_LOG(info, "the disk buffer has room", {"max_bytes", buffer.max_bytes},
             {"room_bytes", *room_bytes});
}

buffer::Admission::Limits limits_of(const config::Config& config,
                                    const config::Workspace& workspace) {
  std::uint64_t bytes = config.buffer.max_bytes;
  const auto ceiling = net::memory_ceiling_bytes();
  if (ceiling && config.buffer.type == config::BufferType::memory) {
    const std::uint64_t affordable = *ceiling * memory_share_percent / 100;
    bytes = bytes == 0 ? affordable : std::min(bytes, affordable);
  }
  const auto share = [&](std::uint64_t limit) {
    return limit == 0 ? 0 : std::max<std::uint64_t>(1, limit / config.workspaces.size());
  };
  // How many producers are told apart is decided at the start, and leaves room for new ones.
  return {.bytes_max = share(bytes),
          .events_max = share(config.buffer.max_events),
          .high_watermark = config.buffer.high_watermark,
          .low_watermark = config.buffer.low_watermark,
          .producer_share = producers_of(config, workspace) > 1 ? config.buffer.producer_share : 1,
          .producers = producers_max(config)};
}

PipelineOptions pipeline_options(const config::Config& config, const config::Workspace& workspace) {
  PipelineOptions options{
      .workspace = workspace.name,
      .dispatcher = {},
      .limits = limits_of(config, workspace),
      .dedup = {.window = config.dedup.window, .entries_max = config.dedup.max_entries}};
  if (config.buffer.type == config::BufferType::disk) {
    options.window_bytes_max = backlog_memory_bytes() / 2 / config.workspaces.size();
  }
  options.dispatcher.lanes = config.delivery.lanes;
  options.dispatcher.max_in_flight = config.delivery.max_in_flight;
  options.dispatcher.accept_statuses = config.delivery.accept_statuses;
  options.dispatcher.batch = {.events_max = config.batch.max_events,
                              .bytes_max = config.batch.max_bytes,
                              .linger = config.batch.linger};
  options.dispatcher.backoff = {.initial = config.delivery.backoff.initial,
                                .max = config.delivery.backoff.max};
  return options;
}

store::Options store_options(const config::Config& config, std::size_t producers,
                             const std::string& program) {
  const std::size_t share = backlog_memory_bytes() / config.workspaces.size();
  return {.path = config.buffer.path,
          .program = program,
          .sync = config.buffer.sync == config::BufferSync::always ? store::SyncPolicy::always
                                                                   : store::SyncPolicy::interval,
          .sync_interval = config.buffer.sync_interval,
          .producers = producers,
          .tail_bytes_max = share / 4,
          .read_ahead_bytes = share / 4,
          .write_buffer_bytes = write_buffer_bytes()};
}

}  // namespace sluice::runtime
