// Goal: whatever the server and the network do, a post ends exactly once and says truthfully how
// far it came; connections are reused only while they are sound; credentials renew themselves and
// never flood.
#include <chrono>
#include <list>
#include <memory>
#include <new>
#include <optional>
#include <string>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sluice/base/redactor.hpp>
#include <sluice/net/tls.hpp>
#include <sluice/transport/http_upstream.hpp>
#include <sluice/transport/stream_pool.hpp>

#include "answer_reader.hpp"
#include "test_pki.hpp"
#include "test_server.hpp"
#include "test_token.hpp"

namespace sluice::transport {
namespace {

namespace asio = net::asio;
using namespace std::chrono_literals;
using deliver::answer_body_bytes_max;
using deliver::Failure;
using deliver::UpstreamAnswer;
using test::TestPki;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Then = Reaction::Then;

constexpr const char* path = "/v4/events/batch";

class FakeClock final : public Clock {
 public:
  [[nodiscard]] WallTime wall_now() const override {
    return WallTime(1'000'000s) + wall_jump +
           std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch());
  }
  [[nodiscard]] MonoTime mono_now() const override { return now; }
  MonoTime now{100s};
  std::chrono::hours wall_jump{};
};

class HttpUpstreamTest : public testing::Test {
 protected:
  ~HttpUpstreamTest() override {
    upstream_.reset();
    server_.stop();
    run_until([&] { return gate_.empty() && server_.gate().empty(); });
  }

  // Runs everything until the condition holds; the test fails when it does not within ten seconds.
  template <class Condition>
  void run_until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (!condition()) {
      context_.restart();
      context_.run_one_for(10ms);
      if (std::chrono::steady_clock::now() >= deadline) {
        FAIL() << "it did not happen in time";
      }
    }
  }

  HttpUpstream& upstream() {
    if (!upstream_) {
      UpstreamDeps deps{.executor = context_.get_executor(),
                        .gate = gate_,
                        .clock = clock_,
                        .rng = Rng(1),
                        .read_file = [this](const std::string& file) -> Result<std::string> {
                          if (file_content_) {
                            return *file_content_;
                          }
                          return failure(std::errc::no_such_file_or_directory, "no " + file);
                        }};
      auto made = make_http_upstream(std::move(deps), options_);
      upstream_ = std::move(made.value());
    }
    return *upstream_;
  }

  struct Pending {
    int calls = 0;
    UpstreamAnswer answer;
  };
  // Starts a post; its end can be waited for.
  Pending& start(std::string_view body = "[]") {
    Pending& pending = pending_.emplace_back();
    upstream().post(path, body, [&pending](UpstreamAnswer answer) {
      ++pending.calls;
      pending.answer = std::move(answer);
    });
    EXPECT_EQ(pending.calls, 0) << "never from within the call";
    return pending;
  }
  UpstreamAnswer finish(Pending& pending) {
    run_until([&] { return pending.calls > 0; });
    run_until([&] { return gate_.empty() || pending.calls > 1; });
    EXPECT_EQ(pending.calls, 1);
    return pending.answer;
  }
  UpstreamAnswer post(std::string_view body = "[]") { return finish(start(body)); }
  Result<std::string> authorize() {
    std::optional<Result<std::string>> value;
    upstream().authorize([&](Result<std::string> given) { value = std::move(given); });
    EXPECT_FALSE(value) << "never from within the call";
    run_until([&] { return value.has_value(); });
    return *value;
  }

  struct PendingRefresh {
    int calls = 0;
    Result<void> outcome;
  };
  PendingRefresh& start_refresh() {
    PendingRefresh& pending = pending_refreshes_.emplace_back();
    upstream().refresh_credentials([&pending](Result<void> outcome) {
      ++pending.calls;
      pending.outcome = std::move(outcome);
    });
    EXPECT_EQ(pending.calls, 0) << "never from within the call";
    return pending;
  }
  Result<void> refresh() {
    PendingRefresh& pending = start_refresh();
    run_until([&] { return pending.calls > 0; });
    return pending.outcome;
  }

  void answer_with(std::string bytes, Then then = Then::keep) {
    server_.script = [reaction = Reaction{std::move(bytes), then}](const Received&) {
      return reaction;
    };
  }

  asio::io_context context_;
  net::Gate gate_{"upstream"};
  FakeClock clock_;
  TestServer server_{context_.get_executor(), std::nullopt};
  UpstreamOptions options_{
      .workspace = "test",
      .base_url = "http://" + server_.authority(),
      .ca_file = "",
      .auth = {.method = config::AuthMethod::basic,
               .workspace_guid = "guid",
               .api_key = {.value = "key", .file = ""}},
  };
  std::optional<std::string> file_content_;
  std::list<Pending> pending_;
  std::list<PendingRefresh> pending_refreshes_;
  std::unique_ptr<HttpUpstream> upstream_;
};

// ---- one request

