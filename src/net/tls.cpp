#include <memory>
#include <utility>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <sluice/net/tls.hpp>

#include "ocsp.hpp"

namespace sluice::net {
namespace {

namespace ssl = asio::ssl;
using boost::system::error_code;

constexpr const char* suites_tls12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* suites_tls13 =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* groups = "X25519:P-256:P-384";

error_code last_openssl_error() {
  return {static_cast<int>(ERR_get_error()), asio::error::get_ssl_category()};
}

std::unexpected<Error> refusal(const error_code& error, const std::string& what,
                               const std::string& mend) {
  return failure(error, what + ": " + error.message() + ": " + mend);
}

Result<ssl::context> make_context(ssl::context::method method) {
  ssl::context context(method);
  SSL_CTX* native = context.native_handle();
  const bool configured = SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION) == 1 &&
                          SSL_CTX_set_cipher_list(native, suites_tls12) == 1 &&
                          SSL_CTX_set_ciphersuites(native, suites_tls13) == 1 &&
                          SSL_CTX_set1_groups_list(native, groups) == 1;
  if (!configured) {
    return refusal(last_openssl_error(), "cannot set up TLS",
                   "OpenSSL was built or configured without TLS 1.2 and 1.3");
  }
  SSL_CTX_set_options(native, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  // An idle connection then holds no 34 KiB of buffers.
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
  return context;
}

// Takes http/1.1 from what the client offers (RFC 7301).
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* length,
                    const unsigned char* offered, unsigned int offered_length, void*) {
  static constexpr unsigned char ours[] = "\x08http/1.1";
  unsigned char* found = nullptr;
  const int outcome =
      SSL_select_next_proto(&found, length, ours, sizeof ours - 1, offered, offered_length);
  *chosen = found;
  return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

Result<void> ask_for_client_certificates(ssl::context& context, const config::ServerTls& files) {
  const std::string& ca_file = files.client_ca_file;
  error_code error;
  context.load_verify_file(ca_file, error);
  STACK_OF(X509_NAME)* names = error ? nullptr : SSL_load_client_CA_file(ca_file.c_str());
  if (names == nullptr) {
    return refusal(error ? error : last_openssl_error(),
                   "cannot read the client CA file " + ca_file,
                   "name a PEM file of CA certificates that this user can read");
  }
  SSL_CTX_set_client_CA_list(context.native_handle(), names);
  const bool required = files.client_auth == config::ClientAuth::required;
  context.set_verify_mode(
      ssl::verify_peer | (required ? ssl::verify_fail_if_no_peer_cert : ssl::verify_none), error);
  return {};
}

struct Free {
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
  void operator()(unsigned char* text) const { OPENSSL_free(text); }
};

// Names compare as bytes, so that one with a NUL inside is not taken for what stands before it.
void append_text(std::vector<std::string>& names, const ASN1_STRING* text) {
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, text);
  const std::unique_ptr<unsigned char, Free> owner(utf8);
  if (size > 0) {
    names.emplace_back(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
  }
}

void append_common_names(std::vector<std::string>& names, const X509* certificate) {
  const X509_NAME* const subject = X509_get_subject_name(certificate);
  int at = -1;
  while ((at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0) {
    append_text(names, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  }
}

void append_alternative_names(std::vector<std::string>& names, const X509* certificate) {
  const std::unique_ptr<GENERAL_NAMES, Free> given(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(given.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(given.get(), i);
    if (name->type == GEN_DNS || name->type == GEN_URI || name->type == GEN_EMAIL) {
      append_text(names, name->d.ia5);
    }
  }
}

}  // namespace

Result<ssl::context> make_server_tls(const config::ServerTls& files) {
  auto context = make_context(ssl::context::tls_server);
  if (!context) {
    return context;
  }
  error_code error;
  context->use_certificate_chain_file(files.cert_file, error);
  if (error) {
    return refusal(error, "cannot read the certificate file " + files.cert_file,
                   "name a PEM file with the certificate first and its chain after it");
  }
  context->use_private_key_file(files.key_file, ssl::context::pem, error);
  if (error) {
    return refusal(error, "cannot use the key file " + files.key_file,
                   "name a PEM file with the key of the certificate " + files.cert_file);
  }
  // Without it OpenSSL resumes no session for which it verified a client.
  constexpr unsigned char session_context[] = "sluice";
  SSL_CTX_set_session_id_context(context->native_handle(), session_context,
                                 sizeof session_context - 1);
  SSL_CTX_set_alpn_select_cb(context->native_handle(), choose_protocol, nullptr);
  if (!files.client_ca_file.empty()) {
    const Result<void> asked = ask_for_client_certificates(*context, files);
    if (!asked) {
      return std::unexpected(asked.error());
    }
  }
  if (!files.ocsp_response_file.empty()) {
    const Result<void> stapled =
        staple_ocsp_response(context->native_handle(), files.ocsp_response_file);
    if (!stapled) {
      return std::unexpected(stapled.error());
    }
  }
  return context;
}

std::optional<std::vector<std::string>> names_of_peer(SSL* connection) {
  const X509* const certificate = SSL_get0_peer_certificate(connection);
  if (certificate == nullptr) {
    return std::nullopt;
  }
  std::vector<std::string> names;
  append_common_names(names, certificate);
  append_alternative_names(names, certificate);
  return names;
}

bool has_peer_expired(SSL* connection) {
  const X509* const certificate = SSL_get0_peer_certificate(connection);
  return certificate != nullptr && X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0;
}

Result<ssl::context> make_client_tls(const std::string& ca_file) {
  auto context = make_context(ssl::context::tls_client);
  if (!context) {
    return context;
  }
  error_code error;
  if (ca_file.empty()) {
    context->set_default_verify_paths(error);
  } else {
    context->load_verify_file(ca_file, error);
  }
  if (error) {
    return refusal(error,
                   "cannot read the CA file " + (ca_file.empty() ? "of the system" : ca_file),
                   "name a PEM file of CA certificates that this user can read");
  }
  context->set_verify_mode(ssl::verify_peer, error);
  return context;
}

Result<void> expect_peer(SSL* connection, const std::string& host) {
  error_code not_an_address;
  asio::ip::make_address(host, not_an_address);
  X509_VERIFY_PARAM* rules = SSL_get0_param(connection);
  bool set = false;
  if (not_an_address) {
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    set = X509_VERIFY_PARAM_set1_host(rules, host.data(), host.size()) == 1 &&
          SSL_set_tlsext_host_name(connection, host.c_str()) == 1;
  } else {
    set = X509_VERIFY_PARAM_set1_ip_asc(rules, host.c_str()) == 1;
  }
  if (!set) {
    return refusal(last_openssl_error(), "cannot verify the host " + host, "check its name");
  }
  return {};
}

}  // namespace sluice::net
