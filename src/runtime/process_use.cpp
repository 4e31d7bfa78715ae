#include "process_use.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include <sys/resource.h>
#include <unistd.h>

namespace sluice::runtime {
namespace {

std::string read_file(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The time at which the machine began, in seconds since 1970.
double boot_time() {
  std::istringstream lines(read_file("/proc/stat"));
  for (std::string word; lines >> word;) {
    if (word == "btime") {
      double seconds = 0;
      lines >> seconds;
      return seconds;
    }
  }
  return 0;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double count_descriptors() {
  double count = -1;  // one is that of the listing
  std::error_code error;
  std::filesystem::directory_iterator at("/proc/self/fd", error);
  for (const std::filesystem::directory_iterator end; !error && at != end; at.increment(error)) {
    count += 1;
  }
  return std::max(count, 0.0);
}

}  // namespace

double process_start_time() {
  // proc(5): the name, in parentheses, is the second field; the start in ticks is the 22nd.
  constexpr int fields_between = 19;
  const std::string stat = read_file("/proc/self/stat");
  std::istringstream fields(stat.substr(std::min(stat.rfind(')') + 1, stat.size())));
  std::string skipped;
  for (int i = 0; i < fields_between; ++i) {
    fields >> skipped;
  }
  double ticks = 0;
  fields >> ticks;
  return boot_time() + ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

metrics::ProcessUse process_use(double start_time_seconds) {
  metrics::ProcessUse use{.start_time_seconds = start_time_seconds};
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    use.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  std::istringstream pages(read_file("/proc/self/statm"));
  double all = 0;
  double resident = 0;
  pages >> all >> resident;
  use.resident_memory_bytes = resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
  use.open_fds = count_descriptors();
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    use.max_fds = static_cast<double>(limit.rlim_cur);
  }
  return use;
}

}  // namespace sluice::runtime
