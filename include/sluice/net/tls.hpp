// TLS contexts: TLS 1.2 and 1.3 with the suites and groups of Mozilla's "intermediate" profile,
// version 5.7 (https://wiki.mozilla.org/Security/Server_Side_TLS). A context may be shared by
// threads once it is made; sharing one is what lets a client resume its session on whichever thread
// takes its connection.
#pragma once

#include <string>

#include <boost/asio/ssl/context.hpp>
#include <openssl/types.h>

#include <sluice/base/result.hpp>
#include <sluice/config/config.hpp>
#include <sluice/net/asio.hpp>

namespace sluice::net {

// For accepting connections. With client_ca_file set, a client without a certificate of that CA is
// refused.
[[nodiscard]] Result<asio::ssl::context> make_server_tls(const config::ServerTls& files);

// For connecting. The peer's certificate is always verified, against ca_file (PEM) or, when that is
// empty, the system's store.
[[nodiscard]] Result<asio::ssl::context> make_client_tls(const std::string& ca_file);

// Before the handshake as a client: the peer must prove to be `host`, a name or an IP address (then
// one of the certificate's address entries must match); a name is also sent as SNI.
[[nodiscard]] Result<void> expect_peer(SSL* connection, const std::string& host);

}  // namespace sluice::net
