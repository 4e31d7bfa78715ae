// Goal: who may write is decided by certificates and keys that agree, each may send only so much,
// and nobody who is slow, greedy or hostile keeps the others from being served.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "running_gateway.hpp"
#include "test_pki.hpp"

namespace sluice::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string one(std::string_view customer) { return "[" + event(customer) + "]"; }

// Two authorities: the server's, and that of its clients.
class ClientCertificates : public testing::Test {
 protected:
  [[nodiscard]] std::string yaml(const std::string& client_auth, const std::string& producers) {
    return plain_yaml("ingest: {tls: {cert_file: " + server_.cert_file + ", key_file: " +
                      server_.key_file + ", client_ca_file: " + client_pki_.ca_file() +
                      ", client_auth: " + client_auth + "}, producers: [" + producers + "]}\n");
  }
  [[nodiscard]] HttpClient::Options without() const { return {.ca_file = pki_.ca_file()}; }
  // A client whose certificate has this common name and these alternative names.
  [[nodiscard]] HttpClient::Options with(const std::string& common_name,
                                         const std::string& alternative_names) const {
    const config::ServerTls files =
        client_pki_.issue(common_name, {.alternative_names = alternative_names});
    return {.ca_file = pki_.ca_file(), .cert_file = files.cert_file, .key_file = files.key_file};
  }
  static unsigned status_of(HttpClient& client, const Headers& headers = {}) {
    return client.post("/v4/events/batch", one("a"), headers).status;
  }
  // Under TLS 1.3 a client learns only by its first answer that it was refused.
  static unsigned status_of(std::uint16_t port, const HttpClient::Options& options,
                            const Headers& headers = {}) {
    try {
      HttpClient client(port, options);
      return status_of(client, headers);
    } catch (const std::exception&) {
      return 0;
    }
  }

  TestPki pki_;
  TestPki client_pki_;
  config::ServerTls server_ = pki_.issue("server", {.alternative_names = "DNS:localhost"});
};

TEST_F(ClientCertificates, SayWhoAProducerIsByAnyOfTheirNames) {
  RunningGateway gateway(
      {}, yaml("required",
               "{name: cn, certificates: [checkout]}, {name: dns, certificates: [pos.test]}, "
               "{name: uri, certificates: [\"spiffe://shop/app\"]}, "
               "{name: mail, certificates: [erp@shop.test]}, {name: keyed, key: k}"));
  const std::uint16_t port = gateway.port();
  EXPECT_EQ(status_of(port, with("checkout", "DNS:x.test")), 202);
  EXPECT_EQ(status_of(port, with("x1", "DNS:y.test,DNS:pos.test")), 202);
  EXPECT_EQ(status_of(port, with("x2", "URI:spiffe://shop/app")), 202);
  EXPECT_EQ(status_of(port, with("x3", "email:erp@shop.test")), 202);
  HttpClient stranger(port, with("nobody", "DNS:evil.pos.test"));
  const HttpAnswer answer = stranger.post("/v4/events/batch", one("a"));
  EXPECT_EQ(answer.status, 403);
  EXPECT_THAT(answer.body, HasSubstr("is no producer's"));
  EXPECT_THAT(answer.body, HasSubstr("nobody, evil.pos.test"));
  EXPECT_EQ(status_of(stranger, {{"X-Api-Key", "k"}}), 403) << "even with a key";
  EXPECT_EQ(status_of(port, with("x4", "DNS:pos.test,email:erp@shop.test")), 403)
      << "which of the two?";
  EXPECT_EQ(gateway.metric("ingest_requests_total", R"(code="403")"), 3);
  EXPECT_EQ(gateway.metric("events_accepted_total"), 4);
}

TEST_F(ClientCertificates, AndAKeyBesideThemAgree) {
  RunningGateway gateway({}, yaml("optional",
                                  "{name: a, key: ka, certificates: [a.test]}, "
                                  "{name: b, key: kb, certificates: [b.test]}"));
  HttpClient a(gateway.port(), with("x", "DNS:a.test"));
  EXPECT_EQ(status_of(a), 202);
  EXPECT_EQ(status_of(a, {{"X-Api-Key", "ka"}}), 202);
  EXPECT_EQ(status_of(a, {{"X-Api-Key", "none"}}), 401);
  const HttpAnswer other = a.post("/v4/events/batch", one("a"), {{"X-Api-Key", "kb"}});
  EXPECT_EQ(other.status, 403);
  EXPECT_THAT(other.body, HasSubstr("another producer's than the client certificate"));
  EXPECT_EQ(status_of(a), 202) << "the key before it leaves nothing behind";
  EXPECT_EQ(a.post("/v4/auth/login/profile", R"({"apiKey":"kb"})").status, 403);
  EXPECT_EQ(a.post("/v4/auth/login/profile", R"({"apiKey":"ka"})").status, 200);
  EXPECT_EQ(a.get("/v4/auth/refresh/profile").status, 401) << "a token stands for a key";
  HttpClient none(gateway.port(), without());
  EXPECT_EQ(status_of(none), 401);
  EXPECT_EQ(status_of(none, {{"X-Api-Key", "kb"}}), 202) << "optional: the key alone will do";
}

