#include "process.hpp"

#include <charconv>
#include <fstream>
#include <iterator>
#include <string>

#include <unistd.h>

namespace sluice::load {
namespace {

std::string read_all(const std::string& path) {
  std::ifstream stream(path);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// The number at the beginning of the text, blanks passed over.
std::optional<std::uint64_t> leading_number(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  std::uint64_t value = 0;
  if (first == text.npos ||
      std::from_chars(text.data() + first, text.data() + text.size(), value).ec != std::errc{}) {
    return {};
  }
  return value;
}

std::optional<std::uint64_t> kibibytes(std::string_view status, std::string_view name) {
  const std::size_t at = status.find(name);
  return at == status.npos ? std::nullopt : leading_number(status.substr(at + name.size()));
}

// utime and stime: fields 14 and 15, counted from behind the command's name, which may hold blanks
// and parentheses itself.
std::optional<std::uint64_t> cpu_ticks(std::string_view stat) {
  constexpr int fields_between = 12;
  std::size_t at = stat.rfind(')');
  for (int i = 0; i < fields_between && at != stat.npos; ++i) {
    at = stat.find(' ', at + 1);
  }
  if (at == stat.npos) {
    return {};
  }
  const auto user = leading_number(stat.substr(at));
  at = stat.find(' ', at + 1);
  const auto system = at == stat.npos ? std::nullopt : leading_number(stat.substr(at));
  return user && system ? std::optional(*user + *system) : std::nullopt;
}

}  // namespace

std::optional<ProcessUse> parse_process_use(std::string_view stat, std::string_view status,
                                            long ticks_per_second) {
  constexpr std::uint64_t kibi = 1'024;
  const auto ticks = cpu_ticks(stat);
  const auto resident = kibibytes(status, "VmRSS:");
  const auto resident_max = kibibytes(status, "VmHWM:");
  if (!ticks || !resident || !resident_max) {
    return {};
  }
  const std::chrono::nanoseconds tick =
      std::chrono::nanoseconds(std::chrono::seconds(1)) / ticks_per_second;
  return ProcessUse{.cpu = tick * static_cast<std::int64_t>(*ticks),
                    .resident_bytes = *resident * kibi,
                    .resident_bytes_max = *resident_max * kibi};
}

std::optional<ProcessUse> read_process_use(pid_t pid) {
  const std::string directory = "/proc/" + std::to_string(pid);
  return parse_process_use(read_all(directory + "/stat"), read_all(directory + "/status"),
                           sysconf(_SC_CLK_TCK));
}

}  // namespace sluice::load
