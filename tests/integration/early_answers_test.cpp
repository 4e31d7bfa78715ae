// Goal: an answer that is given while the client is still sending reaches it whole, whatever it had
// begun to send; an answer to HEAD has no body on either address; and whoever asks as load
// balancers do is told how the gateway is.
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "running_gateway.hpp"
#include "scripted_upstream.hpp"
#include "test_pki.hpp"

namespace sluice::test {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view one_producer = "producers: [{name: shop, key: shop-key}]";

std::string with_length(std::string_view line, std::string_view fields, std::size_t bytes) {
  return std::string(line) + " HTTP/1.1\r\nHost: x\r\n" + std::string(fields) +
         "Content-Length: " + std::to_string(bytes) + "\r\n\r\n" + std::string(bytes, ' ');
}

std::string chunked(std::string_view line, std::string_view fields, std::size_t chunks) {
  std::string out = std::string(line) + " HTTP/1.1\r\nHost: x\r\n" + std::string(fields) +
                    "Transfer-Encoding: chunked\r\n\r\n";
  for (std::size_t i = 0; i < chunks; ++i) {
    out += "10000\r\n" + std::string(0x10000, ' ') + "\r\n";
  }
  return out + "0\r\n\r\n";
}

// Sends all of it before it looks for an answer.
void expect_answer(std::uint16_t port, const std::string& ca_file, const std::string& request,
                   unsigned status) {
  HttpClient client(port, {.ca_file = ca_file});
  client.send(request);
  const HttpAnswer answer = client.read_answer();
  ASSERT_EQ(answer.status, status) << request.substr(0, 100);
  EXPECT_EQ(answer.body.size(), std::stoul(answer.headers.at("content-length"))) << "whole";
  EXPECT_EQ(answer.headers.at("connection"), "close");
}

void expect_early_answers(std::uint16_t port, const std::string& ca_file) {
  const std::string key = "X-Api-Key: shop-key\r\n";
  for (const std::size_t mebibytes : {std::size_t{4}, std::size_t{32}}) {
    const std::size_t bytes = mebibytes << 20;
    expect_answer(port, ca_file, with_length("POST /v4/events/batch", "", bytes), 401);
    expect_answer(port, ca_file, with_length("POST /nowhere", key, bytes), 404);
    expect_answer(port, ca_file, with_length("POST /v4/events/batch", key, bytes), 413);
    expect_answer(port, ca_file,
                  with_length("POST /v4/events/batch", key + "Content-Type: text/x\r\n", bytes),
                  415);
    expect_answer(port, ca_file, chunked("POST /v4/events/batch", "", bytes >> 16), 401);
    expect_answer(port, ca_file, chunked("POST /v4/events/batch", key, bytes >> 16), 413);
  }
}

TEST(EarlyAnswers, AreReadByAClientThatSendsAllOfItsBodyFirst) {
  const RunningGateway gateway(
      {}, plain_yaml("ingest: {max_body_bytes: 64KiB, max_event_bytes: 4KiB, " +
                     std::string(one_producer) + "}\n"));
  expect_early_answers(gateway.port(), "");
}

TEST(EarlyAnswers, AreReadOverTlsToo) {
  TestPki pki;
  const config::ServerTls files = pki.issue("server", {.alternative_names = "DNS:localhost"});
  const RunningGateway gateway(
      {}, plain_yaml("ingest: {max_body_bytes: 64KiB, max_event_bytes: 4KiB, " +
                     std::string(one_producer) + ", tls: {cert_file: " + files.cert_file +
                     ", key_file: " + files.key_file + "}}\n"));
  expect_early_answers(gateway.port(), pki.ca_file());
}

TEST(EarlyAnswers, WhoAsksFirstIsAnsweredWithoutTheBody) {
  const RunningGateway gateway({}, plain_yaml("ingest: {" + std::string(one_producer) + "}\n"));
  HttpClient client(gateway.port());
  client.send(
      "POST /v4/events/batch HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
      "Content-Length: 4000000\r\n\r\n");
  const HttpAnswer answer = client.read_answer();
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.headers.at("connection"), "close");
  EXPECT_TRUE(client.closed_by_server()) << "its half, at once";
}

TEST(EarlyAnswers, OfTheUpstreamComeBackWhole) {
  ScriptedUpstream upstream([](RawConnection& connection, std::size_t) {
    connection.read_head();
    connection.write("HTTP/1.1 413 Too Much\r\nContent-Length: 7\r\n\r\n{\"a\":1}");
    connection.drain(std::size_t{64} << 20);
  });
  const RunningGateway gateway(
      {}, "workspaces:\n  - name: default\n    base_url: " + upstream.base_url() +
              "\n    passthrough: true\n    auth: {method: basic, workspace_guid: "
              "01890a5d-ac96-774b-bcce-b302099a8057, api_key: k}\n");
  expect_answer(gateway.port(), "", with_length("PUT /v4/clients", "", std::size_t{8} << 20), 413);
}

TEST(EarlyAnswers, OfTheAdminServerAreReadToo) {
  const RunningGateway gateway;
  expect_answer(gateway.admin_port(), "", with_length("POST /dlq/purge", "", std::size_t{8} << 20),
                413);
}

