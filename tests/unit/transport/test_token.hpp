// Tokens as a login gives them.
#pragma once

#include <string>
#include <string_view>

#include <openssl/evp.h>

namespace sluice::transport {

// A JWT with this payload; its signature is none.
inline std::string test_token(std::string_view payload) {
  std::string encoded((payload.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                   reinterpret_cast<const unsigned char*>(payload.data()),
                                   static_cast<int>(payload.size()));
  encoded.resize(static_cast<std::size_t>(size));
  encoded.erase(encoded.find_last_not_of('=') + 1);
  for (char& c : encoded) {
    c = c == '+' ? '-' : c == '/' ? '_' : c;
  }
  return "eyJhbGciOiJSUzUxMiJ9." + encoded + ".c2lnbmF0dXJl";
}

}  // namespace sluice::transport
