// Goal: who may write is decided by certificates and keys that agree, each may send only so much,
// and nobody who is slow, greedy or hostile keeps the others from being served.
#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sluice/admin/server.hpp>
#include <sluice/net/run.hpp>

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
  EXPECT_EQ(gateway.metric("ingest_bodies_refused_total", R"(limit="producer_max_body_bytes")"), 3);
  EXPECT_EQ(gateway.metric("ingest_bodies_refused_total", R"(limit="max_body_bytes")"), 1);
  EXPECT_EQ(gateway.metric("events_accepted_total"), 101);
}

TEST(Limits, ConnectionsOfOneAddressAreHeldToTheirNumber) {
  RunningGateway gateway({}, plain_yaml("ingest: {listen: [\"127.0.0.1:0\", "
                                        "\"unix:${DIRECTORY}ingest.sock\"]}\n"
                                        "limits: {max_connections_per_peer: 2}\n"));
  const auto status_of = [](HttpClient& client) {
    return client.post("/v4/events/batch", one("a")).status;
  };
  HttpClient first(gateway.port());
  auto second = std::make_unique<HttpClient>(gateway.port());
  EXPECT_EQ(status_of(first), 202);
  EXPECT_EQ(status_of(*second), 202);
  EXPECT_TRUE(HttpClient(gateway.port()).closed_by_server());
  EXPECT_TRUE(HttpClient(gateway.port()).closed_by_server());
  EXPECT_EQ(gateway.metric("ingest_connections_refused_total", "max_connections_per_peer"), 2);
  EXPECT_EQ(gateway.metric("ingest_connections_refused_total", "\"max_connections\""), 0);
  for (int i = 0; i < 3; ++i) {
    HttpClient local(0, {.unix_path = gateway.directory() / "ingest.sock"});
    EXPECT_EQ(status_of(local), 202) << "a Unix-domain socket has no address";
  }
  EXPECT_EQ(status_of(first), 202) << "who is connected stays so";
  second.reset();
  EXPECT_TRUE(eventually([&] {
    return post(gateway.port(), "/v4/events/batch", one("a")).status == 202;
  })) << "there is room again";
}

TEST(Limits, ConnectionsAreHeldToTheirNumber) {
  RunningGateway gateway({}, plain_yaml("ingest: {max_connections: 1}\n"));
  HttpClient first(gateway.port());
  EXPECT_EQ(first.post("/v4/events/batch", one("a")).status, 202);
  EXPECT_TRUE(HttpClient(gateway.port()).closed_by_server());
  EXPECT_EQ(gateway.metric("ingest_connections_refused_total", "\"max_connections\""), 1);
}

TEST(Limits, WhoHasNotShownAKeyMakesRoomForTheNextConnection) {
  for (const bool keyed : {true, false}) {
    RunningGateway gateway(
        {}, plain_yaml(std::string("ingest: {max_connections: 4, threads: 2") +
                       (keyed ? ", producers: [{name: shop, key: k}]" : "") + "}\n"));
    const Headers key{{"X-Api-Key", "k"}};
    const auto status_of = [&](HttpClient& client) {
      return client.post("/v4/events/batch", one("a"), key).status;
    };
    HttpClient known(gateway.port());
    ASSERT_EQ(status_of(known), 202);
    std::vector<std::unique_ptr<HttpClient>> strangers;
    for (int i = 0; i < 12; ++i) {
      strangers.push_back(std::make_unique<HttpClient>(gateway.port()));
      strangers.back()->send(i % 3 == 0 ? "" : i % 3 == 1 ? "POST /v4/ev" : "GET / HTTP/1.1\r\n");
    }
    EXPECT_EQ(status_of(known), 202);
    EXPECT_TRUE(strangers.front()->closed_by_server());
    HttpClient next(gateway.port());
    EXPECT_EQ(status_of(next), 202);
    EXPECT_EQ(status_of(known), 202);
    EXPECT_GE(gateway.metric("ingest_connections_evicted_total"), 8);
    EXPECT_EQ(gateway.metric("ingest_connections_refused_total"), 0);
    EXPECT_EQ(gateway.metric("ingest_connections_limit"), 4);
  }
}

