// How often this program has called operator new.
#pragma once

#include <cstddef>

namespace sluice::micro {

// On the calling thread, so far.
[[nodiscard]] std::size_t allocations();

}  // namespace sluice::micro
