#include <openssl/evp.h>

#include <sluice/base/assert.hpp>
#include <sluice/base/sha256.hpp>

namespace sluice {

Sha256 sha256(std::string_view text) {
  Sha256 digest{};
  const int done =
      EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  SLUICE_ASSERT(done == 1);
  return digest;
}

}  // namespace sluice