TEST(EarlyAnswers, AnAdminClientThatAsksFirstIsToldToGoOn) {
  const RunningGateway gateway;
  RawConnection client = RawConnection::to(gateway.admin_port());
  client.write(
      "POST /dlq/purge HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.read_head(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.write("{}");
  EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 403 "));
  RawConnection large = RawConnection::to(gateway.admin_port());
  large.write(
      "POST /dlq/purge HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2000000\r\n"
      "\r\n");
  EXPECT_THAT(large.read_head(), StartsWith("HTTP/1.1 413 "));
}

// What a client that keeps its connection reads: the head alone, then the answer to its next
// request.
void expect_no_body(std::uint16_t port, std::string_view target, std::string_view status) {
  RawConnection connection = RawConnection::to(port);
  connection.write("HEAD " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(connection.read_head(), StartsWith("HTTP/1.1 " + std::string(status))) << target;
  connection.write("GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(connection.read_to_end(), AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), EndsWith("ok\n")))
      << target;
}

TEST(Head, HasNoBodyOnEitherAddress) {
  const RunningGateway gateway;
  for (const auto& [target, status] :
       {std::pair("/livez", "200"), std::pair("/readyz", "200"), std::pair("/nowhere", "404"),
        std::pair("/v4/events/batch", "405"), std::pair("/v4/auth/refresh/profile", "405")}) {
    expect_no_body(gateway.port(), target, status);
  }
  for (const auto& [target, status] :
       {std::pair("/livez", "200"), std::pair("/metrics", "200"), std::pair("/status", "200"),
        std::pair("/", "200"), std::pair("/nowhere", "404"), std::pair("/dlq", "200"),
        std::pair("/dlq/1", "404"), std::pair("/dlq/purge", "405"), std::pair("/reload", "405"),
        std::pair("/tap", "405")}) {
    expect_no_body(gateway.admin_port(), target, status);
  }
}

TEST(Head, HasNoBodyWhenItIsPassedThroughAndNobodyIsThere) {
  const RunningGateway gateway({},
                               "workspaces:\n  - name: default\n    base_url: http://127.0.0.1:1\n"
                               "    passthrough: true\n    auth: {method: basic, workspace_guid: "
                               "01890a5d-ac96-774b-bcce-b302099a8057, api_key: k}\n");
  expect_no_body(gateway.port(), "/v4/clients", "502");
  expect_no_body(gateway.port(), "/v4//clients", "400");
}

TEST(LoadBalancers, AreToldHowTheGatewayIsWithoutAKey) {
  const RunningGateway gateway({}, plain_yaml("ingest: {" + std::string(one_producer) + "}\n"));
  // As HAProxy's `option httpchk` asks by default, and with `http-check send`.
  for (const char* line : {"OPTIONS / HTTP/1.0", "OPTIONS * HTTP/1.1\r\nHost: x",
                           "GET /readyz HTTP/1.0", "GET /livez HTTP/1.1\r\nHost: x"}) {
    RawConnection connection = RawConnection::to(gateway.port());
    connection.write(std::string(line) + "\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(connection.read_to_end(), AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("\r\nok\n")))
        << line;
  }
  EXPECT_EQ(gateway.metric("ingest_requests_total", R"(route="/readyz")"), 3);
}

TEST(EmptyLines, BeforeARequestAreSkippedOnEitherAddress) {
  const RunningGateway gateway;
  for (const std::uint16_t port : {gateway.port(), gateway.admin_port()}) {
    RawConnection connection = RawConnection::to(port);
    connection.write("\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n\r");
    EXPECT_THAT(connection.read_until("ok\n"), StartsWith("HTTP/1.1 200 "));
    connection.write("\nGET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(connection.read_to_end(), StartsWith("HTTP/1.1 200 "));
  }
}

TEST(AdminTargets, MayNameTheServerWhichThenMustBeThisOne) {
  const RunningGateway gateway;
  const auto status = [&](std::string_view target, std::string_view host) {
    RawConnection connection = RawConnection::to(gateway.admin_port());
    connection.write("GET " + std::string(target) +
                     " HTTP/1.1\r\nConnection: close\r\nHost: " + std::string(host) + "\r\n\r\n");
    return connection.read_head().substr(9, 3);
  };
  EXPECT_EQ(status("http://localhost/config", "localhost"), "200");
  EXPECT_EQ(status("http://127.0.0.1:9090/livez", "evil.example"), "200") << "not guarded";
  EXPECT_EQ(status("http://localhost/config", "evil.example"), "403");
  EXPECT_EQ(status("http://evil.example/config", "localhost"), "403");
  EXPECT_EQ(status("http://u@localhost/config", "localhost"), "400");
  EXPECT_EQ(status("/config", "localhost\r\nHost: localhost"), "400");
  EXPECT_EQ(status("/config", "[::1].evil.example"), "403");
  EXPECT_EQ(status("/config", "evil.com#.local"), "403");
}

}  // namespace
}  // namespace sluice::test