TEST_F(HttpUpstreamTest, SendsTheBodyWithTheHeadersOfTheApi) {
  const std::string body = "[{\"type\":\"custom\"}]";
  const UpstreamAnswer answer = post(body);
  EXPECT_EQ(answer.failure, Failure::none);
  EXPECT_EQ(answer.status, 202U);
  EXPECT_GT(answer.duration.count(), 0);
  ASSERT_EQ(server_.requests().size(), 1U);
  const Received& request = server_.requests()[0];
  EXPECT_EQ(request.body, body);
  EXPECT_THAT(request.head, AllOf(StartsWith("POST /v4/events/batch HTTP/1.1\r\n"),
                                  HasSubstr("\r\nHost: " + server_.authority() + "\r\n"),
                                  HasSubstr("\r\nAuthorization: Basic Z3VpZDprZXk=\r\n"),
                                  HasSubstr("\r\nApi-Version: 4.4\r\n"),
                                  HasSubstr("\r\nContent-Type: application/json\r\n"),
                                  HasSubstr("\r\nContent-Length: 19\r\n"),
                                  HasSubstr("\r\nAccept: application/json\r\n"),
                                  HasSubstr("\r\nUser-Agent: sluice/")));
}

// It is judged; what is kept or shown of it has them redacted, which is why they are known.
TEST_F(HttpUpstreamTest, HandsOnAnswersAsTheyCameAndMakesTheCredentialsKnown) {
  options_.auth.api_key.value = "the-workspace's-api-key";
  std::string page;
  server_.script = [&](const Received& request) {
    page = "<pre>" + request.head + "</pre> the-workspace's-api-key";
    return Reaction{"HTTP/1.1 400 Bad Request\r\nContent-Length: " + std::to_string(page.size()) +
                        "\r\n\r\n" + page,
                    Then::keep};
  };
  const UpstreamAnswer answer = post();
  EXPECT_EQ(answer.status, 400U);
  EXPECT_EQ(answer.body, page);
  EXPECT_THAT(known_secrets().redacted(answer.body),
              AllOf(HasSubstr("Authorization: Basic [redacted]"), HasSubstr("</pre> [redacted]"),
                    Not(HasSubstr("api-key"))));
}

TEST_F(HttpUpstreamTest, SendsALargeBodyWhole) {
  std::string body(5'000'000, 'x');
  body[4'999'999] = 'y';
  EXPECT_EQ(post(body).status, 202U);
  EXPECT_TRUE(server_.requests()[0].body == body);
}

TEST_F(HttpUpstreamTest, ReadsEachKindOfAnswer) {
  struct Case {
    const char* name;
    std::string bytes;
    Then then;
    unsigned status;
    std::string body;
    bool reused;  // whether the connection is good for the next request
    bool cut = false;
  };
  const std::string header = "HTTP/1.1 200 OK\r\n";
  const Case cases[] = {
      {"no body", "HTTP/1.1 204 No Content\r\n\r\n", Then::keep, 204, "", true},
      {"length", header + "Content-Length: 2\r\n\r\nok", Then::keep, 200, "ok", true},
      {"chunked", header + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
       Then::keep, 200, "abc", true},
      {"until the end", header + "\r\nall of it", Then::close, 200, "all of it", false},
      {"connection: close", header + "Connection: close\r\nContent-Length: 2\r\n\r\nok", Then::hang,
       200, "ok", false},
      {"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", Then::hang, 200, "ok", false},
      {"100 continue first",
       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + header +
           "Content-Length: 2\r\n\r\nok",
       Then::keep, 200, "ok", true},
      {"redirect", "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
       Then::keep, 302, "", true},
      {"more than the answer", header + "Content-Length: 2\r\n\r\nokHTTP/1.1 500 Oops\r\n\r\n",
       Then::hang, 200, "ok", false},
      {"body cut by the end", header + "Content-Length: 100\r\n\r\npart", Then::close, 200, "part",
       false, true},
      {"body cut by a reset", header + "Transfer-Encoding: chunked\r\n\r\nzz", Then::reset, 200, "",
       false, true},
      {"cut before its body", header + "Content-Length: 100\r\n\r\n", Then::close, 200, "", false,
       true},
      {"until a reset", header + "\r\nnot all", Then::reset, 200, "not all", false, true},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    upstream_.reset();
    answer_with(c.bytes, c.then);
    const UpstreamAnswer answer = post();
    EXPECT_EQ(answer.failure, Failure::none);
    EXPECT_EQ(answer.status, c.status);
    EXPECT_EQ(answer.body, c.body);
    EXPECT_EQ(answer.body_is_cut, c.cut);
    const std::size_t accepted = server_.accepted();
    EXPECT_EQ(upstream().probe().connections, c.reused ? 1U : 0U);
    post();
    EXPECT_EQ(server_.accepted() == accepted, c.reused);
  }
}

TEST_F(HttpUpstreamTest, PassesOnRetryAfterDeprecationAndMediaType) {
  answer_with(
      "HTTP/1.1 429 Too Many Requests\r\nretry-after: 17\r\nX-Api-Deprecated: use v5\r\n"
      "content-type: application/json; charset=utf-8\r\nContent-Length: 0\r\n\r\n");
  const UpstreamAnswer answer = post();
  EXPECT_EQ(answer.status, 429U);
  EXPECT_EQ(answer.retry_after, "17");
  EXPECT_EQ(answer.deprecated, "use v5");
  EXPECT_EQ(answer.content_type, "application/json; charset=utf-8");
  answer_with(accepted_answer);
  const UpstreamAnswer next = post();
  EXPECT_FALSE(next.retry_after.has_value());
  EXPECT_FALSE(next.deprecated.has_value());
  EXPECT_EQ(next.content_type, "");
}