TEST(Limits, TheLastRequestOfAConnectionIsAnsweredAndSaysSo) {
  RunningGateway gateway({}, plain_yaml("limits: {max_requests_per_connection: 3}\n"));
  HttpClient producer(gateway.port());
  for (int i = 1; i <= 3; ++i) {
    const HttpAnswer answer = producer.post("/v4/events/batch", one("a"));
    EXPECT_EQ(answer.status, 202);
    EXPECT_EQ(answer.headers.contains("connection"), i == 3);
  }
  EXPECT_TRUE(producer.closed_by_server());
  EXPECT_EQ(gateway.metric("ingest_connections_retired_total"), 1);
  EXPECT_EQ(gateway.metric("events_accepted_total"), 3);
  EXPECT_TRUE(gateway.delivered(3));
}

TEST(Limits, EventsAreHeldToTheirKeysStringsAndDepthEachForItself) {
  RunningGateway gateway({}, plain_yaml("limits: {max_event_keys: 16, max_string_bytes: 256}\n"));
  std::string keys = "{";
  for (int i = 0; i < 17; ++i) {
    keys += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":1";
  }
  const std::string text = R"({"text":")" + std::string(257, 'x') + "\"}";
  const std::string deep = R"({"a":)" + std::string(70, '[') + std::string(70, ']') + "}";
  const HttpAnswer answer = post(gateway.port(), "/v4/events/batch",
                                 "[" + event("a") + "," + event("b", keys + "}") + "," +
                                     event("c", text) + "," + event("d", deep) + "]");
  EXPECT_EQ(answer.status, 202);
  EXPECT_THAT(answer.body, StartsWith(R"({"accepted":1,"rejected":3,)"));
  EXPECT_THAT(answer.body,
              HasSubstr(R"({"index":1,"code":1016,"reason":"too_many_keys","field":"",)"));
  EXPECT_THAT(
      answer.body,
      HasSubstr(R"({"index":2,"code":1017,"reason":"string_too_long","field":"params.text",)"));
  EXPECT_THAT(answer.body, HasSubstr(R"({"index":3,"code":1015,"reason":"too_deep","field":"",)"));
  for (const char* reason : {"too_many_keys", "string_too_long", "too_deep"}) {
    EXPECT_EQ(gateway.metric("events_rejected_total", reason), 1) << reason;
  }
}

