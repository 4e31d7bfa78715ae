#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include <sluice/config/load.hpp>

namespace sluice::config {
namespace {

// More than any configuration or key needs; /dev/zero ends here too.
constexpr std::size_t file_bytes_max = 16U << 20;

std::unexpected<Error> read_failure(int error) {
  const std::error_code code(error, std::generic_category());
  return failure(code, code.message());
}

Result<std::string> read_whole_file(const std::string& path) {
  const auto close = [](std::FILE* file) { static_cast<void>(std::fclose(file)); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rbe"), close);
  if (!file) return read_failure(errno);
  std::string text;
  std::array<char, 4096> chunk{};
  while (const std::size_t got = std::fread(chunk.data(), 1, chunk.size(), file.get())) {
    text.append(chunk.data(), got);
    if (text.size() > file_bytes_max) return read_failure(EFBIG);
  }
  if (std::ferror(file.get()) != 0) return read_failure(errno);
  return text;
}

std::optional<std::string> environment_variable(const std::string& name) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing in this process changes its environment.
  const char* const value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

}  // namespace

const Environment& process_environment() {
  static const Environment environment{.variable = environment_variable,
                                       .read_file = read_whole_file};
  return environment;
}

}  // namespace sluice::config