TEST_F(HttpUpstreamTest, KeepsTheStatusAndTheBeginningOfAnOversizedAnswer) {
  const std::string body(answer_body_bytes_max + 1, 'b');
  const std::string framings[] = {
      "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body,
      "Transfer-Encoding: chunked\r\n\r\n10001\r\n" + body + "\r\n0\r\n\r\n",
  };
  for (const std::string& framing : framings) {
    answer_with("HTTP/1.1 202 Accepted\r\n" + framing);
    const UpstreamAnswer answer = post();
    EXPECT_EQ(answer.failure, Failure::none);
    EXPECT_EQ(answer.status, 202U);
    EXPECT_TRUE(answer.body == body.substr(0, answer_body_bytes_max));
    EXPECT_TRUE(answer.body_is_cut);
    EXPECT_EQ(upstream().probe().connections, 0U) << "the rest of it is not waited for";
  }
  answer_with("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size() - 1) + "\r\n\r\n" +
              body.substr(1));
  const UpstreamAnswer answer = post();
  EXPECT_EQ(answer.body.size(), answer_body_bytes_max);
  EXPECT_FALSE(answer.body_is_cut);
  EXPECT_EQ(upstream().probe().connections, 1U) << "the limit itself is not over it";
}

// ---- how far a failed attempt came

TEST_F(HttpUpstreamTest, TellsWhatCameInsteadOfAnAnswer) {
  struct Case {
    const char* name;
    std::string bytes;
    Then then;
    Failure failure;
  };
  const Case cases[] = {
      {"end without a byte", "", Then::close, Failure::no_answer},
      {"reset without a byte", "", Then::reset, Failure::no_answer},
      {"half a header", "HTTP/1.1 202 Acc", Then::close, Failure::no_answer},
      {"only 100 continue", "HTTP/1.1 100 Continue\r\n\r\n", Then::close, Failure::no_answer},
      {"no status that there is", "HTTP/1.1 000 No\r\nContent-Length: 0\r\n\r\n", Then::keep,
       Failure::malformed_answer},
      {"garbage", "SSH-2.0-OpenSSH_9.2\r\n\r\n", Then::hang, Failure::malformed_answer},
      {"a header without end", "HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x'), Then::hang,
       Failure::malformed_answer},
      {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
       Then::hang, Failure::malformed_answer},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    answer_with(c.bytes, c.then);
    const UpstreamAnswer answer = post();
    EXPECT_EQ(answer.failure, c.failure) << answer.detail;
    EXPECT_EQ(answer.status, 0U);
    EXPECT_THAT(answer.detail, StartsWith(server_.authority() + ": "));
    EXPECT_EQ(upstream().probe().connections, 0U);
  }
}

