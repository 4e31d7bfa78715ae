// What a query is about.
#pragma once

#include <string>
#include <vector>

#include <sluice/base/result.hpp>
#include <sluice/deadletter/query.hpp>

#include "files.hpp"
#include "line_parser.hpp"

namespace sluice::deadletter {

// Whether the query asks for the letter.
[[nodiscard]] bool fits(const LetterView& letter, const Query& query);
// The segments that may have what it asks for, in its order.
[[nodiscard]] Result<std::vector<SegmentFile>> find_segments(const std::string& folder,
                                                             const Query& query);

}  // namespace sluice::deadletter
