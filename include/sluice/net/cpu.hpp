// What this process may use of the machine: in a container the cgroup's limits, and not the host's
// size, decide how many threads and how much memory make sense.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace sluice::net {

// Where the kernel tells. Tests point it at files of their own.
struct CgroupFiles {
  std::string root = "/sys/fs/cgroup";     // the mounted hierarchy, v2 or v1
  std::string self = "/proc/self/cgroup";  // which groups this process is in
};

// The CPUs that this process may use: its affinity mask, and the CPU quota of its cgroup and of
// every group above (v2 cpu.max, v1 cpu.cfs_quota_us), rounded up; at least 1.
[[nodiscard]] unsigned usable_cpus(const CgroupFiles& files = {});

// The smallest memory limit of its cgroup and of every group above (v2 memory.max, v1
// memory.limit_in_bytes); none when there is no limit.
[[nodiscard]] std::optional<std::size_t> memory_ceiling_bytes(const CgroupFiles& files = {});

}  // namespace sluice::net
