// The header Retry-After (RFC 9110, section 10.2.3): a number of seconds, or an HTTP-date.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include <sluice/base/clock.hpp>

namespace sluice::deliver {

// A longer wait than this is cut down to it: a mistaken header must not stop a workspace for a day.
// If the upstream meant it, it says so again within the hour.
inline constexpr std::chrono::hours retry_after_max{1};

// How long to wait from `now` on, between zero and retry_after_max; a date in the past is zero. The
// date may have any of the three formats of RFC 9110, section 5.6.7 (IMF-fixdate, RFC 850,
// asctime); the name of the weekday is not held against the date. nullopt: the header is neither.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view header,
                                                                         WallTime now);

// A date in one of these formats, as `Date` has it, too. `now` tells the century of a year of two
// digits. nullopt: it is none.
[[nodiscard]] std::optional<WallTime> parse_http_date(std::string_view text, WallTime now);

}  // namespace sluice::deliver
