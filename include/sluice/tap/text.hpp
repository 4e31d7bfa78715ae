// Taps as text: what is asked for, and the lines that are shown.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sluice/base/result.hpp>
#include <sluice/tap/taps.hpp>

namespace sluice::tap {

// How samples are chosen: "20/s" or "1%".
[[nodiscard]] Result<void> read_rate(std::string_view text, Wish& wish);
inline constexpr std::string_view default_rate = "10/s";

// With its line break. Masked, keys and types can be seen, but no string and no number of the event
// nor of what is said about it; of canonical events also `type` and `action`.
[[nodiscard]] std::string to_line(const Sample& sample, bool masked);
// {"dropped":3}
[[nodiscard]] std::string dropped_line(std::uint64_t dropped);

// The events of a body, as they lie in it; empty ones for what is no object, and fewer where it is
// not JSON. `lines`: it is NDJSON. There are as many bytes readable behind it as simdjson asks for.
[[nodiscard]] std::vector<std::string_view> find_events(std::string_view body, bool lines);

}  // namespace sluice::tap
