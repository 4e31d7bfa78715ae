// The salts that Sluice makes. An event with the same salt, time, profile and action overwrites the
// earlier one upstream, so a salt must be unique in its workspace, or the same for the same event.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <sluice/base/clock.hpp>
#include <sluice/base/rng.hpp>

namespace sluice::normalise {

// All salts made here are UUIDs in their canonical text form.
inline constexpr std::size_t salt_length = 36;

// Writes a new UUID, version 7 (RFC 9562, 5.7: milliseconds, then 74 random bits), and returns its
// end.
char* write_random_salt(char* out, WallTime now, Rng& rng);

// Writes the salt of the event at `position` of the request with this key, version 8 (RFC
// 9562, 5.8: a hash). The same arguments give the same salt for ever.
char* write_derived_salt(char* out, std::string_view idempotency_key, std::uint32_t position);

}  // namespace sluice::normalise