// Each piece ends one byte into a field, so that none is more than a field to the parser.
TEST(AnswerReader, AHeadHasALimitHoweverItIsCut) {
  UpstreamAnswer answer;
  AnswerReader reader(answer);
  boost::beast::flat_buffer received;
  const auto take = [&](std::string_view bytes) {
    received.commit(asio::buffer_copy(received.prepare(bytes.size()),
                                      asio::buffer(bytes.data(), bytes.size())));
    return reader.take(received);
  };
  auto error = take("HTTP/1.1 202 Accepted\r\nX");
  std::size_t bytes = 0;
  const std::string field(": " + std::string(1'000, 'x') + "\r\nX");
  while (error == boost::beast::http::error::need_more && bytes < 1'000'000) {
    error = take(field);
    bytes += field.size();
  }
  EXPECT_EQ(error, boost::beast::http::error::header_limit);
  EXPECT_LT(bytes, AnswerReader::head_bytes_max + 2 * field.size());
  EXPECT_EQ(answer.status, 0U);
}

TEST_F(HttpUpstreamTest, AnAnswerThatDoesNotComeInTimeIsAmbiguous) {
  options_.timeout = 50ms;
  answer_with("", Then::hang);
  EXPECT_EQ(post().failure, Failure::answer_timeout);
  EXPECT_EQ(upstream().probe().connections, 0U);
}

TEST_F(HttpUpstreamTest, AStatusCountsEvenIfTheBodyDoesNotComeInTime) {
  options_.timeout = 50ms;
  answer_with("HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\npart", Then::hang);
  const UpstreamAnswer answer = post();
  EXPECT_EQ(answer.failure, Failure::none);
  EXPECT_EQ(answer.status, 202U);
  EXPECT_EQ(answer.body, "part");
  EXPECT_TRUE(answer.body_is_cut);
  EXPECT_EQ(upstream().probe().connections, 0U);
}

// More than any socket buffers.
constexpr std::size_t endless_bytes = std::size_t{64} << 20;

TEST_F(HttpUpstreamTest, AResetInTheMiddleOfTheRequestIsNotSent) {
  server_.body_first = false;
  answer_with("", Then::reset);
  const std::string body(endless_bytes, 'x');
  EXPECT_EQ(post(body).failure, Failure::not_sent);
}

TEST_F(HttpUpstreamTest, ARequestThatCannotBeWrittenInTimeIsNotSent) {
  options_.timeout = 100ms;
  server_.body_first = false;
  // The server writes for ever and reads no more, the client reads only after it has written.
  server_.script = [](const Received&) {
    return Reaction{.bytes = std::string(endless_bytes, 'x'), .then = Then::hang};
  };
  const std::string body(endless_bytes, 'x');
  EXPECT_EQ(post(body).failure, Failure::not_sent);
}

TEST_F(HttpUpstreamTest, AnEarlyRefusalIsReadAlthoughTheRequestCouldNotBeWritten) {
  server_.body_first = false;
  answer_with("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", Then::close);
  const std::string body(endless_bytes, 'x');
  const UpstreamAnswer answer = post(body);
  EXPECT_EQ(answer.status, 413U) << answer.detail;
  EXPECT_EQ(upstream().probe().connections, 0U);
}

TEST_F(HttpUpstreamTest, TellsThatANameHasNoAddress) {
  options_.base_url = "http://nonexistent.invalid";
  const UpstreamAnswer answer = post();
  EXPECT_EQ(answer.failure, Failure::resolve);
  EXPECT_THAT(answer.detail, StartsWith("nonexistent.invalid: "));
}

TEST_F(HttpUpstreamTest, TellsThatNobodyListens) {
  {
    const auto gone = net::listen(context_.get_executor(), config::TcpAddress{.host = "127.0.0.1"});
    options_.base_url = "http://" + net::to_string(net::local_address(gone.value()));
  }
  const UpstreamAnswer answer = post();
  EXPECT_EQ(answer.failure, Failure::connect);
  EXPECT_THAT(answer.detail, HasSubstr("refused"));
}

TEST_F(HttpUpstreamTest, TellsThatAConnectionTakesTooLong) {
  // Nobody accepts, and the kernel's queue is full: further connections get no answer.
  asio::ip::tcp::acceptor full(context_, asio::ip::tcp::v4());
  full.bind({asio::ip::address_v4::loopback(), 0});
  full.listen(0);
  std::list<asio::ip::tcp::socket> filling;
  for (int i = 0; i < 4; ++i) {
    filling.emplace_back(context_).async_connect(full.local_endpoint(),
                                                 [](const boost::system::error_code&) {});
  }
  options_.base_url = "http://127.0.0.1:" + std::to_string(full.local_endpoint().port());
  options_.connect_timeout = 50ms;
  const UpstreamAnswer answer = post();
  EXPECT_EQ(answer.failure, Failure::connect);
  EXPECT_THAT(answer.detail, HasSubstr("timed out"));
}

// ---- the pool

TEST_F(HttpUpstreamTest, ReusesOneConnectionForPostsOneAfterTheOther) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(post().status, 202U);
  }
  EXPECT_EQ(server_.accepted(), 1U);
  const UpstreamProbe probe = upstream().probe();
  EXPECT_EQ(probe.connections, 1U);
  EXPECT_EQ(probe.connections_opened_total, 1U);
  EXPECT_EQ(probe.connections_reused_total, 4U);
  EXPECT_EQ(probe.lookups_total, 1U);
  EXPECT_EQ(probe.tls_handshakes_total, 0U);
}

TEST_F(HttpUpstreamTest, OpensAsManyConnectionsAsThereArePostsAtOnceAndReusesTheLastFirst) {
  Pending& first = start();
  Pending& second = start();
  Pending& third = start();
  finish(first);
  finish(second);
  finish(third);
  EXPECT_EQ(server_.accepted(), 3U);
  EXPECT_EQ(upstream().probe().connections, 3U);
  post();
  const std::size_t last_used = server_.requests().back().connection;
  post();
  EXPECT_EQ(server_.requests().back().connection, last_used);
  EXPECT_EQ(server_.accepted(), 3U);
}

TEST_F(HttpUpstreamTest, DoesNotUseAConnectionThatTheServerClosedMeanwhile) {
  for (const Then then : {Then::close, Then::reset}) {
    answer_with(accepted_answer, then);
    EXPECT_EQ(post().status, 202U);
    run_until([&] { return server_.open() == 0; });
  }
  EXPECT_EQ(post().status, 202U);
  EXPECT_EQ(upstream().probe().connections_reused_total, 0U);
  EXPECT_EQ(server_.accepted(), 3U);
}

TEST_F(HttpUpstreamTest, AReusedConnectionThatEndsAfterTheRequestIsAmbiguous) {
  EXPECT_EQ(post().status, 202U);
  answer_with("", Then::close);
  EXPECT_EQ(post().failure, Failure::no_answer);
  EXPECT_EQ(upstream().probe().connections_reused_total, 1U);
}

