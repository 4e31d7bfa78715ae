// Goal: a peer is trusted only with a valid certificate of a known CA for the name that was asked
// for; old protocols and clients without a demanded certificate are refused; sessions resume.
#include <fstream>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <sluice/net/tls.hpp>

#include "test_pki.hpp"

namespace sluice::net {
namespace {

using testing::HasSubstr;

struct Free {
  void operator()(SSL* connection) const { SSL_free(connection); }
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};
using Connection = std::unique_ptr<SSL, Free>;
using Session = std::unique_ptr<SSL_SESSION, Free>;

// The two ends of a connection in memory.
struct Ends {
  Ends(asio::ssl::context& server_context, asio::ssl::context& client_context)
      : server(SSL_new(server_context.native_handle())),
        client(SSL_new(client_context.native_handle())) {
    BIO* server_side = nullptr;
    BIO* client_side = nullptr;
    BIO_new_bio_pair(&server_side, 0, &client_side, 0);
    SSL_set_bio(server.get(), server_side, server_side);
    SSL_set_bio(client.get(), client_side, client_side);
    SSL_set_accept_state(server.get());
    SSL_set_connect_state(client.get());
  }

  // Whether both ends come to trust each other, and a byte passes.
  bool connect() {
    constexpr int rounds_max = 10;
    for (int i = 0; i < rounds_max; ++i) {
      SSL_do_handshake(client.get());
      SSL_do_handshake(server.get());
    }
    char byte = 'x';
    return SSL_is_init_finished(server.get()) == 1 && SSL_is_init_finished(client.get()) == 1 &&
           SSL_write(server.get(), &byte, 1) == 1 && SSL_read(client.get(), &byte, 1) == 1;
  }

