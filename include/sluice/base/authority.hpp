// Whom a request is meant for: authorities (RFC 3986, 3.2) and request targets that hold one (RFC
// 9112, 3.2.2). Views into what was parsed.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice {

struct Authority {
  std::string_view host;    // without the brackets of an IP literal
  bool is_literal = false;  // it was in brackets
};

// `host` or `host:port`, as a Host field has it; nothing for what RFC 9110, 4.2 and 7.2, do not
// allow there: no host, one with a user name before it, or anything behind an IP literal but a
// port.
[[nodiscard]] std::optional<Authority> parse_authority(std::string_view text);

struct AbsoluteTarget {
  std::string_view authority;  // a valid one
  std::string origin_form;     // path and query; `/` where there is none
};

// `http://authority/path?query`, or the same with https; nothing for what is none.
[[nodiscard]] std::optional<AbsoluteTarget> parse_absolute_target(std::string_view target);

}  // namespace sluice
