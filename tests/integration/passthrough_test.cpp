// Goal: a call that is none of the gateway's own reaches the upstream as it is, with the
// credentials that it must have and no others, and its answer comes back as it is or not at all,
// whatever the upstream does.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <semaphore>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway_process.hpp"
#include "running_gateway.hpp"
#include "scripted_upstream.hpp"
#include "test_pki.hpp"

namespace sluice::test {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
// Basic, of the workspace's GUID and "upstream-secret".
constexpr std::string_view workspace_credentials =
    "\r\nAuthorization: Basic "
    "MDE4OTBhNWQtYWM5Ni03NzRiLWJjY2UtYjMwMjA5OWE4MDU3OnVwc3RyZWFtLXNlY3JldA==\r\n";

// One workspace that passes through, with a producer `shop` and the key `shop-key`.
std::string yaml_of(
    const std::string& base_url, const std::string& more = "",
    const std::string& producers = "{name: shop, key: shop-key, workspace: default}") {
  return "ingest: {threads: 1, producers: [" + producers + "]}\n" + more +
         "workspaces:\n  - name: default\n    base_url: " + base_url +
         "\n    passthrough: true\n    auth: {method: basic, workspace_guid: "
         "01890a5d-ac96-774b-bcce-b302099a8057, api_key: upstream-secret}\n";
}
const Headers shop_key{{"X-Api-Key", "shop-key"}};

std::string request(std::string_view line, std::string_view headers = "") {
  return std::string(line) + " HTTP/1.1\r\nHost: gateway\r\nX-Api-Key: shop-key\r\n" +
         std::string(headers) + "\r\n";
}

// Answers each request of a connection alike, and notes their heads.
class Notes {
 public:
  explicit Notes(std::string answer) : answer_(std::move(answer)) {}
  void operator()(RawConnection& connection, std::size_t) {
    for (std::string head; (head = connection.read_head()).ends_with("\r\n\r\n");) {
      add(head);
      const bool chunked = head.find("\r\nTransfer-Encoding: chunked\r\n") != std::string::npos;
      if (chunked && !connection.read_until("0\r\n\r\n").ends_with("0\r\n\r\n")) {
        return;
      }
      connection.write(answer_);
    }
  }
  void add(const std::string& head) {
    const std::lock_guard lock(mutex_);
    heads_.push_back(head);
  }
  std::vector<std::string> heads() {
    const std::lock_guard lock(mutex_);
    return heads_;
  }

