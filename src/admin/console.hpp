// The console: a page for people, its style and its script, as they were at build time (the folder
// console/ beside this file).
#pragma once

#include <string_view>

namespace sluice::admin::console {

extern const std::string_view page;
extern const std::string_view style;
extern const std::string_view script;

// Nothing but what is served here, and nobody puts it into a frame.
inline constexpr std::string_view content_security_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

}  // namespace sluice::admin::console
