#include <cstdio>
#include <cstdlib>

#include <sluice/base/assert.hpp>

namespace sluice {

void assertion_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "sluice: assertion failed: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace sluice
