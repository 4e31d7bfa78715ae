// Alone in its file, so that a program of the tests can have a table of its own in its place.
#include "kind_table.hpp"

namespace sluice {

std::span<const KindInfo> kinds() { return kind_table; }

}  // namespace sluice