TEST_F(HttpUpstreamTest, ClosesAConnectionThatWasIdleForTooLong) {
  options_.idle_time = 20ms;
  EXPECT_EQ(post().status, 202U);
  EXPECT_EQ(upstream().probe().connections, 1U);
  clock_.now += 20ms;
  run_until([&] { return upstream().probe().connections == 0; });
  run_until([&] { return server_.open() == 0; });
}

TEST_F(HttpUpstreamTest, RetiresAnOldConnectionAndLooksTheNameUpAgain) {
  EXPECT_EQ(post().status, 202U);
  clock_.now += 59s;
  EXPECT_EQ(post().status, 202U);
  EXPECT_EQ(server_.accepted(), 1U);
  for (int i = 0; i < 5; ++i) {
    clock_.now += 50s;
    EXPECT_EQ(post().status, 202U);
  }
  EXPECT_EQ(server_.accepted(), 2U) << "five minutes have passed, though it was never idle for one";
  EXPECT_EQ(upstream().probe().lookups_total, 2U);
}

TEST_F(HttpUpstreamTest, RefusesABaseUrlOrCaFileThatCannotBeUsed) {
  const auto make = [&] {
    return make_http_upstream(UpstreamDeps{.executor = context_.get_executor(),
                                           .gate = gate_,
                                           .clock = clock_,
                                           .rng = Rng(1),
                                           .read_file = nullptr},
                              options_);
  };
  options_.base_url = "api.synerise.com";
  EXPECT_FALSE(make());
  options_.base_url = "https://api.synerise.com";
  options_.ca_file = "/no-ca.pem";
  EXPECT_FALSE(make());
}

// ---- stop

TEST_F(HttpUpstreamTest, StopEndsAPostThatWaitsForItsAnswer) {
  answer_with("", Then::hang);
  Pending& pending = start();
  run_until([&] { return server_.requests().size() == 1; });
  upstream().stop();
  EXPECT_EQ(pending.calls, 0) << "never from within stop()";
  EXPECT_EQ(finish(pending).failure, Failure::stopped);
  EXPECT_EQ(upstream().probe().connections, 0U);
}

TEST_F(HttpUpstreamTest, StopBeforeAPostHasBegun) {
  Pending& pending = start();
  upstream().stop();
  EXPECT_EQ(finish(pending).failure, Failure::stopped);
  EXPECT_EQ(server_.accepted(), 0U);
}

TEST_F(HttpUpstreamTest, AfterStopNothingIsSent) {
  EXPECT_EQ(post().status, 202U);
  upstream().stop();
  EXPECT_EQ(upstream().probe().connections, 0U);
  EXPECT_EQ(post().failure, Failure::stopped);
  EXPECT_FALSE(refresh());
  EXPECT_EQ(server_.requests().size(), 1U);
}

TEST_F(HttpUpstreamTest, StopEndsAPostThatWaitsForTheHandshake) {
  options_.base_url = "https://" + server_.authority();
  Pending& pending = start();
  run_until([&] { return upstream().probe().tls_handshakes_total == 1; });
  upstream().stop();
  EXPECT_EQ(finish(pending).failure, Failure::stopped);
}

TEST_F(HttpUpstreamTest, MayBeDestroyedWithWorkUnderWay) {
  answer_with("", Then::hang);
  Pending& pending = start();
  run_until([&] { return server_.requests().size() == 1; });
  upstream_.reset();
  EXPECT_EQ(finish(pending).failure, Failure::stopped);
}

// ---- Basic

TEST_F(HttpUpstreamTest, RefreshReadsTheKeysFileAgain) {
  options_.auth.api_key.file = "/run/secrets/key";
  EXPECT_EQ(post().status, 202U);
  EXPECT_THAT(server_.requests().back().head, HasSubstr("Basic Z3VpZDprZXk="));
  file_content_ = "key2\n";
  EXPECT_TRUE(refresh());
  EXPECT_EQ(post().status, 202U);
  EXPECT_THAT(server_.requests().back().head, HasSubstr("Basic Z3VpZDprZXky\r\n"));
}

TEST_F(HttpUpstreamTest, RefreshSaysThatTheFileCannotBeReadAndKeepsTheKey) {
  options_.auth.api_key.file = "/run/secrets/key";
  const Result<void> refreshed = refresh();
  ASSERT_FALSE(refreshed);
  EXPECT_EQ(refreshed.error().message,
            "api_key_file of the workspace test (/run/secrets/key) is /run/secrets/key, which "
            "cannot be read: no /run/secrets/key: check the path and its permissions; the secret "
            "itself goes below the key without _file");
  EXPECT_EQ(post().status, 202U);
  EXPECT_THAT(server_.requests().back().head, HasSubstr("Basic Z3VpZDprZXk="));
}

