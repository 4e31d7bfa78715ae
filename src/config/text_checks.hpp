// Checks of single texts: pure functions that know the rule and nothing of the configuration.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::config {

[[nodiscard]] bool is_utf8(std::string_view text);
// 1 to 64 of letters, digits, '.', '_', '-': what is safe as a path segment and a metric's label.
[[nodiscard]] bool is_name(std::string_view text);
// 1 to 253 of letters, digits, '.', '_', '-'.
[[nodiscard]] bool is_host_name(std::string_view text);
// 8-4-4-4-12 hexadecimal digits.
[[nodiscard]] bool is_uuid(std::string_view text);
// What the API takes as an action (api_limits.hpp).
[[nodiscard]] bool is_action(std::string_view text);
// RFC 6901: empty, or begins with '/', with no escapes but ~0 and ~1.
[[nodiscard]] bool is_json_pointer(std::string_view text);
// What is wrong with "{/a}-{/b}", if anything is; "{{" and "}}" are literal braces.
[[nodiscard]] std::optional<std::string> template_fault(std::string_view text);

}  // namespace sluice::config
