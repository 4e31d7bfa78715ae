// The trace that a request belongs to: the header `traceparent` of the W3C Trace Context.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace sluice {

inline constexpr std::size_t traceparent_size = 55;
// "00-<trace id, 32 hexadecimal digits>-<parent id, 16>-<flags, 2>", as version 00 has it.
using Traceparent = std::array<char, traceparent_size>;

// Nothing for what the specification calls invalid. Of a later version, what version 00 knows.
[[nodiscard]] std::optional<Traceparent> parse_traceparent(std::string_view header);
// 32 hexadecimal digits; empty for an empty traceparent.
[[nodiscard]] std::string_view trace_id_of(std::string_view traceparent);

}  // namespace sluice