TEST_F(HttpUpstreamTest, RefreshTakesNoFileWithoutAKeyAndKeepsTheOneThatItHas) {
  options_.auth.api_key.file = "/run/secrets/key";
  for (const char* content : {"", " \n", "key\nanother", "\xFF\xFEk"}) {
    file_content_ = content;
    const Result<void> refreshed = refresh();
    ASSERT_FALSE(refreshed) << content;
    EXPECT_THAT(refreshed.error().message, HasSubstr("api_key_file of the workspace test"));
    EXPECT_EQ(post().status, 202U);
    EXPECT_THAT(server_.requests().back().head, HasSubstr("Basic Z3VpZDprZXk="));
  }
  file_content_ = "\xEF\xBB\xBF key2\t\r\n";
  EXPECT_TRUE(refresh());
  EXPECT_EQ(post().status, 202U);
  EXPECT_THAT(server_.requests().back().head, HasSubstr("Basic Z3VpZDprZXky\r\n"));
}

// ---- JWT

class JwtTest : public HttpUpstreamTest {
 protected:
  JwtTest() {
    options_.auth = {.method = config::AuthMethod::jwt,
                     .workspace_guid = "",
                     .api_key = {.value = "key", .file = ""}};
    server_.script = [this](const Received& request) {
      if (!request.head.starts_with("POST /uauth/v2/auth/login/profile ")) {
        return Reaction{};
      }
      ++logins_;
      return login_;
    };
    give_token(test_token(R"({"iat":1000,"exp":4600})"));
  }

  void give_token(const std::string& token) {
    token_ = token;
    const std::string body = R"({"token":")" + token + "\"}";
    login_ = {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
                       "\r\n\r\n" + body,
              .then = Then::keep};
  }
  [[nodiscard]] bool last_request_has(const std::string& token) const {
    return server_.requests().back().head.find("\r\nAuthorization: Bearer " + token + "\r\n") !=
           std::string::npos;
  }

  std::string token_;
  Reaction login_;
  int logins_ = 0;
};

TEST_F(JwtTest, TheFirstPostLogsInAndTheNextUsesItsToken) {
  EXPECT_EQ(post().status, 202U);
  EXPECT_TRUE(last_request_has(token_));
  EXPECT_EQ(post().status, 202U);
  EXPECT_TRUE(last_request_has(token_));
  EXPECT_EQ(logins_, 1);
  EXPECT_EQ(upstream().probe().logins_total, 1U);
  const Received& login = server_.requests()[0];
  EXPECT_EQ(login.body, R"({"apiKey":"key"})");
  EXPECT_THAT(login.head, AllOf(HasSubstr("\r\nApi-Version: 4.4\r\n"),
                                HasSubstr("\r\nContent-Type: application/json\r\n"),
                                Not(HasSubstr("Authorization"))));
}

TEST_F(JwtTest, WhoSendsHimselfGetsTheSameCredentials) {
  EXPECT_EQ(authorize().value_or(""), "Bearer " + token_);
  EXPECT_EQ(post().status, 202U);
  EXPECT_TRUE(last_request_has(token_));
  EXPECT_EQ(logins_, 1);
  login_ = {.bytes = "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", .then = Then::keep};
  clock_.now += 2h;
  const auto refused = authorize();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message,
              AllOf(HasSubstr("the login was refused with status 401"), Not(HasSubstr("key"))));
  upstream().stop();
  EXPECT_FALSE(authorize());
}

TEST_F(JwtTest, PostsAtOnceShareALogin) {
  std::list<Pending*> posts;
  for (int i = 0; i < 5; ++i) {
    posts.push_back(&start());
  }
  for (Pending* pending : posts) {
    EXPECT_EQ(finish(*pending).status, 202U);
  }
  EXPECT_EQ(logins_, 1);
}

TEST_F(JwtTest, NearItsEndTheTokenIsRenewedBehindAPostThatUsesIt) {
  post();
  const std::string first = token_;
  give_token(test_token(R"({"iat":2000,"exp":5600})"));
  clock_.now += 57min;
  EXPECT_EQ(post().status, 202U);
  run_until([&] { return logins_ == 2 && gate_.empty(); });
  EXPECT_EQ(server_.requests().size(), 4U);
  post();
  EXPECT_TRUE(last_request_has(token_));
  EXPECT_FALSE(last_request_has(first));
}

TEST_F(JwtTest, AWallClockThatJumpsNeitherEndsATokenNorKeepsIt) {
  post();
  for (const auto jump : {5h, -5h}) {
    clock_.wall_jump = jump;
    EXPECT_EQ(post().status, 202U);
    EXPECT_EQ(logins_, 1);
  }
  clock_.now += 60min;
  EXPECT_EQ(post().status, 202U);
  EXPECT_EQ(logins_, 2);
}

TEST_F(JwtTest, APostWithAnExpiredTokenWaitsForTheNext) {
  post();
  give_token(test_token(R"({"iat":2000,"exp":5600})"));
  clock_.now += 60min;
  EXPECT_EQ(post().status, 202U);
  EXPECT_TRUE(last_request_has(token_));
  EXPECT_EQ(logins_, 2);
}

TEST_F(JwtTest, AFailedLoginEndsPostsAndIsNotRepeatedAtOnce) {
  login_.bytes = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
  for (int i = 0; i < 3; ++i) {
    const UpstreamAnswer answer = post();
    EXPECT_EQ(answer.failure, Failure::credentials);
    EXPECT_THAT(answer.detail, HasSubstr("the login was refused with status 401"));
  }
  EXPECT_EQ(logins_, 1);
  clock_.now += 2s;
  give_token(token_);
  EXPECT_EQ(post().status, 202U);
  EXPECT_EQ(logins_, 2);
}

