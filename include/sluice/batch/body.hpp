// The body of a batch: the canonical slices of its events as one JSON array, by copying alone.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <sluice/event/group.hpp>

namespace sluice::batch {

// An array costs its opening bracket, and per event the slice and one byte: a comma, or after the
// last event the closing bracket.
inline constexpr std::size_t array_overhead_bytes = 1;
[[nodiscard]] constexpr std::size_t element_bytes(std::size_t event_bytes) {
  return event_bytes + 1;
}

// The size of the array that these events make; there is at least one.
[[nodiscard]] std::size_t array_bytes(std::span<const EventRef> events);

// Replaces `body` with that array. Keeps the string's capacity, so that a reused one allocates
// nothing.
void assemble(std::span<const EventRef> events, std::string& body);

}  // namespace sluice::batch
