// Goal: what an upstream says is judged as it came, and kept and shown without the credentials that
// it may repeat.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "running_gateway.hpp"
#include "scripted_upstream.hpp"

namespace sluice::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Serves each request of a connection the same answer.
ScriptedUpstream::Script always(const std::string& status, const std::string& type,
                                const std::string& body) {
  return [=](RawConnection& connection, std::size_t) {
    while (true) {
      const std::string head = connection.read_head();
      const std::string field = "Content-Length: ";
      const std::size_t at = head.find(field);
      if (at == head.npos) {
        return;
      }
      connection.read(std::stoul(head.substr(at + field.size())));
      connection.write("HTTP/1.1 " + status + "\r\nContent-Type: " + type +
                       "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    }
  };
}

std::string yaml_of(const ScriptedUpstream& upstream, const std::string& key) {
  return "workspaces:\n  - name: default\n    base_url: " + upstream.base_url() +
         "\n    auth: {method: basic, workspace_guid: 01890a5d-ac96-774b-bcce-b302099a8057, "
         "api_key: \"" +
         key + "\"}\nbatch: {linger: 10ms}\nadmin: {token: t0ken}\n";
}

TEST(Redaction, AnAnswerThatHasASecretAsANumberIsUnderstood) {
  const ScriptedUpstream upstream(
      always("200 OK", "application/json", R"({"requestId":73519824601,"accepted":1})"));
  const RunningGateway gateway({}, yaml_of(upstream, "73519824601"));
  EXPECT_EQ(post(gateway.port(), "/v4/events/batch", events(1)).status, 202);
  EXPECT_TRUE(gateway.delivered(1));
  EXPECT_EQ(gateway.metric("delivery_requests_total", R"(outcome="delivered")"), 1);
  EXPECT_EQ(gateway.metric("delivery_retries_total"), 0);
}

// A secret that is longer than its mark, often enough to make a body that fills the limit shorter.
TEST(Redaction, AnAnswerIsJudgedByTheLengthThatItHas) {
  const std::string key(64, 'k');
  std::string body = R"({"text":")";
  while (body.size() < 80'000) {
    body += key + " ";
  }
  body += R"("})";
  const ScriptedUpstream upstream(always("207 Multi-Status", "application/json", body));
  const RunningGateway gateway({}, yaml_of(upstream, key));
  EXPECT_EQ(post(gateway.port(), "/v4/events/batch", events(1)).status, 202);
  EXPECT_TRUE(eventually([&] { return gateway.metric("events_dead_lettered_total") == 1; }))
      << "a body above the limit is not one that broke off";
}

TEST(Redaction, WhatIsKeptAndShownHasNoCredentials) {
  const std::string key = "the-workspace's-api-key";
  const std::string page =
      R"({"error":"you said the-workspace's-api-key and the-workspace&#39;s-api-key)" +
      std::string(1'990, '.') + R"(the-workspace's-api-key"})";
  const ScriptedUpstream upstream(always("400 Bad Request", "application/json", page));
  const RunningGateway gateway({}, yaml_of(upstream, key));
  EXPECT_EQ(post(gateway.port(), "/v4/events/batch", events(1)).status, 202);
  EXPECT_TRUE(eventually([&] { return gateway.metric("events_dead_lettered_total") == 1; }));
  EXPECT_THAT(get(gateway.admin_port(), "/dlq").body,
              AllOf(HasSubstr("you said [redacted] and [redacted]..."), HasSubstr(".[redacted]"),
                    Not(HasSubstr("workspace's")), Not(HasSubstr("api-key"))));
}

}  // namespace
}  // namespace sluice::test
