// What another process costs, as /proc tells.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include <sys/types.h>

namespace sluice::load {

struct ProcessUse {
  std::chrono::nanoseconds cpu{};  // user and system time since its start, in ticks of 10 ms
  std::uint64_t resident_bytes = 0;
  std::uint64_t resident_bytes_max = 0;
};

// None when there is no such process (any more).
[[nodiscard]] std::optional<ProcessUse> read_process_use(pid_t pid);

// From the texts of /proc/PID/stat and /proc/PID/status (proc(5)).
[[nodiscard]] std::optional<ProcessUse> parse_process_use(std::string_view stat,
                                                          std::string_view status,
                                                          long ticks_per_second);

}  // namespace sluice::load