TEST_F(ClientCertificates, AreDemandedOrNotAndAlwaysVerified) {
  const config::ServerTls of_other =
      pki_.issue("a", {.alternative_names = "DNS:a.test"});  // not the clients' authority
  const HttpClient::Options forged{
      .ca_file = pki_.ca_file(), .cert_file = of_other.cert_file, .key_file = of_other.key_file};
  const std::string producers = "{name: a, key: ka, certificates: [a.test]}";
  RunningGateway required({}, yaml("required", producers));
  EXPECT_EQ(status_of(required.port(), without(), {{"X-Api-Key", "ka"}}), 0);
  EXPECT_EQ(status_of(required.port(), forged), 0);
  EXPECT_EQ(status_of(required.port(), with("x", "DNS:a.test")), 202);
  EXPECT_EQ(required.metric("ingest_handshakes_failed_total"), 2);
  RunningGateway optional({}, yaml("optional", producers));
  EXPECT_EQ(status_of(optional.port(), forged, {{"X-Api-Key", "ka"}}), 0);
  EXPECT_EQ(status_of(optional.port(), without(), {{"X-Api-Key", "ka"}}), 202);
}

TEST_F(ClientCertificates, OnlyLetInWhereNoProducerHasAny) {
  RunningGateway keyed({}, yaml("required", "{name: a, key: ka}"));
  HttpClient client(keyed.port(), with("x", "DNS:a.test"));
  EXPECT_EQ(status_of(client), 401);
  EXPECT_EQ(status_of(client, {{"X-Api-Key", "ka"}}), 202);
  RunningGateway anonymous({}, yaml("required", ""));
  EXPECT_EQ(status_of(anonymous.port(), with("y", "DNS:a.test")), 202);
}

TEST_F(ClientCertificates, AreStillKnownWhenASessionIsResumed) {
  RunningGateway gateway(
      {}, yaml("optional", "{name: a, certificates: [a.test]}, {name: b, certificates: [b.test]}"));
  HttpClient::Options options = with("x", "DNS:a.test");
  HttpClient first(gateway.port(), options);
  ASSERT_EQ(status_of(first), 202);
  // Whichever thread takes it, and whatever certificate the client has by now.
  for (int i = 0; i < 8; ++i) {
    HttpClient::Options other = with("y", "DNS:b.test");
    other.resumes = &first;
    HttpClient resumed(gateway.port(), other);
    EXPECT_TRUE(resumed.resumed());
    EXPECT_EQ(status_of(resumed), 202);
  }
  HttpClient stranger(gateway.port(), with("z", "DNS:c.test"));
  ASSERT_EQ(status_of(stranger), 403);
  HttpClient::Options again = with("w", "DNS:a.test");
  again.resumes = &stranger;
  EXPECT_EQ(status_of(gateway.port(), again), 403) << "it is the session's, not the new one";
}

TEST(ProducerLimits, ABodyIsHeldToItsProducersOwnLimitBeforeItIsRead) {
  RunningGateway gateway({}, plain_yaml("ingest: {max_body_bytes: 64KiB, max_event_bytes: 4KiB, "
                                        "producers: [{name: small, key: ks, max_body_bytes: 2KiB}, "
                                        "{name: large, key: kl}]}\n"));
  const std::uint16_t port = gateway.port();
  const std::string body = events(100);  // between the two limits
  const Headers small{{"X-Api-Key", "ks"}};
  const Headers large{{"X-Api-Key", "kl"}};
  const HttpAnswer refused = post(port, "/v4/events/batch", body, small);
  EXPECT_EQ(refused.status, 413);
  EXPECT_THAT(refused.body, HasSubstr("above the producer's max_body_bytes (2048)"));
  EXPECT_EQ(post(port, "/v4/events/batch", body, large).status, 202);
  EXPECT_THAT(post(port, "/v4/events/batch", std::string(70'000, ' '), large).body,
              HasSubstr("above ingest.max_body_bytes (65536)"));
  EXPECT_EQ(post(port, "/v4/events/batch", one("a"), small).status, 202);
  // By the head alone, and by the first chunk's size alone.
  for (const char* framing :
       {"Content-Length: 2049\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n801\r\n"}) {
    HttpClient producer(port);
    producer.send(std::string("POST /v4/events/batch HTTP/1.1\r\nHost: x\r\nX-Api-Key: ks\r\n") +
                  framing);
    EXPECT_EQ(producer.read_answer().status, 413) << framing;
  }
  EXPECT_EQ(gateway.metric("ingest_requests_total", R"(code="413")"), 4);
  EXPECT_EQ(gateway.metric("events_accepted_total"), 101);
}

}  // namespace
}  // namespace sluice::test
