// Tokens as a login gives them.
#pragma once

#include <string>
#include <string_view>

#include <sluice/base/base64.hpp>

namespace sluice::transport {

// A JWT with this payload; its signature is none.
inline std::string test_token(std::string_view payload) {
  return "eyJhbGciOiJSUzUxMiJ9." + encode_base64url(payload) + ".c2lnbmF0dXJl";
}

}  // namespace sluice::transport
