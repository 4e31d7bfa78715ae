#include "world.hpp"

namespace sluice::simulator {

Stats World::stats() const {
  Stats stats = book.snapshot();
  const FaultCounts fired = faults.fired();
  for (std::size_t i = 0; i < fired.size(); ++i) {
    if (fired[i] > 0) {
      stats.faults_fired.emplace(name_of(static_cast<FaultAction>(i)), fired[i]);
    }
  }
  return stats;
}

void World::reset() {
  ledger.clear();
  book.reset();
  faults.reset_fired();
}

}  // namespace sluice::simulator