TEST(Limits, HeadersAreHeldToTheirNumberAndBytes) {
  RunningGateway gateway({}, plain_yaml("ingest: {max_header_bytes: 4KiB}\n"));
  Headers many;
  for (int i = 0; i < 130; ++i) {
    many.emplace_back("X-" + std::to_string(i), "x");
  }
  EXPECT_EQ(post(gateway.port(), "/v4/events/batch", one("a"), many).status, 431);
  EXPECT_EQ(
      post(gateway.port(), "/v4/events/batch", one("a"), {{"X-A", std::string(5'000, 'x')}}).status,
      431);
  EXPECT_EQ(gateway.metric("ingest_requests_total", R"(code="431")"), 2);
}

// Answers that are larger than any buffer between here and there, to requests that fit.
std::string many_requests_with_large_answers() {
  std::string body = "[7";
  for (int i = 1; i < 1'000; ++i) {
    body += ",7";
  }
  body += "]";
  const std::string request =
      "POST /v4/events/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
      "Content-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body;
  std::string all;
  for (int i = 0; i < 150; ++i) {
    all += request;
  }
  return all;
}

TEST(SlowClients, WhoDoesNotReadItsAnswersIsClosedPlainAndWithTls) {
  const TestPki pki;
  const config::ServerTls tls = pki.issue("server", {.alternative_names = "DNS:localhost"});
  const std::string limits = "write_timeout: 300ms, threads: 1";
  RunningGateway plain({}, plain_yaml("ingest: {" + limits + "}\n"));
  RunningGateway secure({}, plain_yaml("ingest: {" + limits + ", tls: {cert_file: " +
                                       tls.cert_file + ", key_file: " + tls.key_file + "}}\n"));
  HttpClient deaf(plain.port(), {.receive_buffer_bytes = 4'096});
  HttpClient deaf_secure(secure.port(), {.ca_file = pki.ca_file(), .receive_buffer_bytes = 4'096});
  const std::string requests = many_requests_with_large_answers();
  deaf.send(requests);
  deaf_secure.send(requests);
  for (RunningGateway* gateway : {&plain, &secure}) {
    EXPECT_TRUE(eventually(
        [&] { return gateway->metric("ingest_timeouts_total", R"(phase="answer")") == 1; }));
    EXPECT_TRUE(eventually([&] { return gateway->metric("ingest_connections") == 0; }));
  }
  EXPECT_EQ(post(plain.port(), "/v4/events/batch", one("a")).status, 202);
}

TEST(SlowClients, EachPhaseHasItsTimeAndIsCounted) {
  const TestPki pki;
  const config::ServerTls tls = pki.issue("server", {.alternative_names = "DNS:localhost"});
  const std::string limits = "header_timeout: 1s, body_timeout: 1s, idle_timeout: 1s";
  RunningGateway gateway({}, plain_yaml("ingest: {" + limits + ", tls: {cert_file: " +
                                        tls.cert_file + ", key_file: " + tls.key_file + "}}\n"));
  HttpClient silent(gateway.port());  // says nothing, where a handshake is due
  EXPECT_TRUE(silent.closed_by_server());
  const HttpClient::Options trusting{.ca_file = pki.ca_file()};
  HttpClient idle(gateway.port(), trusting);
  HttpClient slow_head(gateway.port(), trusting);
  slow_head.send("POST /v4/events/batch HT");
  HttpClient slow_body(gateway.port(), trusting);
  slow_body.send(
      "POST /v4/events/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
      "Content-Length: 10\r\n\r\n[");
  HttpClient slow_chunk(gateway.port(), trusting);
  slow_chunk.send(
      "POST /v4/events/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
      "Transfer-Encoding: chunked\r\n\r\n5\r\n[");
  EXPECT_EQ(slow_head.read_answer().status, 408);
  EXPECT_EQ(slow_body.read_answer().status, 408);
  EXPECT_EQ(slow_chunk.read_answer().status, 408);
  EXPECT_EQ(idle.read_answer().status, 0);
  const std::vector<std::pair<const char*, double>> counts{
      {"handshake", 1}, {"head", 1}, {"body", 2}, {"idle", 1}, {"answer", 0}};
  for (const auto& [phase, count] : counts) {
    EXPECT_TRUE(eventually([&] {
      return gateway.metric("ingest_timeouts_total", std::string("\"") + phase + '"') == count;
    })) << phase;
  }
  EXPECT_EQ(gateway.metric("ingest_requests_total", R"(code="408")"), 3);
}

// The admin server alone, with limits of its own and a status larger than any buffer between here
// and there.
class AdminServer {
 public:
  explicit AdminServer(const admin::Limits& limits) {
    admin::Hooks hooks;
    hooks.status = [] { return std::string(32U << 20, ' '); };
    hooks.metrics = [this] {
      metrics::Exposition exposition;
      server_->expose(exposition);
      return exposition.to_text();
    };
    auto started = admin::start_server(context_.get_executor(), gate_,
                                       config::TcpAddress{.host = "127.0.0.1", .port = 0},
                                       std::move(hooks), limits);
    server_ = std::move(started.value());
    thread_ = std::jthread([this] { net::run(context_, "admin"); });
  }
  ~AdminServer() {
    net::asio::post(context_, [this] { server_->stop(); });
    thread_.join();
  }
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  [[nodiscard]] std::uint16_t port() const {
    return std::get<config::TcpAddress>(server_->address()).port;
  }
  [[nodiscard]] double timeouts(const std::string& phase) const {
    return metric(get(port(), "/metrics").body, "admin_timeouts_total", "\"" + phase + "\"");
  }

 private:
  net::asio::io_context context_;
  net::Gate gate_{"admin"};
  std::unique_ptr<admin::Server> server_;
  std::jthread thread_;
};

TEST(AdminClients, WhoDoesNotTakeAnAnswerIsClosedAndOthersAreServedMeanwhile) {
  const AdminServer server({.answer_timeout = std::chrono::milliseconds(500)});
  HttpClient deaf(server.port(), {.receive_buffer_bytes = 4'096});
  deaf.send("GET /status HTTP/1.1\r\nHost: x\r\n\r\n");
  HttpClient deaf_viewer(server.port(), {.receive_buffer_bytes = 4'096});
  deaf_viewer.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(eventually([&] {
    EXPECT_EQ(get(server.port(), "/livez").status, 200);
    return server.timeouts("answer") == 2;
  }));
  EXPECT_EQ(deaf.read_answer().status, 0) << "cut off";
  EXPECT_EQ(deaf_viewer.read_answer().status, 200) << "with no length: it has come to an end";
  EXPECT_EQ(server.timeouts("request") + server.timeouts("idle"), 0);
}

TEST(AdminClients, WhoIsSlowToAskIsClosedAndCounted) {
  const AdminServer server({.request_timeout = std::chrono::milliseconds(300)});
  HttpClient silent(server.port());
  HttpClient idle(server.port());
  EXPECT_EQ(idle.get("/livez").status, 200);
  HttpClient slow_head(server.port());
  slow_head.send("GET /livez HT");
  HttpClient slow_body(server.port());
  slow_body.send("POST /reload HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{");
  for (HttpClient* client : {&silent, &idle, &slow_head, &slow_body}) {
    EXPECT_TRUE(client->closed_by_server());
  }
  EXPECT_EQ(server.timeouts("request"), 2);
  EXPECT_EQ(server.timeouts("idle"), 2);
  EXPECT_EQ(server.timeouts("answer"), 0);
}

TEST(AdminClients, ConnectionsAreHeldToTheirNumberAndAProbeAlwaysGetsThrough) {
  const RunningGateway gateway;
  const auto hold = [&](std::string_view sent) {
    std::vector<std::unique_ptr<HttpClient>> clients;
    for (int i = 0; i < 70; ++i) {
      clients.push_back(std::make_unique<HttpClient>(gateway.admin_port()));
      clients.back()->send(sent);
      if (sent.ends_with("\r\n\r\n")) {
        clients.back()->read_answer();
      }
    }
    EXPECT_EQ(get(gateway.admin_port(), "/livez").status, 200) << sent;
    EXPECT_EQ(get(gateway.admin_port(), "/readyz").status, 200) << sent;
    EXPECT_TRUE(clients.front()->closed_by_server()) << sent;
    if (!sent.ends_with("HT")) {
      EXPECT_EQ(clients.back()->get("/livez").status, 200) << sent;
    }
  };
  hold("");
  hold("GET /livez HT");
  hold("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_GE(gateway.metric("admin_connections_evicted_total"), 3 * (70 - 64));
}

TEST(AdminClients, AProbeGetsThroughWhereAllOthersLeaveTheirAnswersUnread) {
  const AdminServer server({.connections_max = 4});
  std::vector<std::unique_ptr<HttpClient>> deaf;
  for (int i = 0; i < 8; ++i) {
    deaf.push_back(std::make_unique<HttpClient>(
        server.port(), HttpClient::Options{.receive_buffer_bytes = 4'096}));
    deaf.back()->send("GET /status HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(get(server.port(), "/livez").status, 200);
  }
}

TEST(Overload, IsAnsweredBeforeTheBodyIsRead) {
  RunningGateway gateway({},
                         plain_yaml("buffer: {type: memory, max_events: 100, high_watermark: 0.9, "
                                    "low_watermark: 0.5}\n"));
  ASSERT_TRUE(gateway.upstream().set_faults("status=503"));
  EXPECT_EQ(post(gateway.port(), "/v4/events/batch", events(90)).status, 202);
  EXPECT_EQ(post(gateway.port(), "/v4/events/batch", events(1)).status, 503) << "the first one";
  for (const char* length : {"1000", "1000000"}) {
    HttpClient producer(gateway.port());
    producer.send(std::string("POST /v4/events/batch HTTP/1.1\r\nHost: x\r\nContent-Length: ") +
                  length + "\r\n\r\n");  // and no byte of the body
    const HttpAnswer answer = producer.read_answer();
    EXPECT_EQ(answer.status, 503) << length;
    EXPECT_TRUE(answer.headers.contains("retry-after")) << length;
  }
  EXPECT_EQ(gateway.metric("events_received_total"), 91) << "nothing more was parsed";
}

TEST(Overload, OfOneProducerLeavesTheOthersBe) {
  RunningGateway gateway(
      {}, plain_yaml("ingest: {max_event_bytes: 4KiB, producers: [{name: greedy, key: kg}, "
                     "{name: fast, key: kf, rate_limit: 10/s}, {name: modest, key: km}]}\n"
                     "buffer: {type: memory, max_bytes: 64KiB, producer_share: 0.5}\n"));
  ASSERT_TRUE(gateway.upstream().set_faults("status=503"));
  const auto status_of = [&](const char* key, std::size_t count) {
    return post(gateway.port(), "/v4/events/batch", events(count), {{"X-Api-Key", key}}).status;
  };
  unsigned status = 202;
  for (int i = 0; i < 100 && status == 202; ++i) {
    status = status_of("kg", 20);
  }
  EXPECT_EQ(status, 503);
  EXPECT_EQ(status_of("kf", 30), 202);
  HttpClient fast(gateway.port());
  fast.send(
      "POST /v4/events/batch HTTP/1.1\r\nHost: x\r\nX-Api-Key: kf\r\nContent-Length: 99\r\n\r\n");
  EXPECT_EQ(fast.read_answer().status, 429) << "before its body, too";
  EXPECT_EQ(status_of("km", 1), 202);
  EXPECT_EQ(status_of("kg", 20), 503) << "still";
  const double received = gateway.metric("events_received_total");
  const auto status_of_nonsense = [&](const char* key) {
    return post(gateway.port(), "/v4/events/batch", "no JSON", {{"X-Api-Key", key}}).status;
  };
  EXPECT_EQ(status_of_nonsense("kg"), 503) << "before its body is parsed";
  EXPECT_EQ(status_of_nonsense("km"), 400);
  HttpClient greedy(gateway.port());
  greedy.send(
      "POST /v4/events/batch HTTP/1.1\r\nHost: x\r\nX-Api-Key: kg\r\nContent-Length: 99\r\n\r\n");
  const HttpAnswer answer = greedy.read_answer();
  EXPECT_EQ(answer.status, 503) << "and before it is read";
  EXPECT_TRUE(answer.headers.contains("retry-after"));
  EXPECT_EQ(gateway.metric("events_received_total"), received);
}

TEST(Overload, OfTheIngestThreadsLeavesTheAdminApiAnswering) {
  RunningGateway gateway({}, plain_yaml("ingest: {threads: 1}\n"));
  // More at any time than the one thread has done: its requests wait in the sockets.
  const std::string body = events(5'000);
  std::atomic<bool> enough{false};
  std::vector<std::jthread> producers;
  producers.reserve(4);
  for (int i = 0; i < 4; ++i) {
    producers.emplace_back([&] {
      HttpClient producer(gateway.port());
      while (!enough) {
        producer.post("/v4/events/batch", body);
      }
    });
  }
  const auto received = [&] { return gateway.metric("events_received_total"); };
  ASSERT_TRUE(eventually([&] { return received() > 0; }));
  const double before = received();
  for (int round = 0; round < 20; ++round) {
    for (const char* path : {"/livez", "/metrics", "/status"}) {
      EXPECT_EQ(get(gateway.admin_port(), path).status, 200) << path;
    }
  }
  EXPECT_TRUE(eventually([&] { return received() > before; })) << "they were at it";
  enough = true;
}

}  // namespace
}  // namespace sluice::test