 private:
  std::string answer_;
  std::mutex mutex_;
  std::vector<std::string> heads_;
};

TEST(Passthrough, TheCallAndItsAnswerAreTheSameOnBothSidesButForTheCredentials) {
  Notes notes(
      "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Type: a/b\r\nX-Own: 1\r\n"
      "Set-Cookie: session=workspace\r\nConnection: X-Hop\r\nX-Hop: 1\r\nContent-Length: 4\r\n\r\n"
      "body");
  ScriptedUpstream upstream(std::ref(notes));
  RunningGateway gateway({}, yaml_of(upstream.base_url()));
  HttpClient client(gateway.port());
  const HttpAnswer answer = client.request("GET", "/v4/clients/by-email/a%40b?x=1", "",
                                           {{"Authorization", "Bearer shop-key"},
                                            {"X-Api-Key", "shop-key"},
                                            {"Cookie", "a=b"},
                                            {"Accept-Language", "pl"},
                                            {"Connection", "x-drop"},
                                            {"X-Drop", "1"},
                                            {"TE", "trailers"},
                                            {"X-Request-Id", "mine"}});
  EXPECT_EQ(answer.status, 302) << "passed back, not followed";
  EXPECT_EQ(answer.body, "body");
  EXPECT_EQ(answer.headers.at("location"), "/elsewhere");
  EXPECT_EQ(answer.headers.at("x-own"), "1");
  EXPECT_EQ(answer.headers.at("via"), "1.1 sluice");
  EXPECT_EQ(answer.headers.at("x-request-id"), "mine");
  EXPECT_FALSE(answer.headers.contains("x-hop"));
  EXPECT_FALSE(answer.headers.contains("set-cookie"));
  ASSERT_EQ(notes.heads().size(), 1);
  EXPECT_EQ(notes.heads().front(),
            "GET /v4/clients/by-email/a%40b?x=1 HTTP/1.1\r\nHost: 127.0.0.1:" +
                std::to_string(upstream.port()) + "\r\nAccept-Language: pl\r\nX-Request-Id: mine" +
                std::string(workspace_credentials) + "Via: 1.1 sluice\r\n\r\n");
  // The connections to both sides stay, and the gateway's own routes work on them as ever.
  EXPECT_EQ(client.request("DELETE", "/v4/x", "", shop_key).status, 302);
  EXPECT_EQ(client.post("/v4/events/batch", events(1), shop_key).status, 202);
  EXPECT_EQ(client.request("OPTIONS", "/v4/x", "", shop_key).status, 302);
  EXPECT_EQ(notes.heads().size(), 3 + (upstream.accepted() - 1)) << "a delivery has its own";
}

TEST(Passthrough, AnAnonymousCallerHasItsOwnCredentialsAndNoOthers) {
  Notes notes{std::string(ok)};
  ScriptedUpstream upstream(std::ref(notes));
  RunningGateway gateway({}, yaml_of(upstream.base_url(), "", ""));
  HttpClient client(gateway.port());
  EXPECT_EQ(client.request("GET", "/v4/x", "", {{"Authorization", "Bearer own"}}).status, 200);
  EXPECT_EQ(client.get("/v4/x").status, 200);
  EXPECT_EQ(client.request("POST", "/v4/auth/login/profile", "", {}).status, 200)
      << "a token of the upstream's is of use there, and one of the gateway's is not";
  const auto heads = notes.heads();
  ASSERT_EQ(heads.size(), 3);
  EXPECT_THAT(heads[0], HasSubstr("\r\nAuthorization: Bearer own\r\n"));
  EXPECT_THAT(heads[1], Not(HasSubstr("Authorization")));
  EXPECT_THAT(heads[2], AllOf(StartsWith("POST /v4/auth/login/profile "),
                              Not(HasSubstr("Authorization")), HasSubstr("Content-Length: 0\r\n")));
}

// It proves nothing to the gateway, so it is given nothing of the gateway's.
TEST(Passthrough, ACallWithATrackerKeyGoesOnWithThatAlone) {
  Notes notes{std::string(ok)};
  ScriptedUpstream upstream(std::ref(notes));
  RunningGateway gateway({}, yaml_of(upstream.base_url()));
  constexpr std::string_view path = "/v4/events/ai-compat/recommendation.view?token=T-1";
  EXPECT_EQ(post(gateway.port(), path, "{}").status, 200);
  ASSERT_EQ(notes.heads().size(), 1);
  EXPECT_THAT(notes.heads().front(), StartsWith("POST " + std::string(path) + " HTTP/1.1\r\n"));
  EXPECT_THAT(notes.heads().front(), Not(HasSubstr("Authorization")));
  EXPECT_EQ(post(gateway.port(), path, "{}", shop_key).status, 200);
  ASSERT_EQ(notes.heads().size(), 2);
  EXPECT_THAT(notes.heads().back(), HasSubstr(workspace_credentials)) << "a producer's";
  EXPECT_EQ(post(gateway.port(), path, "{}", {{"X-Api-Key", "wrong"}}).status, 401);
  EXPECT_EQ(post(gateway.port(), path, "{}", {{"Authorization", "Bearer wrong"}}).status, 401);
  EXPECT_EQ(post(gateway.port(), "/v4/clients/batch", "[]").status, 401);
  EXPECT_EQ(post(gateway.port(), "/uauth/other/auth?token=T-1", "{}").status, 403)
      << "what hands out credentials takes a producer, and is refused to it, too";
  const HttpAnswer own = post(gateway.port(), "/v4/events/custom?token=T-1", "{}");
  EXPECT_EQ(own.status, 401);
  EXPECT_THAT(own.body,
              AllOf(HasSubstr("this path is the gateway's own"), Not(HasSubstr("passthrough"))));
  EXPECT_EQ(notes.heads().size(), 2);
}

TEST(Passthrough, WhatMustNotGoThroughIsRefused) {
  Notes notes{std::string(ok)};
  ScriptedUpstream upstream(std::ref(notes));
  RunningGateway gateway(
      {}, yaml_of(upstream.base_url(), "passthrough: {max_body_bytes: 1KiB}\n",
                  "{name: shop, key: shop-key, workspace: default},"
                  "{name: events, key: events-key, workspace: default, routes: [/v4/transactions]},"
                  "{name: other, key: other-key, workspace: other}") +
              "  - {name: other, base_url: \"" + upstream.base_url() +
              "\", auth: {method: jwt, api_key: k}}\n");
  const auto status = [&](std::string_view method, std::string_view target, const Headers& headers,
                          std::string_view body = "") {
    return HttpClient(gateway.port()).request(method, target, body, headers).status;
  };
  EXPECT_EQ(status("GET", "/v4/x", {}), 401);
  EXPECT_EQ(status("GET", "/v4/x", {{"X-Api-Key", "nobody's"}}), 401);
  EXPECT_EQ(status("GET", "/v4/x", {{"X-Api-Key", "events-key"}}), 403);
  EXPECT_EQ(status("GET", "/v4/x", {{"X-Api-Key", "other-key"}}), 404);
  EXPECT_EQ(status("TRACE", "/v4/x", shop_key), 405) << "it would show the workspace's credentials";
  EXPECT_EQ(status("GET", "/v4/transactions", shop_key), 405) << "a route of the gateway's own";
  EXPECT_EQ(status("GET", "/v4/auth/Refresh/profile", shop_key), 403);
  EXPECT_EQ(status("POST", "/v4//events/batch", shop_key), 400);
  EXPECT_EQ(status("POST", "/v4/events/batch/", shop_key), 400);
  EXPECT_EQ(status("PUT", "/v4/x", shop_key, std::string(1025, 'x')), 413);
  EXPECT_EQ(status("POST", "/v4/auth/login/profile", {}, R"({"apiKey":"shop-key"})"), 200)
      << "the gateway's own login";
  RawConnection client = RawConnection::to(gateway.port());
  client.write(request("PUT /v4/x", "Transfer-Encoding: chunked\r\n") + "300\r\n" +
               std::string(0x300, 'x') + "\r\n300\r\n" + std::string(0x300, 'x') + "\r\n0\r\n\r\n");
  EXPECT_THAT(client.read_to_end(),
              AllOf(StartsWith("HTTP/1.1 413 "), HasSubstr("\r\nConnection: close")));
  for (const std::string& head : notes.heads()) {
    EXPECT_THAT(head, StartsWith("PUT /v4/x ")) << "begun, and not ended";
  }
  EXPECT_EQ(gateway.metric("ingest_requests_total", R"(route="passthrough",code="413")"), 1 + 1);
  EXPECT_EQ(gateway.metric("ingest_bodies_refused_total", R"(limit="passthrough_max_body_bytes")"),
            2);
}

TEST(Passthrough, StreamsBothWays) {
  std::promise<void> first_came;
  std::promise<void> first_read;
  ScriptedUpstream upstream([&](RawConnection& connection, std::size_t) {
    EXPECT_THAT(connection.read_head(), AllOf(HasSubstr("\r\nTransfer-Encoding: chunked\r\n"),
                                              Not(HasSubstr("Content-Length"))));
    EXPECT_EQ(connection.read_until("one\r\n"), "3\r\none\r\n");
    first_came.set_value();
    EXPECT_EQ(connection.read_until("0\r\n\r\n"), "3\r\ntwo\r\n0\r\n\r\n");
    connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n");
    first_read.get_future().wait_for(std::chrono::seconds(20));
    connection.write("4\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n");
  });
  RunningGateway gateway({}, yaml_of(upstream.base_url()));
  RawConnection client = RawConnection::to(gateway.port());
  client.write(request("POST /import", "Transfer-Encoding: chunked\r\n") + "3;ext\r\none\r\n");
  ASSERT_EQ(first_came.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  client.write("3\r\ntwo\r\n0\r\nX-Trailer: 1\r\n\r\n");
  EXPECT_THAT(client.read_head(), AllOf(StartsWith("HTTP/1.1 200 OK\r\n"),
                                        HasSubstr("\r\nTransfer-Encoding: chunked\r\n")));
  EXPECT_EQ(client.read_until("abc\r\n"), "3\r\nabc\r\n");
  first_read.set_value();
  EXPECT_EQ(client.read_until("0\r\n\r\n"), "4\r\ndefg\r\n0\r\n\r\n");
  EXPECT_EQ(gateway.metric("passthrough_request_bytes_total"), 6);
  EXPECT_EQ(gateway.metric("passthrough_answer_bytes_total"), 7);
  EXPECT_EQ(gateway.metric("passthrough_requests_total", R"(workspace="default",code="2xx")"), 1);
  EXPECT_EQ(gateway.metric("passthrough_duration_seconds_count"), 1);
  EXPECT_EQ(gateway.metric("passthrough_in_flight"), 0);
}

TEST(Passthrough, AnswersWithoutABodyAndWithoutALength) {
  ScriptedUpstream upstream([&](RawConnection& connection, std::size_t) {
    for (std::string head; !(head = connection.read_head()).empty();) {
      if (head.starts_with("HEAD")) {
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n");
      } else if (head.starts_with("GET /204")) {
        connection.write("HTTP/1.1 204 No Content\r\n\r\n");
      } else if (head.starts_with("GET /304")) {
        connection.write("HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 9\r\n\r\n");
      } else if (head.starts_with("GET /hints")) {
        connection.write(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: l\r\n\r\n" +
            std::string(ok));
      } else {
        connection.write("HTTP/1.0 200 OK\r\n\r\nto the end");
        return;
      }
    }
  });
  RunningGateway gateway({}, yaml_of(upstream.base_url()));
  HttpClient client(gateway.port());
  const HttpAnswer to_head = client.request("HEAD", "/x", "", shop_key);
  EXPECT_EQ(to_head.headers.at("content-length"), "77");
  EXPECT_EQ(client.request("GET", "/204", "", shop_key).status, 204);
  const HttpAnswer not_modified = client.request("GET", "/304", "", shop_key);
  EXPECT_EQ(not_modified.status, 304);
  EXPECT_EQ(not_modified.headers.at("etag"), "x");
  client.send(request("GET /hints"));
  const HttpAnswer hints = client.read_answer();
  EXPECT_EQ(hints.status, 103);
  EXPECT_EQ(hints.headers.at("link"), "l");
  EXPECT_EQ(client.read_answer().body, "ok");
  EXPECT_EQ(upstream.accepted(), 1);
  const HttpAnswer to_end = client.request("GET", "/1.0", "", shop_key);
  EXPECT_EQ(to_end.headers.at("transfer-encoding"), "chunked");
  EXPECT_EQ(to_end.headers.at("via"), "1.0 sluice");
  EXPECT_EQ(to_end.body, "to the end");
  // A client of HTTP/1.0 knows neither chunks nor interim answers.
  RawConnection old = RawConnection::to(gateway.port());
  old.write("GET /hints HTTP/1.0\r\nX-Api-Key: shop-key\r\n\r\n");
  EXPECT_THAT(old.read_to_end(), AllOf(StartsWith("HTTP/1.1 200"), EndsWith("\r\n\r\nok")));
  RawConnection older = RawConnection::to(gateway.port());
  older.write("GET /1.0 HTTP/1.0\r\nX-Api-Key: shop-key\r\n\r\n");
  EXPECT_THAT(older.read_to_end(),
              AllOf(Not(HasSubstr("chunked")), EndsWith("\r\n\r\nto the end")));
}

TEST(Passthrough, AClientThatWaitsIsToldToContinueOrRefused) {
  ScriptedUpstream upstream([](RawConnection& connection, std::size_t number) {
    EXPECT_THAT(connection.read_head(), Not(HasSubstr("Expect")));
    if (number == 0) {
      EXPECT_EQ(connection.read(4), "body");
      // The next request may come before this connection is seen to have been closed.
      connection.write("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    } else {
      // Refuses a body that is still on its way, and reads none of it.
      connection.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno!");
      connection.read_to_end();
    }
  });
  RunningGateway gateway({}, yaml_of(upstream.base_url()));
  RawConnection client = RawConnection::to(gateway.port());
  client.write(request("PUT /x", "Content-Length: 4\r\nExpect: 100-continue\r\n"));
  EXPECT_EQ(client.read_head(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.write("body");
  EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 200 "));
  RawConnection early = RawConnection::to(gateway.port());
  early.write(request("PUT /x", "Content-Length: 1000000\r\n") + "the beginning");
  EXPECT_THAT(early.read_to_end(), AllOf(StartsWith("HTTP/1.1 413 "),
                                         HasSubstr("\r\nConnection: close\r\n"), EndsWith("no!")));
}

TEST(Passthrough, AnAnswerThatIsCutOffIsNeverTakenForComplete) {
  std::counting_semaphore<> seen(0);
  ScriptedUpstream upstream([&](RawConnection& connection, std::size_t) {
    const std::string head = connection.read_head();
    const bool chunked = head.starts_with("GET /chunked") || head.starts_with("GET /broken");
    connection.write("HTTP/1.1 200 OK\r\n" +
                     std::string(chunked ? "Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"
                                 : head.starts_with("GET /length")
                                     ? "Content-Length: 9\r\n\r\nshort"
                                     : "\r\nshort"));
    static_cast<void>(seen.try_acquire_for(std::chrono::seconds(20)));
    if (head.starts_with("GET /broken")) {
      connection.write("xyz\r\n");
      connection.read_to_end();
    } else if (head.starts_with("GET /reset")) {
      connection.reset();
    }
  });
  RunningGateway gateway({}, yaml_of(upstream.base_url()));
  for (const char* line : {"GET /length HTTP/1.1", "GET /chunked HTTP/1.1", "GET /broken HTTP/1.1",
                           "GET /reset HTTP/1.1", "GET /reset HTTP/1.0"}) {
    RawConnection client = RawConnection::to(gateway.port());
    client.write(std::string(line) + "\r\nHost: x\r\nX-Api-Key: shop-key\r\n\r\n");
    EXPECT_THAT(client.read_until("short"), StartsWith("HTTP/1.1 200 OK\r\n")) << line;
    seen.release();
    EXPECT_THAT(client.read_to_end(), Not(HasSubstr("0\r\n\r\n"))) << line;
    EXPECT_TRUE(client.was_reset()) << line;
  }
  EXPECT_EQ(gateway.metric("passthrough_failures_total", R"(reason="cut")"), 5);
}

TEST(Passthrough, WhatFollowsAnAnswerBelongsToNobody) {
  ScriptedUpstream upstream([](RawConnection& connection, std::size_t) {
    connection.read_head();
    connection.write(std::string(ok) + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged");
    connection.read_to_end();
  });
  RunningGateway gateway({}, yaml_of(upstream.base_url()));
  HttpClient client(gateway.port());
  EXPECT_EQ(client.request("GET", "/a", "", shop_key).body, "ok");
  EXPECT_EQ(client.request("GET", "/b", "", shop_key).body, "ok");
  EXPECT_EQ(upstream.accepted(), 2) << "the connection was not used again";
}

TEST(Passthrough, OnlyWhatMayHappenTwiceIsTriedAgainAndOnce) {
  Notes notes{""};
  ScriptedUpstream upstream([&](RawConnection& connection, std::size_t) {
    // Closes just when the connection is used again, which nobody can know before.
    notes.add(connection.read_head());
    connection.write(ok);
    notes.add(connection.read_head());
  });
  RunningGateway gateway({}, yaml_of(upstream.base_url()));
  HttpClient client(gateway.port());
  EXPECT_EQ(client.request("GET", "/1", "", shop_key).status, 200);
  EXPECT_EQ(client.request("GET", "/2", "", shop_key).status, 200);
  EXPECT_EQ(client.request("PUT", "/3", "body", shop_key).status, 502);
  const auto paths = [&] {
    std::vector<std::string> all;
    for (const std::string& head : notes.heads()) {
      if (!head.empty()) {
        all.push_back(head.substr(0, head.find(" HTTP")));
      }
    }
    return all;
  };
  EXPECT_THAT(paths(), testing::ElementsAre("GET /1", "GET /2", "GET /2", "PUT /3"));
}

TEST(Passthrough, AnUpstreamThatIsAwayOrSaysNothingIsAnsweredFor) {
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  ScriptedUpstream upstream([&](RawConnection& connection, std::size_t) {
    const std::string head = connection.read_head();
    if (head.starts_with("GET /garbage")) {
      connection.write("this is no answer\r\n\r\n");
    } else if (head.starts_with("GET /switch")) {
      connection.write("HTTP/1.1 101 Switching Protocols\r\n\r\n");
    } else if (head.starts_with("GET /hang")) {
      released.wait_for(std::chrono::seconds(20));
    } else if (head.starts_with("PUT /late")) {
      connection.read_to_end();
    }
  });
  RunningGateway gateway(
      {}, yaml_of(upstream.base_url(), "passthrough: {timeout: 300ms, idle_timeout: 300ms}\n"));
  HttpClient client(gateway.port());
  for (const char* target : {"/garbage", "/switch", "/close"}) {
    const HttpAnswer answer = client.request("GET", target, "", shop_key);
    EXPECT_EQ(answer.status, 502) << target;
    EXPECT_THAT(answer.body,
                AllOf(HasSubstr(R"("error":"Bad Gateway")"), HasSubstr("the upstream")))
        << target;
  }
  EXPECT_EQ(client.request("GET", "/hang", "", shop_key).status, 504);
  // A caller that does not send what it has announced.
  client.send(request("PUT /late", "Content-Length: 10\r\n") + "half");
  EXPECT_EQ(client.read_answer().status, 408);
  release.set_value();
  RunningGateway lonely({}, yaml_of("http://127.0.0.1:1"));
  const HttpAnswer refused = HttpClient(lonely.port()).request("GET", "/x", "", shop_key);
  EXPECT_EQ(refused.status, 502);
  EXPECT_THAT(refused.body, HasSubstr("cannot be reached"));
  EXPECT_EQ(gateway.metric("passthrough_failures_total", R"(reason="upstream_slow")"), 1);
  EXPECT_EQ(gateway.metric("passthrough_failures_total", R"(reason="bad_answer")"), 2);
  EXPECT_EQ(lonely.metric("passthrough_failures_total", R"(reason="no_connection")"), 1);
}

TEST(Passthrough, MoreAtOnceThanAllowedAreToldToComeBack) {
  std::promise<void> came;
  std::promise<void> release;
  ScriptedUpstream upstream([&](RawConnection& connection, std::size_t number) {
    connection.read_head();
    if (number > 0) {
      return;  // a delivery
    }
    came.set_value();
    release.get_future().wait_for(std::chrono::seconds(20));
    connection.write(ok);
  });
  RunningGateway gateway({}, yaml_of(upstream.base_url(), "passthrough: {max_in_flight: 1}\n"));
  HttpClient first(gateway.port());
  first.send(request("GET /x"));
  came.get_future().wait_for(std::chrono::seconds(20));
  EXPECT_EQ(gateway.metric("passthrough_in_flight"), 1);
  HttpClient second(gateway.port());
  const HttpAnswer full = second.request("GET", "/x", "", shop_key);
  EXPECT_EQ(full.status, 503);
  EXPECT_EQ(full.headers.at("retry-after"), "1");
  EXPECT_EQ(second.post("/v4/events/batch", events(1), shop_key).status, 202)
      << "events go their way";
  release.set_value();
  EXPECT_EQ(first.read_answer().status, 200);
}

TEST(Passthrough, ACallerThatGoesTakesItsRequestWithIt) {
  std::promise<std::string> rest;
  ScriptedUpstream upstream([&](RawConnection& connection, std::size_t) {
    connection.read_head();
    rest.set_value(connection.read_to_end());
  });
  RunningGateway gateway({}, yaml_of(upstream.base_url()));
  {
    RawConnection client = RawConnection::to(gateway.port());
    client.write(request("PUT /x", "Transfer-Encoding: chunked\r\n") + "4\r\nhalf\r\n");
  }
  EXPECT_EQ(rest.get_future().get(), "4\r\nhalf\r\n") << "cut off, and not ended";
}

// The login takes as long as it may, which is longer than this test waits.
TEST(Passthrough, ACallWaitsForItsCredentialsNoLongerThanForAnAnswer) {
  ScriptedUpstream upstream(
      [](RawConnection& connection, std::size_t) { connection.read_to_end(); });
  RunningGateway gateway(
      {},
      "ingest: {threads: 1, producers: [{name: shop, key: shop-key, workspace: default}]}\n"
      "passthrough: {timeout: 100ms}\n"
      "delivery: {connect_timeout: 60s, timeout: 60s}\n"
      "workspaces:\n  - name: default\n    base_url: " +
          upstream.base_url() + "\n    passthrough: true\n    auth: {method: jwt, api_key: k}\n");
  const HttpAnswer answer =
      HttpClient(gateway.port()).request("GET", "/v4/clients/1", "", shop_key);
  EXPECT_EQ(answer.status, 502) << answer.body;
  EXPECT_THAT(answer.body, HasSubstr("credentials do not come"));
}

TEST(Passthrough, GoesOverTlsToAPeerThatProvesItself) {
  const TestPki pki;
  const config::ServerTls tls = pki.issue("upstream", {.alternative_names = "IP:127.0.0.1"});
  const simulator::Options secure{.tls_cert_file = tls.cert_file, .tls_key_file = tls.key_file};
  RunningGateway gateway(secure, yaml_of("${SIMULATOR}\n    ca_file: " + pki.ca_file()));
  HttpClient client(gateway.port());
  ASSERT_EQ(client.post("/v4/events/batch", events(3), shop_key).status, 202);
  ASSERT_TRUE(gateway.delivered(3));
  const HttpAnswer ledger = client.request("GET", "/sim/ledger", "", shop_key);
  EXPECT_EQ(ledger.status, 200);
  EXPECT_THAT(ledger.body, HasSubstr("test.event"));
  EXPECT_EQ(client.request("GET", "/v4/nothing", "", shop_key).status, 404) << "the upstream's";
  EXPECT_EQ(gateway.metric("passthrough_requests_total", R"(code="4xx")"), 1);
  const TestPki other;
  RunningGateway wary(secure, yaml_of("${SIMULATOR}\n    ca_file: " + other.ca_file()));
  const HttpAnswer untrusted = HttpClient(wary.port()).request("GET", "/x", "", shop_key);
  EXPECT_EQ(untrusted.status, 502);
  EXPECT_THAT(untrusted.body, HasSubstr("certificate is not trusted"));
}

TEST(Passthrough, ACallerOverTlsSendsAndReceivesAtOnce) {
  const TestPki pki;
  const config::ServerTls tls = pki.issue("server", {.alternative_names = "DNS:localhost"});
  const std::string body(256U << 10, 'e');
  ScriptedUpstream upstream([&](RawConnection& connection, std::size_t) {
    connection.read_head();
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
                     "\r\n\r\n");
    for (std::size_t at = 0; at < body.size(); at += 1024) {
      connection.write(connection.read(1024));
    }
  });
  std::string yaml = yaml_of(upstream.base_url());
  yaml.replace(
      yaml.find("threads: 1"), 10,
      "threads: 1, tls: {cert_file: " + tls.cert_file + ", key_file: " + tls.key_file + "}");
  RunningGateway gateway({}, yaml);
  HttpClient client(gateway.port(), {.ca_file = pki.ca_file()});
  const HttpAnswer answer = client.request("PUT", "/echo", body, shop_key);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, body);
}

// The real binary, over Unix-domain sockets, anonymous.
GatewayProcess::Options process_before(const ScriptedUpstream& upstream) {
  return {.base_url = upstream.base_url(), .workspace_more = "    passthrough: true\n"};
}

TEST(PassthroughProcess, LargeBodiesCostNoMemory) {
  static constexpr std::size_t large = 48U << 20;
  ScriptedUpstream upstream([](RawConnection& connection, std::size_t) {
    if (connection.read_head().starts_with("PUT /x ")) {
      EXPECT_EQ(connection.drain(large), large);
      connection.write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(large) + "\r\n\r\n");
      connection.write(std::string(large, 'y'));
    } else {
      connection.write(ok);
    }
  });
  GatewayProcess gateway(process_before(upstream));
  gateway.start();
  HttpClient client(0, {.unix_path = gateway.ingest()});
  ASSERT_EQ(client.get("/warm").status, 200);
  const std::size_t before = gateway.rss_bytes_max();
  const HttpAnswer answer = client.request("PUT", "/x", std::string(large, 'x'));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body.size(), large);
#ifndef SLUICE_SANITIZED  // whose heap keeps what was freed
  EXPECT_LT(gateway.rss_bytes_max(), before + large / 8);
#else
  EXPECT_GT(before, 0U);
#endif
}

TEST(PassthroughProcess, AReloadSwitchesItOffAndOn) {
  Notes notes{std::string(ok)};
  ScriptedUpstream upstream(std::ref(notes));
  GatewayProcess gateway(process_before(upstream));
  gateway.start();
  HttpClient client(0, {.unix_path = gateway.ingest()});
  EXPECT_EQ(client.get("/v4/x").status, 200);
  const auto switch_to = [&](const std::string& from, const std::string& to) {
    std::ifstream in(gateway.config_file());
    std::string text{std::istreambuf_iterator<char>(in), {}};
    text.replace(text.find(from), from.size(), to);
    std::ofstream(gateway.config_file() + ".new") << text;
    std::filesystem::rename(gateway.config_file() + ".new", gateway.config_file());
    gateway.process().kill(SIGHUP);
  };
  switch_to("passthrough: true", "passthrough: false");
  EXPECT_TRUE(eventually([&] { return client.get("/v4/x").status == 404; }));
  switch_to("passthrough: false", "passthrough: true");
  EXPECT_TRUE(eventually([&] { return client.get("/v4/x").status == 200; }));
}

TEST(PassthroughProcess, ADrainWaitsForWhatIsUnderWay) {
  std::promise<void> came;
  std::promise<void> release;
  ScriptedUpstream upstream([&](RawConnection& connection, std::size_t) {
    connection.read_head();
    came.set_value();
    release.get_future().wait_for(std::chrono::seconds(20));
    connection.write(ok);
  });
  GatewayProcess gateway(process_before(upstream));
  gateway.start();
  HttpClient passed(0, {.unix_path = gateway.ingest()});
  passed.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_EQ(came.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  HttpClient slow(0, {.unix_path = gateway.ingest()});
  slow.send("POST /v4/events/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n[");
  ASSERT_TRUE(eventually([&] { return gateway.metric("ingest_connections") == 2; }));
  gateway.process().kill(SIGTERM);
  EXPECT_EQ(slow.read_answer().status, 408) << "its patience is over ...";
  release.set_value();
  const HttpAnswer answer = passed.read_answer();
  EXPECT_EQ(answer.status, 200) << "... and this one's is not";
  EXPECT_EQ(answer.headers.at("connection"), "close");
  EXPECT_EQ(gateway.process().wait(), 0);
}

TEST(PassthroughProcess, ADrainEndsWithItsTimeoutOrASecondSignal) {
  ScriptedUpstream upstream(
      [](RawConnection& connection, std::size_t) { connection.read_to_end(); });
  GatewayProcess::Options options = process_before(upstream);
  options.more = "drain_timeout: 3m\n";
  GatewayProcess gateway(options);
  gateway.start();
  HttpClient client(0, {.unix_path = gateway.ingest()});
  client.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return gateway.metric("passthrough_in_flight") == 1; }));
  gateway.process().kill(SIGTERM);
  ASSERT_TRUE(eventually([&] { return gateway.get_admin("/readyz").status == 503; }));
  gateway.process().kill(SIGTERM);
  EXPECT_EQ(client.read_answer().status, 503);
  EXPECT_EQ(gateway.process().wait(), 0);
}

}  // namespace
}  // namespace sluice::test
