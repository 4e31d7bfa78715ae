// Goal: threads and memory follow the container's limits, in either version of cgroups, and not the
// host.
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include <sluice/net/cpu.hpp>

#include "temporary_directory.hpp"

namespace sluice::net {
namespace {

using Files = std::map<std::string, std::string>;  // path below the cgroup root -> content

struct Machine {
  Machine(const std::string& self, const Files& content) {
    files.root = directory / "cgroup";
    files.self = directory / "self";
    std::ofstream(files.self) << self;
    for (const auto& [path, text] : content) {
      const std::filesystem::path full = files.root + "/" + path;
      std::filesystem::create_directories(full.parent_path());
      std::ofstream(full) << text;
    }
  }
  test::TemporaryDirectory directory;
  CgroupFiles files;
};

// What the affinity mask alone allows: with no cgroup files there is no other limit.
unsigned unlimited_cpus() { return usable_cpus(CgroupFiles{.root = "/none", .self = "/none"}); }

TEST(UsableCpus, WithoutQuotaIsTheAffinityMask) {
  EXPECT_GE(unlimited_cpus(), 1U);
  EXPECT_LE(unlimited_cpus(), std::thread::hardware_concurrency());
}

TEST(UsableCpus, IsTheSmallestQuotaRoundedUp) {
  struct Case {
    const char* name;
    const char* self;
    Files files;
    unsigned cpus;  // at most so many; this machine may have fewer
  };
  const unsigned all = unlimited_cpus();
  const Case cases[] = {
      {"v2, half a CPU", "0::/\n", {{"cpu.max", "50000 100000\n"}}, 1},
      {"v2, one and a half", "0::/\n", {{"cpu.max", "150000 100000\n"}}, 2},
      {"v2, no quota", "0::/\n", {{"cpu.max", "max 100000\n"}}, all},
      {"v2, own group", "0::/a/b\n", {{"a/b/cpu.max", "100000 100000\n"}}, 1},
      {"v2, group above",
       "0::/a/b\n",
       {{"a/b/cpu.max", "max 100000\n"}, {"a/cpu.max", "100000 100000\n"}},
       1},
      {"v2, path of the host", "0::/kubepods/x\n", {{"cpu.max", "100000 100000\n"}}, 1},
      {"v1",
       "3:memory:/\n2:cpu,cpuacct:/\n",
       {{"cpu/cpu.cfs_quota_us", "20000\n"}, {"cpu/cpu.cfs_period_us", "100000\n"}},
       1},
      {"v1, no quota",
       "2:cpu,cpuacct:/\n",
       {{"cpu/cpu.cfs_quota_us", "-1\n"}, {"cpu/cpu.cfs_period_us", "100000\n"}},
       all},
      {"v1, of another controller",
       "2:cpuacct:/\n",
       {{"cpu/cpu.cfs_quota_us", "20000\n"}, {"cpu/cpu.cfs_period_us", "100000\n"}},
       all},
      {"period of zero", "0::/\n", {{"cpu.max", "100000 0\n"}}, all},
      {"not a number", "0::/\n", {{"cpu.max", "many\n"}}, all},
      {"no colon", "rubbish\n", {{"cpu.max", "100000 100000\n"}}, all},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Machine machine(c.self, c.files);
    EXPECT_EQ(usable_cpus(machine.files), std::min(c.cpus, all));
  }
}

TEST(MemoryCeiling, IsTheSmallestLimitThatThereIs) {
  struct Case {
    const char* name;
    const char* self;
    Files files;
    std::optional<std::size_t> bytes;
  };
  const Case cases[] = {
      {"v2", "0::/\n", {{"memory.max", "268435456\n"}}, 268'435'456},
      {"v2, no limit", "0::/\n", {{"memory.max", "max\n"}}, std::nullopt},
      {"v2, group above is smaller",
       "0::/a/b\n",
       {{"a/b/memory.max", "2000\n"}, {"a/memory.max", "1000\n"}},
       1'000},
      {"v1", "4:memory:/docker/1\n", {{"memory/docker/1/memory.limit_in_bytes", "4096\n"}}, 4'096},
      {"v1, mounted at the root",
       "4:memory:/docker/1\n",
       {{"memory/memory.limit_in_bytes", "4096\n"}},
       4'096},
      {"v1, no limit",
       "4:memory:/\n",
       {{"memory/memory.limit_in_bytes", "9223372036854771712\n"}},
       std::nullopt},
      {"nothing", "", {}, std::nullopt},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Machine machine(c.self, c.files);
    EXPECT_EQ(memory_ceiling_bytes(machine.files), c.bytes);
  }
}

}  // namespace
}  // namespace sluice::net