TEST_F(JwtTest, APageInPlaceOfALoginSaysNothingAboutTheCredentials) {
  login_.bytes =
      "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 20\r\n\r\n<html>Sign "
      "in</html>";
  const UpstreamAnswer answer = post();
  EXPECT_EQ(answer.failure, Failure::wrong_login);
  EXPECT_THAT(answer.detail, HasSubstr("200 with text/html: <html>Sign in</html>"));
}

TEST_F(JwtTest, ALoginThatTheUpstreamCannotServeSaysNothingAboutTheCredentials) {
  login_.bytes = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
  EXPECT_EQ(post().failure, Failure::not_sent);
}

TEST_F(JwtTest, ALoginThatCannotConnectSaysNothingAboutTheCredentials) {
  options_.base_url = "http://nonexistent.invalid";
  const UpstreamAnswer answer = post();
  EXPECT_EQ(answer.failure, Failure::not_sent);
  EXPECT_THAT(answer.detail, HasSubstr("the login failed: "));
}

TEST_F(JwtTest, PostsDoNotWaitForALoginForEver) {
  options_.connect_timeout = 50ms;
  login_ = {.bytes = "", .then = Then::hang};
  Pending& pending = start();
  run_until([&] { return pending.calls > 0; });
  EXPECT_EQ(pending.answer.failure, Failure::not_sent);
  EXPECT_THAT(pending.answer.detail, HasSubstr("takes too long"));
}

TEST_F(JwtTest, RefreshesAtOnceShareALoginWithTheKeyAsTheFileHasItNow) {
  options_.auth.api_key.file = "/run/secrets/key";
  file_content_ = "key";
  post();
  file_content_ = "key2\n";
  give_token(test_token(R"({"iat":2000,"exp":5600})"));
  clock_.now += 2s;
  PendingRefresh& first = start_refresh();
  PendingRefresh& second = start_refresh();
  Pending& waiting = start();
  run_until([&] { return first.calls == 1 && second.calls == 1; });
  EXPECT_TRUE(first.outcome);
  EXPECT_TRUE(second.outcome);
  EXPECT_EQ(finish(waiting).status, 202U);
  EXPECT_TRUE(last_request_has(token_));
  EXPECT_EQ(logins_, 2);
  EXPECT_EQ(server_.requests()[2].body, R"({"apiKey":"key2"})");
}

TEST_F(JwtTest, ARefreshThatFailsSaysWhy) {
  login_.bytes = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
  const Result<void> refreshed = refresh();
  ASSERT_FALSE(refreshed);
  EXPECT_THAT(refreshed.error().message, HasSubstr("status 403"));
}

TEST_F(JwtTest, ALoginWithoutAReadableKeySendsNothing) {
  options_.auth.api_key.file = "/run/secrets/key";
  const UpstreamAnswer answer = post();
  EXPECT_EQ(answer.failure, Failure::credentials);
  EXPECT_THAT(answer.detail, HasSubstr("no /run/secrets/key"));
  EXPECT_EQ(server_.accepted(), 0U);
}

TEST_F(JwtTest, StopEndsThoseThatWaitForALogin) {
  login_ = {.bytes = "", .then = Then::hang};
  Pending& pending = start();
  PendingRefresh& refreshing = start_refresh();
  run_until([&] { return logins_ == 1; });
  upstream().stop();
  EXPECT_EQ(finish(pending).failure, Failure::stopped);
  EXPECT_EQ(refreshing.calls, 1);
  EXPECT_FALSE(refreshing.outcome);
}

TEST_F(JwtTest, StopDoesNotWaitUntilALoginMayStart) {
  post();
  PendingRefresh& refreshing = start_refresh();  // within a second of the first login
  context_.restart();
  context_.poll();
  EXPECT_EQ(refreshing.calls, 0);
  upstream().stop();
  run_until([&] { return refreshing.calls == 1; });
  EXPECT_FALSE(refreshing.outcome);
  EXPECT_EQ(logins_, 1);
}

// ---- TLS

constexpr const char* refused_answer = "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n";

class TlsUpstreamTest : public HttpUpstreamTest {
 protected:
  ~TlsUpstreamTest() override {
    upstream_.reset();
    if (tls_server_) {
      tls_server_->stop();
      run_until([&] { return gate_.empty() && tls_server_->gate().empty(); });
    }
  }

  void serve(const test::TestPki::Leaf& leaf) {
    auto tls = net::make_server_tls(pki_.issue("leaf", leaf));
    tls_server_ = std::make_unique<TestServer>(context_.get_executor(), std::move(tls.value()));
    options_.base_url = "https://" + tls_server_->authority();
    options_.ca_file = pki_.ca_file();
  }
  // Whoever asks on another connection is refused.
  void serve_answering_the_first_request_twice() {
    serve({.alternative_names = "IP:127.0.0.1"});
    tls_server_->script = [](const Received& request) {
      return request.connection == 0 ? Reaction{.behind = accepted_answer}
                                     : Reaction{.bytes = refused_answer};
    };
  }

