// Randomness, behind a seam: a seeded generator is handed to whoever needs one, so that tests
// replay.
#pragma once

#include <array>
#include <cstdint>
#include <limits>

namespace sluice {

// xoshiro256++ 1.0 (Blackman, Vigna, "Scrambled Linear Pseudorandom Number Generators", 2021).
// A UniformRandomBitGenerator; not for secrets. One instance per thread: it is not thread-safe.
class Rng {
 public:
  using result_type = std::uint64_t;

  // The same seed gives the same sequence for ever.
  explicit Rng(std::uint64_t seed);
  // Seeded with 256 bits from the operating system: what production uses, as salts must never meet.
  [[nodiscard]] static Rng from_system_entropy();

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }
  result_type operator()() {
    const std::uint64_t result = rotate(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

  // Uniform in [0, bound); bound > 0. (Lemire's multiply-shift; the bias of below 2^-32 for the
  // bounds used here does not matter for jitter.)
  std::uint64_t below(std::uint64_t bound) {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<Wide>((*this)()) * bound) >> 64);
  }

 private:
  explicit Rng(std::array<std::uint64_t, 4> state) : state_(state) {}
  static constexpr std::uint64_t rotate(std::uint64_t x, int k) {
    return (x << k) | (x >> (64 - k));
  }

  std::array<std::uint64_t, 4> state_;
};

}  // namespace sluice
