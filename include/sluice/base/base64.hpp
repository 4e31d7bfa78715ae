// Bytes as text: RFC 4648.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice {

// With padding.
[[nodiscard]] std::string encode_base64(std::string_view bytes);
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

// For URLs and tokens (RFC 7515): '-' and '_' for '+' and '/', without padding. What has them all
// the same is decoded, too.
[[nodiscard]] std::string encode_base64url(std::string_view bytes);
[[nodiscard]] std::optional<std::string> decode_base64url(std::string_view text);

}  // namespace sluice
