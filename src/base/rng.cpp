#include <cerrno>
#include <cstddef>

#include <sys/random.h>

#include <sluice/base/assert.hpp>
#include <sluice/base/rng.hpp>

namespace sluice {

// Fills the state with splitmix64, as the generator's authors advise: similar seeds must not give
// similar sequences.
Rng::Rng(std::uint64_t seed) : state_{} {
  for (auto& word : state_) {
    seed += 0x9e3779b97f4a7c15U;
    std::uint64_t mixed = seed;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    word = mixed ^ (mixed >> 31);
  }
}

Rng Rng::from_system_entropy() {
  std::array<std::uint64_t, 4> state{};
  std::size_t filled = 0;
  while (filled < sizeof state) {
    const ssize_t got =
        getrandom(reinterpret_cast<char*>(state.data()) + filled, sizeof state - filled, 0);
    SLUICE_ASSERT(got > 0 || errno == EINTR);
    filled += got > 0 ? static_cast<std::size_t>(got) : 0;
  }
  return Rng(state);
}

}  // namespace sluice
