#include <algorithm>
#include <limits>

#include <sys/resource.h>

#include <sluice/runtime/descriptors.hpp>

namespace sluice::runtime {
namespace {

// Standard streams, event loops, timers, files that are read again, names that are looked up, and
// connections that are accepted to make room for them.
constexpr std::size_t process_descriptors = 48;
// An event loop, and for each address a listener and what it has just accepted.
constexpr std::size_t descriptors_per_thread = 4;
constexpr std::size_t descriptors_per_listener = 2;
// The store's tables and logs, those of a compaction and of a second opening included.
constexpr std::size_t store_descriptors = 80;
constexpr std::size_t dead_letter_descriptors = 8;
// A workspace's beside those of its requests: connections that are on their way out, logins.
constexpr std::size_t spare_upstream_connections = 4;
constexpr std::size_t idle_streams_per_thread = 8;
constexpr std::size_t admin_connections_most = 64;
constexpr std::size_t admin_connections_least = 8;
// Of the descriptors: where there are few, the admin API has fewer.
constexpr std::size_t admin_share = 16;
constexpr std::size_t ingest_connections_least = 16;

std::size_t upstream_descriptors(const config::Config& config, std::size_t threads) {
  std::size_t sum = 0;
  for (const config::Workspace& workspace : config.workspaces) {
    sum +=
        std::min(config.delivery.lanes, config.delivery.max_in_flight) + spare_upstream_connections;
    if (workspace.passthrough) {
      sum += config.passthrough.max_in_flight + threads * idle_streams_per_thread;
    }
  }
  return sum;
}

}  // namespace

DescriptorPlan plan_descriptors(const config::Config& config, std::size_t threads,
                                std::size_t limit) {
  DescriptorPlan plan{.limit = limit};
  plan.admin_connections_max =
      std::clamp(limit / admin_share, admin_connections_least, admin_connections_most);
  const std::size_t of_ingest =
      threads * (descriptors_per_thread + descriptors_per_listener * config.ingest.listen.size());
  const bool on_disk = config.buffer.type == config::BufferType::disk;
  plan.reserved = process_descriptors + of_ingest + (on_disk ? store_descriptors : 0) +
                  dead_letter_descriptors + upstream_descriptors(config, threads) +
                  plan.admin_connections_max;
  const std::size_t left = limit - std::min(limit, plan.reserved);
  plan.is_tight = left < ingest_connections_least;
  plan.ingest_connections_max = std::max(left, ingest_connections_least);
  return plan;
}

std::size_t descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return std::numeric_limits<std::size_t>::max();
  }
  return limit.rlim_cur;
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

}  // namespace sluice::runtime
