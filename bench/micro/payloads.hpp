// The bodies that the cases are about.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sluice/base/clock.hpp>

namespace sluice::micro {

// 2025-03-01T00:00:00.000Z: when everything is received; events happened in the minute before.
inline constexpr WallTime received_at{std::chrono::milliseconds(1'740'787'200'000)};

// Events of mixed kinds, as sluice-load makes them, in a JSON array.
[[nodiscard]] std::string mixed_array(std::size_t events);
// One event for this path of the API.
[[nodiscard]] std::string single_event(std::string_view path);
// About 100 bytes, and about 4 KiB.
[[nodiscard]] std::string small_custom_event();
[[nodiscard]] std::string large_custom_event();
[[nodiscard]] std::string transaction();

}  // namespace sluice::micro
