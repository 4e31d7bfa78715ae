#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include <sluice/base/assert.hpp>
#include <sluice/base/log.hpp>

namespace sluice {

void assertion_failed(const char* expression, const char* file, int line) {
  std::array<char, 512> text{};
  const int size = std::snprintf(text.data(), text.size(), "sluice: assertion failed: %s (%s:%d)\n",
                                 expression, file, line);
  log::write_last(
      {text.data(),
       std::min<std::size_t>(text.size() - 1, size < 0 ? 0 : static_cast<std::size_t>(size))});
  std::abort();
}

}  // namespace sluice