  const test::TestPki pki_;
  const test::TestPki stranger_;
  std::unique_ptr<TestServer> tls_server_;
};

// Asks for something, and reads as much as the answer should have.
net::Task<> call(StreamPool& pool, std::vector<std::string>& answers, std::string expected) {
  StreamPool::Acquired stream = co_await pool.acquire(false);
  if (!stream) {
    co_return;
  }
  constexpr std::string_view request = "GET / HTTP/1.1\r\n\r\n";
  co_await (*stream)->write(asio::buffer(request.data(), request.size()));
  std::string answer(expected.size(), '?');
  std::size_t bytes = 0;
  while (bytes < answer.size()) {
    const auto read = co_await (*stream)->read_some(asio::buffer(answer) + bytes);
    if (read.error) {
      break;
    }
    bytes += read.bytes;
  }
  answers.push_back(answer);
  (*stream)->give_back();
}

TEST_F(TlsUpstreamTest, SendsOverTlsAndReusesTheConnection) {
  serve({.alternative_names = "IP:127.0.0.1"});
  const std::string body(1'000'000, 'x');
  for (int i = 0; i < 3; ++i) {
    const UpstreamAnswer answer = post(body);
    EXPECT_EQ(answer.status, 202U) << answer.detail;
    EXPECT_TRUE(tls_server_->requests().back().body == body);
  }
  EXPECT_EQ(upstream().probe().tls_handshakes_total, 1U);
  EXPECT_EQ(upstream().probe().connections_reused_total, 2U);
}

TEST_F(TlsUpstreamTest, DoesNotUseAConnectionThatTheServerClosedMeanwhile) {
  serve({.alternative_names = "IP:127.0.0.1"});
  tls_server_->script = [](const Received&) { return Reaction{.then = Then::close}; };
  EXPECT_EQ(post().status, 202U);
  run_until([&] { return tls_server_->open() == 0; });
  EXPECT_EQ(post().status, 202U);
  EXPECT_EQ(upstream().probe().connections_reused_total, 0U);
}

TEST_F(TlsUpstreamTest, AnAnswerBehindAnAnswerIsNotTheNextOnes) {
  serve_answering_the_first_request_twice();
  EXPECT_EQ(post().status, 202U);
  EXPECT_EQ(post().status, 503U) << "the answer to the post before was taken for this one's";
  EXPECT_EQ(upstream().probe().connections_reused_total, 0U);
}

TEST_F(TlsUpstreamTest, AnAnswerBehindAnAnswerIsNotTheNextCallers) {
  serve_answering_the_first_request_twice();
  const auto pool = make_stream_pool(context_.get_executor(), clock_, upstream().peer(), {});
  std::vector<std::string> answers;
  net::spawn(context_.get_executor(), gate_, call(*pool, answers, accepted_answer));
  run_until([&] { return gate_.empty(); });
  net::spawn(context_.get_executor(), gate_, call(*pool, answers, refused_answer));
  run_until([&] { return gate_.empty(); });
  EXPECT_EQ(answers, (std::vector<std::string>{accepted_answer, refused_answer}));
}

TEST_F(TlsUpstreamTest, AnEndWithoutAnAnswerIsAmbiguous) {
  serve({.alternative_names = "IP:127.0.0.1"});
  tls_server_->script = [](const Received&) { return Reaction{.bytes = "", .then = Then::close}; };
  EXPECT_EQ(post().failure, Failure::no_answer);
}

TEST_F(TlsUpstreamTest, SendsNothingToAPeerThatIsNotTrusted) {
  struct Case {
    const char* name;
    test::TestPki::Leaf leaf;
    bool known_ca;
    const char* says;
  };
  const Case cases[] = {
      {"wrong name", {.alternative_names = "DNS:api.test"}, true, "IP address mismatch"},
      {"unknown CA", {.alternative_names = "IP:127.0.0.1"}, false, "not trusted"},
      {"expired",
       {.alternative_names = "IP:127.0.0.1", .valid_from_s = -7'200, .valid_until_s = -60},
       true,
       "has expired"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    upstream_.reset();
    if (tls_server_) {
      tls_server_->stop();
      run_until([&] { return tls_server_->gate().empty(); });
    }
    serve(c.leaf);
    if (!c.known_ca) {
      options_.ca_file = stranger_.ca_file();
    }
    const UpstreamAnswer answer = post();
    EXPECT_EQ(answer.failure, Failure::tls);
    EXPECT_THAT(answer.detail, HasSubstr(c.says));
    EXPECT_TRUE(tls_server_->requests().empty());
  }
}

TEST_F(TlsUpstreamTest, APeerThatDoesNotShakeHandsInTimeIsAFailureOfTls) {
  options_.base_url = "https://" + server_.authority();
  options_.connect_timeout = 50ms;
  const UpstreamAnswer silent = post();
  EXPECT_EQ(silent.failure, Failure::tls);
  EXPECT_THAT(silent.detail, HasSubstr("took too long"));
}

}  // namespace
}  // namespace sluice::transport