  Connection server;
  Connection client;
};

struct PeerCase {
  const char* name;
  test::TestPki::Leaf leaf;
  std::string host;  // that the client asks for
  bool known_ca;
  long verdict;  // X509_V_OK: connects
};

class PeerTest : public testing::TestWithParam<PeerCase> {};

TEST_P(PeerTest, IsTrustedOnlyForWhatItsCertificateSays) {
  const PeerCase& c = GetParam();
  const test::TestPki pki;
  const test::TestPki other_pki;
  auto server = make_server_tls(pki.issue("leaf", c.leaf));
  auto client = make_client_tls(c.known_ca ? pki.ca_file() : other_pki.ca_file());
  ASSERT_TRUE(server) << server.error().message;
  ASSERT_TRUE(client) << client.error().message;
  Ends ends(*server, *client);
  ASSERT_TRUE(expect_peer(ends.client.get(), c.host));
  EXPECT_EQ(ends.connect(), c.verdict == X509_V_OK);
  EXPECT_EQ(SSL_get_verify_result(ends.client.get()), c.verdict)
      << X509_verify_cert_error_string(SSL_get_verify_result(ends.client.get()));
}

const test::TestPki::Leaf by_name{.alternative_names = "DNS:api.test,DNS:*.wild.test"};
const test::TestPki::Leaf by_address{.alternative_names = "IP:127.0.0.1,IP:::1"};
INSTANTIATE_TEST_SUITE_P(
    All, PeerTest,
    testing::Values(
        PeerCase{"name", by_name, "api.test", true, X509_V_OK},
        PeerCase{"wildcard", by_name, "a.wild.test", true, X509_V_OK},
        PeerCase{"wildcard_of_two_labels", by_name, "a.b.wild.test", true,
                 X509_V_ERR_HOSTNAME_MISMATCH},
        PeerCase{"wrong_name", by_name, "evil.test", true, X509_V_ERR_HOSTNAME_MISMATCH},
        PeerCase{"address_v4", by_address, "127.0.0.1", true, X509_V_OK},
        PeerCase{"address_v6", by_address, "::1", true, X509_V_OK},
        PeerCase{"wrong_address", by_address, "127.0.0.2", true, X509_V_ERR_IP_ADDRESS_MISMATCH},
        PeerCase{"name_is_no_address", by_name, "127.0.0.1", true, X509_V_ERR_IP_ADDRESS_MISMATCH},
        PeerCase{"other_ca_of_the_same_name", by_name, "api.test", false,
                 X509_V_ERR_CERT_SIGNATURE_FAILURE},
        PeerCase{
            "expired",
            {.alternative_names = "DNS:api.test", .valid_from_s = -7'200, .valid_until_s = -60},
            "api.test",
            true,
            X509_V_ERR_CERT_HAS_EXPIRED},
        PeerCase{
            "not_yet_valid",
            {.alternative_names = "DNS:api.test", .valid_from_s = 3'600, .valid_until_s = 7'200},
            "api.test",
            true,
            X509_V_ERR_CERT_NOT_YET_VALID}),
    [](const auto& peer) { return std::string(peer.param.name); });

class TlsTest : public testing::Test {
 protected:
  test::TestPki pki_;
  config::ServerTls leaf_ = pki_.issue("leaf", by_name);
  Result<asio::ssl::context> client_ = make_client_tls(pki_.ca_file());
};

TEST_F(TlsTest, RefusesProtocolsBefore12) {
  auto server = make_server_tls(leaf_);
  struct Case {
    int version;
    bool accepted;
  };
  for (const Case c : {Case{TLS1_VERSION, false}, Case{TLS1_1_VERSION, false},
                       Case{TLS1_2_VERSION, true}, Case{TLS1_3_VERSION, true}}) {
    SCOPED_TRACE(c.version);
    Ends ends(*server, *client_);
    SSL_set_security_level(ends.client.get(), 0);
    SSL_set_min_proto_version(ends.client.get(), c.version);
    SSL_set_max_proto_version(ends.client.get(), c.version);
    EXPECT_EQ(ends.connect(), c.accepted);
  }
}

// What the client has got of its server's certificate.
std::string stapled(asio::ssl::context& server, asio::ssl::context& client, int version,
                    bool asks = true) {
  Ends ends(server, client);
  SSL_set_max_proto_version(ends.client.get(), version);
  if (asks) {
    SSL_set_tlsext_status_type(ends.client.get(), TLSEXT_STATUSTYPE_ocsp);
  }
  EXPECT_TRUE(ends.connect());
  const char* bytes = nullptr;
  const long size = SSL_get_tlsext_status_ocsp_resp(ends.client.get(), &bytes);
  return size < 0 ? "" : std::string(bytes, static_cast<std::size_t>(size));
}

TEST_F(TlsTest, StaplesTheStatusOfItsCertificateForWhoAsksUntilItIsOutOfDate) {
  leaf_.ocsp_response_file = pki_.vouch(leaf_);
  std::ifstream in(leaf_.ocsp_response_file, std::ios::binary);
  const std::string response(std::istreambuf_iterator<char>(in), {});
  auto server = make_server_tls(leaf_);
  ASSERT_TRUE(server) << server.error().message;
  leaf_.ocsp_response_file = pki_.vouch(leaf_, -60);
  auto late = make_server_tls(leaf_);
  ASSERT_TRUE(late) << "there is time to fetch another one";
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    EXPECT_EQ(stapled(*server, *client_, version), response);
    EXPECT_EQ(stapled(*server, *client_, version, false), "");
    EXPECT_EQ(stapled(*late, *client_, version), "");
  }
}

TEST_F(TlsTest, StaplesNoStatusOfAnotherCertificate) {
  leaf_.ocsp_response_file = pki_.vouch(pki_.issue("other", by_name));
  auto server = make_server_tls(leaf_);
  ASSERT_TRUE(server) << "a certificate that has just been renewed is worth more than its status";
  EXPECT_EQ(stapled(*server, *client_, TLS1_3_VERSION), "");
}

TEST_F(TlsTest, ResumesSessions) {
  auto server = make_server_tls(leaf_);
  Ends first(*server, *client_);
  ASSERT_TRUE(first.connect());
  const Session session(SSL_get1_session(first.client.get()));
  SSL_shutdown(first.client.get());  // OpenSSL does not resume what was not closed in order
  Ends second(*server, *client_);
  SSL_set_session(second.client.get(), session.get());
  ASSERT_TRUE(second.connect());
  EXPECT_EQ(SSL_session_reused(second.client.get()), 1);
}

TEST_F(TlsTest, SendsTheNameButNoAddressAsSni) {
  auto server = make_server_tls(leaf_);
  Ends by_host(*server, *client_);
  ASSERT_TRUE(expect_peer(by_host.client.get(), "api.test"));
  ASSERT_TRUE(by_host.connect());
  EXPECT_STREQ(SSL_get_servername(by_host.server.get(), TLSEXT_NAMETYPE_host_name), "api.test");
  Ends by_ip(*server, *client_);
  ASSERT_TRUE(expect_peer(by_ip.client.get(), "127.0.0.1"));
  by_ip.connect();
  EXPECT_EQ(SSL_get_servername(by_ip.server.get(), TLSEXT_NAMETYPE_host_name), nullptr);
}

TEST_F(TlsTest, WithAClientCaOnlyClientsOfItAreAccepted) {
  const test::TestPki client_pki;
  leaf_.client_ca_file = client_pki.ca_file();
  auto server = make_server_tls(leaf_);
  ASSERT_TRUE(server) << server.error().message;
  EXPECT_FALSE(Ends(*server, *client_).connect());

  const config::ServerTls good = client_pki.issue("client", by_name);
  client_->use_certificate_chain_file(good.cert_file);
  client_->use_private_key_file(good.key_file, asio::ssl::context::pem);
  EXPECT_TRUE(Ends(*server, *client_).connect());

  auto stranger = make_client_tls(pki_.ca_file());
  const config::ServerTls bad = pki_.issue("stranger", by_name);
  stranger->use_certificate_chain_file(bad.cert_file);
  stranger->use_private_key_file(bad.key_file, asio::ssl::context::pem);
  EXPECT_FALSE(Ends(*server, *stranger).connect());
}

TEST_F(TlsTest, AnOptionalCertificateIsVerifiedWhenItIsShown) {
  const test::TestPki client_pki;
  leaf_.client_ca_file = client_pki.ca_file();
  leaf_.client_auth = config::ClientAuth::optional;
  auto server = make_server_tls(leaf_);
  ASSERT_TRUE(server) << server.error().message;
  Ends none(*server, *client_);
  EXPECT_TRUE(none.connect());
  EXPECT_EQ(names_of_peer(none.server.get()), std::nullopt);
  const config::ServerTls bad = pki_.issue("stranger", by_name);
  client_->use_certificate_chain_file(bad.cert_file);
  client_->use_private_key_file(bad.key_file, asio::ssl::context::pem);
  EXPECT_FALSE(Ends(*server, *client_).connect());
}

TEST_F(TlsTest, TellsTheNamesOfAClientAlsoWhenItsSessionIsResumed) {
  const test::TestPki client_pki;
  leaf_.client_ca_file = client_pki.ca_file();
  auto server = make_server_tls(leaf_);
  const config::ServerTls certificate = client_pki.issue(
      "client", {.alternative_names = "DNS:a.test,URI:spiffe://shop/a,email:a@shop.test,"
                                      "IP:127.0.0.1"});
  client_->use_certificate_chain_file(certificate.cert_file);
  client_->use_private_key_file(certificate.key_file, asio::ssl::context::pem);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SSL_CTX_set_max_proto_version(client_->native_handle(), version);
    Ends first(*server, *client_);
    ASSERT_TRUE(first.connect());
    const Session session(SSL_get1_session(first.client.get()));
    SSL_shutdown(first.client.get());
    Ends second(*server, *client_);
    SSL_set_session(second.client.get(), session.get());
    ASSERT_TRUE(second.connect());
    EXPECT_EQ(SSL_session_reused(second.server.get()), 1);
    for (SSL* const end : {first.server.get(), second.server.get()}) {
      EXPECT_THAT(names_of_peer(end), testing::Optional(testing::ElementsAre(
                                          "client", "a.test", "spiffe://shop/a", "a@shop.test")));
      EXPECT_FALSE(has_peer_expired(end));
    }
    auto renewed = make_server_tls(leaf_);
    Ends third(*renewed, *client_);
    SSL_set_session(third.client.get(), session.get());
    EXPECT_TRUE(third.connect());
    EXPECT_EQ(SSL_session_reused(third.server.get()), 0) << "a new authority begins anew";
  }
}

TEST_F(TlsTest, ACertificateThatHasExpiredSinceItWasVerifiedIsKnown) {
  const test::TestPki client_pki;
  leaf_.client_ca_file = client_pki.ca_file();
  auto server = make_server_tls(leaf_);
  // As a session that is resumed late: nothing is verified.
  SSL_CTX_set_verify(server->native_handle(), SSL_VERIFY_PEER,
                     [](int, X509_STORE_CTX*) { return 1; });
  const config::ServerTls expired = client_pki.issue(
      "client", {.alternative_names = "DNS:a.test", .valid_from_s = -60, .valid_until_s = -1});
  client_->use_certificate_chain_file(expired.cert_file);
  client_->use_private_key_file(expired.key_file, asio::ssl::context::pem);
  Ends ends(*server, *client_);
  ASSERT_TRUE(ends.connect());
  EXPECT_TRUE(has_peer_expired(ends.server.get()));
}

TEST_F(TlsTest, AgreesOnModernSuitesOnly) {
  auto server = make_server_tls(leaf_);
  struct Case {
    const char* suites;
    bool accepted;
  };
  for (const Case c :
       {Case{"ECDHE-ECDSA-AES128-GCM-SHA256", true}, Case{"ECDHE-ECDSA-CHACHA20-POLY1305", true},
        Case{"ECDHE-ECDSA-AES128-SHA", false}, Case{"ECDHE-ECDSA-AES128-SHA256", false},
        Case{"ECDHE-ECDSA-AES128-CCM", false}, Case{"AES128-GCM-SHA256:AES128-SHA", false}}) {
    Ends ends(*server, *client_);
    SSL_set_max_proto_version(ends.client.get(), TLS1_2_VERSION);
    ASSERT_EQ(SSL_set_cipher_list(ends.client.get(), c.suites), 1) << c.suites;
    EXPECT_EQ(ends.connect(), c.accepted) << c.suites;
  }
  // Whatever the certificate's key is: forward secrecy and authenticated encryption.
  const STACK_OF(SSL_CIPHER)* const suites = SSL_CTX_get_ciphers(server->native_handle());
  for (int i = 0; i < sk_SSL_CIPHER_num(suites); ++i) {
    const SSL_CIPHER* const suite = sk_SSL_CIPHER_value(suites, i);
    const int exchange = SSL_CIPHER_get_kx_nid(suite);
    EXPECT_TRUE(exchange == NID_kx_ecdhe || exchange == NID_kx_any) << SSL_CIPHER_get_name(suite);
    EXPECT_EQ(SSL_CIPHER_is_aead(suite), 1) << SSL_CIPHER_get_name(suite);
  }
}

TEST_F(TlsTest, AgreesOnHttp11WithWhoeverNamesAProtocol) {
  auto server = make_server_tls(leaf_);
  struct Case {
    std::string offered;
    bool accepted;
  };
  for (const Case& c : {Case{"", true}, Case{"\x08http/1.1", true},
                        Case{"\x02h2\x08http/1.1", true}, Case{"\x02h2", false}}) {
    Ends ends(*server, *client_);
    SSL_set_alpn_protos(ends.client.get(), reinterpret_cast<const unsigned char*>(c.offered.data()),
                        static_cast<unsigned>(c.offered.size()));
    EXPECT_EQ(ends.connect(), c.accepted) << c.offered;
    const unsigned char* chosen = nullptr;
    unsigned length = 0;
    SSL_get0_alpn_selected(ends.client.get(), &chosen, &length);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(chosen), length),
              c.accepted && !c.offered.empty() ? "http/1.1" : "");
  }
}

