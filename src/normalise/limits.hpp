// The limits on what an event consists of, looked at where it is large enough to be over one.
#pragma once

#include <cstdint>
#include <optional>

#include <sluice/normalise/normaliser.hpp>

#include "json_walker.hpp"

namespace sluice::normalise {

// Walks the event that begins at the mark, whose grammar and depth have been checked. The cursor
// stands behind it, before and after. The rejection has no index yet.
[[nodiscard]] std::optional<Rejection> find_over_limit(JsonWalker& walker,
                                                       const std::uint32_t* event,
                                                       const Rules& rules);

}  // namespace sluice::normalise
