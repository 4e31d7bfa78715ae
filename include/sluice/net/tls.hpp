// TLS contexts: TLS 1.2 and 1.3 with the suites and groups of Mozilla's "intermediate" profile,
// version 5.7 (https://wiki.mozilla.org/Security/Server_Side_TLS), of which those of TLS 1.2 with
// DHE are left out. A context may be shared by threads once it is made; sharing one is what lets a
// client resume its session on whichever thread takes its connection.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <boost/asio/ssl/context.hpp>
#include <openssl/types.h>

#include <sluice/base/result.hpp>
#include <sluice/config/config.hpp>
#include <sluice/net/asio.hpp>

namespace sluice::net {

// For accepting connections. With client_ca_file set, a client with a certificate of another CA is
// refused, and so is one without any unless client_auth is optional. A client that negotiates a
// protocol (ALPN) must offer http/1.1. With ocsp_response_file set, a client that asks for the
// certificate's status gets what is in it, unless it is out of date or another certificate's.
[[nodiscard]] Result<asio::ssl::context> make_server_tls(const config::ServerTls& files);

// After the handshake as a server: the names in the certificate that the client has proved to have,
// which are the common names of its subject and its alternative names of the kinds DNS, URI and
// email. Nothing: it has shown none. A session that is resumed has the certificate that it began
// with.
[[nodiscard]] std::optional<std::vector<std::string>> names_of_peer(SSL* connection);
// Whether the client's certificate, if it has shown one, has expired. Only a session that is
// resumed can have one that has: nothing of it is verified again.
[[nodiscard]] bool has_peer_expired(SSL* connection);

// For connecting. The peer's certificate is always verified, against ca_file (PEM) or, when that is
// empty, the system's store.
[[nodiscard]] Result<asio::ssl::context> make_client_tls(const std::string& ca_file);

// Before the handshake as a client: the peer must prove to be `host`, a name or an IP address (then
// one of the certificate's address entries must match); a name is also sent as SNI.
[[nodiscard]] Result<void> expect_peer(SSL* connection, const std::string& host);

}  // namespace sluice::net