TEST_F(TlsTest, SaysWhichFileIsWrong) {
  const config::ServerTls other = pki_.issue("other", by_name);
  struct Case {
    config::ServerTls files;
    std::string says;
  };
  const Case cases[] = {
      {{.cert_file = "/none.pem", .key_file = leaf_.key_file, .client_ca_file = ""},
       "cannot read the certificate file /none.pem: "},
      {{.cert_file = leaf_.cert_file, .key_file = other.key_file, .client_ca_file = ""},
       "cannot use the key file " + other.key_file},
      {{.cert_file = leaf_.cert_file, .key_file = leaf_.key_file, .client_ca_file = "/no-ca.pem"},
       "cannot read the client CA file /no-ca.pem: "},
      {{.cert_file = leaf_.cert_file,
        .key_file = leaf_.key_file,
        .client_ca_file = "",
        .ocsp_response_file = "/none.ocsp"},
       "the file /none.ocsp cannot be read or holds no OCSP response"},
      {{.cert_file = leaf_.cert_file,
        .key_file = leaf_.key_file,
        .client_ca_file = "",
        .ocsp_response_file = leaf_.cert_file},
       "the file " + leaf_.cert_file + " cannot be read or holds no OCSP response"},
  };
  for (const Case& c : cases) {
    const auto context = make_server_tls(c.files);
    ASSERT_FALSE(context);
    EXPECT_THAT(context.error().message, HasSubstr(c.says));
  }
  const auto client = make_client_tls("/no-ca.pem");
  ASSERT_FALSE(client);
  EXPECT_THAT(client.error().message, HasSubstr("cannot read the CA file /no-ca.pem: "));
}

TEST_F(TlsTest, TrustsTheSystemStoreWhenNoFileIsNamed) {
  auto client = make_client_tls("");
  ASSERT_TRUE(client) << client.error().message;
  auto server = make_server_tls(leaf_);
  EXPECT_FALSE(Ends(*server, *client).connect()) << "the system does not know the test's CA";
}

}  // namespace
}  // namespace sluice::net
