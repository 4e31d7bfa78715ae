// A third kind of write, which the API does not have. A program that has made_up_kind.cpp among its
// sources knows it: the table there takes the place of the product's (src/event/kinds.cpp). What
// still takes every kind that is not the first for the second one fails with it.
#pragma once

#include <sluice/event/kind.hpp>

namespace sluice::test {

inline constexpr EventKind made_up_kind{2};

}  // namespace sluice::test
