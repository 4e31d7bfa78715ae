#include <algorithm>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <functional>
#include <limits>
#include <sstream>
#include <string_view>
#include <thread>

#include <sched.h>

#include <sluice/net/cpu.hpp>

namespace sluice::net {
namespace {

// v1 says "no limit" with the largest multiple of the page size; nothing near it is a limit.
constexpr std::uint64_t memory_unlimited_bytes = std::uint64_t{1} << 60;

std::optional<std::string> read_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) {
    return std::nullopt;
  }
  return line;
}

std::optional<std::uint64_t> to_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) {
    return std::nullopt;
  }
  return number;
}

// The path of this process's group in the hierarchy of `controller`; empty: the v2 hierarchy. Lines
// read "4:memory:/path", "5:cpu,cpuacct:/path", "0::/path".
std::optional<std::string> group_path(const CgroupFiles& files, std::string_view controller) {
  std::ifstream file(files.self);
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) {
      continue;
    }
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    if (names.find("," + std::string(controller) + ",") != std::string::npos) {
      return line.substr(second + 1);
    }
  }
  return std::nullopt;
}

// Visits the directory of the group and of every group above. A container may see the path of its
// group on the host while only its own group is mounted, at the root: directories that do not exist
// do no harm.
void for_each_group(const CgroupFiles& files, std::string_view controller,
                    const std::function<void(const std::string& directory)>& visit) {
  std::optional<std::string> path = group_path(files, controller);
  if (!path) {
    return;
  }
  const std::string root =
      controller.empty() ? files.root : files.root + "/" + std::string(controller);
  while (!path->empty() && *path != "/") {
    visit(root + *path);
    path->resize(path->rfind('/') == std::string::npos ? 0 : path->rfind('/'));
  }
  visit(root);
}

unsigned affinity_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) {
    // More CPUs than the set holds.
    return std::max(1U, std::thread::hardware_concurrency());
  }
  return static_cast<unsigned>(CPU_COUNT(&set));
}

unsigned quota_cpus(std::optional<std::uint64_t> quota_us, std::optional<std::uint64_t> period_us) {
  if (!quota_us || !period_us || *period_us == 0) {
    return std::numeric_limits<unsigned>::max();
  }
  const std::uint64_t cpus = (*quota_us + *period_us - 1) / *period_us;
  return static_cast<unsigned>(std::clamp<std::uint64_t>(cpus, 1, 1U << 20));
}

}  // namespace

unsigned usable_cpus(const CgroupFiles& files) {
  unsigned cpus = affinity_cpus();
  for_each_group(files, "", [&](const std::string& directory) {
    // "max 100000" or "150000 100000"
    std::istringstream line(read_line(directory + "/cpu.max").value_or(""));
    std::string quota;
    std::string period;
    line >> quota >> period;
    cpus = std::min(cpus, quota_cpus(to_number(quota), to_number(period)));
  });
  for_each_group(files, "cpu", [&](const std::string& directory) {
    // -1, which is no number here, stands for no quota.
    const auto quota = to_number(read_line(directory + "/cpu.cfs_quota_us").value_or(""));
    const auto period = to_number(read_line(directory + "/cpu.cfs_period_us").value_or(""));
    cpus = std::min(cpus, quota_cpus(quota, period));
  });
  return std::max(1U, cpus);
}

std::optional<std::size_t> memory_ceiling_bytes(const CgroupFiles& files) {
  std::uint64_t ceiling = memory_unlimited_bytes;
  const auto lower_to = [&](const std::string& path) {
    ceiling = std::min(ceiling, to_number(read_line(path).value_or("")).value_or(ceiling));
  };
  for_each_group(files, "", [&](const std::string& group) { lower_to(group + "/memory.max"); });
  for_each_group(files, "memory",
                 [&](const std::string& group) { lower_to(group + "/memory.limit_in_bytes"); });
  if (ceiling >= memory_unlimited_bytes) {
    return std::nullopt;
  }
  return ceiling;
}

}  // namespace sluice::net
