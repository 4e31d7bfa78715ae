// Percent-encoding (RFC 3986, 2.1) of what stands in the query of a URL.
#pragma once

#include <string>
#include <string_view>

namespace sluice {

// All but the unreserved characters (RFC 3986, 2.3).
[[nodiscard]] std::string encode_percent(std::string_view text);
// A plus sign is a space; what is not properly encoded stays as it is.
[[nodiscard]] std::string decode_percent(std::string_view text);

}  // namespace sluice
