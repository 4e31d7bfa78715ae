#include "salt.hpp"

#include <array>

#include <xxhash.h>

#include <sluice/base/calendar.hpp>

namespace sluice::normalise {
namespace {

constexpr auto hex_pairs = [] {
  std::array<char, 512> pairs{};
  constexpr std::string_view digits = "0123456789abcdef";
  for (std::size_t i = 0; i < 256; ++i) {
    pairs[2 * i] = digits[i >> 4];
    pairs[2 * i + 1] = digits[i & 15];
  }
  return pairs;
}();

char* write_uuid(char* out, std::uint64_t high, std::uint64_t low) {
  const auto put = [&](std::uint64_t word, int from_bit, int bytes) {
    for (int i = 0; i < bytes; ++i, from_bit -= 8) {
      const std::size_t pair = 2 * ((word >> from_bit) & 0xFF);
      *out++ = hex_pairs[pair];
      *out++ = hex_pairs[pair + 1];
    }
  };
  put(high, 56, 4);
  *out++ = '-';
  put(high, 24, 2);
  *out++ = '-';
  put(high, 8, 2);
  *out++ = '-';
  put(low, 56, 2);
  *out++ = '-';
  put(low, 40, 6);
  return out;
}

// Odd, and its multiples keep far from each other: 2^64 by the golden ratio.
constexpr std::uint64_t position_stride = 0x9E3779B97F4A7C15;

constexpr std::uint64_t with_version(std::uint64_t high, std::uint64_t version) {
  return (high & ~0xF000ULL) | (version << 12);
}
constexpr std::uint64_t with_variant(std::uint64_t low) { return (low >> 2) | (1ULL << 63); }

}  // namespace

char* write_random_salt(char* out, WallTime now, Rng& rng) {
  const auto ms = static_cast<std::uint64_t>(in_calendar(now).time_since_epoch().count());
  return write_uuid(out, with_version((ms << 16) | (rng() & 0xFFF), 7), with_variant(rng()));
}

char* write_derived_salt(char* out, std::string_view idempotency_key, std::uint32_t position) {
  // The position is no seed of the hash: with seeds as small and as near to each other as these,
  // XXH3 gives keys of 9 to 16 bytes that differ in one digit the same values.
  const XXH128_hash_t hash = XXH3_128bits(idempotency_key.data(), idempotency_key.size());
  const std::uint64_t low = hash.low64 + position * position_stride;
  return write_uuid(out, with_version(hash.high64, 8), with_variant(low));
}

}  // namespace sluice::normalise
