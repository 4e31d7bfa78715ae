// OCSP responses that a server staples to its certificate: RFC 6066, section 8.
#pragma once

#include <string>

#include <openssl/types.h>

#include <sluice/base/result.hpp>

namespace sluice::net {

// Clients that ask for the status of the context's certificate, which is there already, get the
// response in the file (DER), as long as it is not out of date. One for another certificate is not
// sent. Fails when the file holds no response.
[[nodiscard]] Result<void> staple_ocsp_response(SSL_CTX* context, const std::string& file);

}  // namespace sluice::net
