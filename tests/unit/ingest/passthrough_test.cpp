// Goal: what goes through to the upstream, and back, is what was meant end to end and nothing that
// belongs to one connection or proves who somebody is.
#include "passthrough.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "answer_parser.hpp"

namespace sluice::ingest {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Kind = BodyFraming::Kind;

RequestHead head_of(std::string method, std::string target, std::vector<HeadField> fields) {
  RequestHead head;
  head.method_text = std::move(method);
  head.target = std::move(target);
  head.fields = std::move(fields);
  head.whole = true;
  return head;
}

TEST(Passthrough, TheRequestGoesOnWithItsFieldsAndFramingOfOurOwn) {
  const RequestHead head = head_of("PATCH", "/v4/clients?a=1&b=%20",
                                   {{"Host", "gateway"},
                                    {"Accept", "a/b"},
                                    {"X-Custom", "one"},
                                    {"x-custom", "two"},
                                    {"Transfer-Encoding", "chunked"},
                                    {"Content-Length", "5"},
                                    {"Via", "1.0 other"}});
  EXPECT_EQ(upstream_request_head(head, {.host = "api:8443",
                                         .framing = {.kind = Kind::length, .length = 7},
                                         .authorization = "Basic b2s="}),
            "PATCH /v4/clients?a=1&b=%20 HTTP/1.1\r\nHost: api:8443\r\nAccept: a/b\r\n"
            "X-Custom: one\r\nx-custom: two\r\nVia: 1.0 other\r\nAuthorization: Basic b2s=\r\n"
            "Via: 1.1 sluice\r\nContent-Length: 7\r\n\r\n");
}

TEST(Passthrough, WhatConcernsOneConnectionStaysThere) {
  const std::vector<HeadField> fields{{"Connection", "close, X-Hop ,,\tHost"},
                                      {"connection", "x-second"},
                                      {"X-Hop", "1"},
                                      {"X-SECOND", "2"},
                                      {"Keep-Alive", "timeout=5"},
                                      {"Proxy-Connection", "x"},
                                      {"Proxy-Authorization", "Basic x"},
                                      {"Proxy-Authenticate", "Basic"},
                                      {"TE", "trailers"},
                                      {"Trailer", "X-T"},
                                      {"Upgrade", "h2c"},
                                      {"HTTP2-Settings", "x"},
                                      {"Expect", "100-continue"},
                                      {"X-Kept", "yes"}};
  EXPECT_EQ(upstream_request_head(head_of("GET", "/", fields), {.host = "h"}),
            "GET / HTTP/1.1\r\nHost: h\r\nX-Kept: yes\r\nVia: 1.1 sluice\r\n\r\n");
  const UpstreamHead answer{.status = 200, .reason = "OK", .fields = fields};
  EXPECT_EQ(client_answer_head(answer, {.framing = {.kind = Kind::chunked}, .close = true}),
            "HTTP/1.1 200 OK\r\nX-Kept: yes\r\nVia: 1.1 sluice\r\n"
            "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
}

TEST(Passthrough, AProducersKeyIsReplacedAndAnAnonymousCallersCredentialsAreNot) {
  const RequestHead head = head_of("GET", "/",
                                   {{"authorization", "Bearer producer-key"},
                                    {"X-API-KEY", "producer-key"},
                                    {"Cookie", "session=1"}});
  EXPECT_THAT(upstream_request_head(head, {.host = "h", .authorization = "Bearer workspace"}),
              AllOf(HasSubstr("\r\nAuthorization: Bearer workspace\r\n"),
                    Not(HasSubstr("producer-key")), Not(HasSubstr("session"))));
  EXPECT_THAT(upstream_request_head(head, {.host = "h"}),
              AllOf(HasSubstr("\r\nauthorization: Bearer producer-key\r\n"),
                    HasSubstr("\r\nCookie: session=1\r\n")));
}

TEST(Passthrough, ASessionOfTheWorkspaceDoesNotComeBack) {
  const UpstreamHead answer{
      .status = 200, .reason = "", .fields = {{"Set-Cookie", "s=1"}, {"Authorization", "x"}}};
  EXPECT_EQ(client_answer_head(answer, {.hide_session = true}),
            "HTTP/1.1 200 \r\nVia: 1.1 sluice\r\n\r\n");
  EXPECT_THAT(client_answer_head(answer, {}), HasSubstr("Set-Cookie: s=1\r\n"));
}

TEST(Passthrough, AnAnswerHasARequestId) {
  const UpstreamHead without{.status = 200, .http11 = false, .reason = "OK", .fields = {}};
  EXPECT_EQ(client_answer_head(without, {.request_id = "mine"}),
            "HTTP/1.1 200 OK\r\nX-Request-Id: mine\r\nVia: 1.0 sluice\r\n\r\n");
  const UpstreamHead with{.status = 200, .reason = "OK", .fields = {{"x-request-id", "theirs"}}};
  EXPECT_THAT(client_answer_head(with, {.request_id = "mine"}),
              AllOf(HasSubstr("theirs"), Not(HasSubstr("mine"))));
}

TEST(Passthrough, PathsThatCanBeReadInSeveralWaysAreNotPassed) {
  for (const char* path :
       {"/", "/v4/clients", "/v4/clients/", "/catalogs/bags/items", "/a/b%20c", "/v4/events/other",
        "/authors", "/a.b/..c", "/v4/clients/by-email/a%40b.c", "/%C3%A4", "/v4/clients/.x",
        "/oauth", "/v4/authentication", "/v4/auth-logs", "/%D0%B0uth",
        "/v4/x/%E5%AE%A2%E6%88%B7%E4%B8%80%E4%BA%8C"}) {
    EXPECT_EQ(judge_path(path, true), PathVerdict::plain) << path;
  }
  for (const char* path :
       {"//v4/clients", "/v4//clients", "/v4/./clients", "/v4/../clients", "/v4/clients/..",
        "/v4/%2e%2E/clients", "/v4/a%2fb", "/v4/a%5Cb", "/v4/a\\b", "/v4/a%00b", "/v4/%", "/v4/%2",
        "/v4/%zz", "/v4/%252e", "/v4/..;x/clients", "/v4/;x/clients", "/v4/a%3bb",
        // Routes of ours in disguise.
        "/v4/events/batch/", "/V4/events/Batch", "/v4/events/%62atch", "/v4/events/batch;x",
        "/v4/transactions/", "/v1/events/Source", "/v4/events/batch.", "/v4/events./batch",
        "/v4/events/batch%20", "/%20v4/events/batch", "/v4/events%3Fx/batch", "/v4/events/batch%23",
        "/v4/events/batch::$DATA", "/v4/events/bat%C2%ADch",
        // What is no UTF-8, as overlong forms are, is read by some all the same.
        "/%E4", "/v4/%C1%A1uth", "/v4/%20/x", "/v4/+/x", "/v4/%3b/x", "/v4/.../x",
        "/v4/%E2%80%8B/x"}) {
    EXPECT_EQ(judge_path(path, true), PathVerdict::ambiguous) << path;
  }
}

TEST(Passthrough, LoginsAreNotPassedWithTheWorkspacesCredentials) {
  for (const char* path : {"/v4/auth/login/client",
                           "/uauth/v2/auth/login/other",
                           "/v4/auth/refresh/profile",
                           "/v4/Auth/refresh",
                           "/v4/%61uth/refresh/profile/",
                           "/v4/auth;x/refresh",
                           "/auth",
                           "/v4/auth%20/x",
                           "/v4/auth./x",
                           "/v4/auth.%20./x",
                           "/v4/%20auth/x",
                           "/v4/auth+/x",
                           "/v4/auth%3Fa/x",
                           "/v4/auth%23/x",
                           "/v4/auth:x/y",
                           "/v4/%41%55%54%48/x",
                           "/v4/au%C2%ADth/x",
                           "/v4/auth%E2%80%8B/x",
                           "/v4/%EF%BD%81uth/x",
                           "/v4/%C3%A4uth/x",
                           "/v4/%F0%9D%90%9A%F0%9D%90%AE%F0%9D%90%AD%F0%9D%90%A1/x"}) {
    EXPECT_EQ(judge_path(path, true), PathVerdict::login) << path;
    EXPECT_EQ(judge_path(path, false), PathVerdict::plain) << path;
  }
}

TEST(Passthrough, OnlyWhatMayHappenTwiceIsRepeated) {
  for (const char* method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}) {
    EXPECT_TRUE(may_repeat(method, false)) << method;
    EXPECT_FALSE(may_repeat(method, true)) << method;
  }
  for (const char* method : {"POST", "PATCH", "TRACE", "CONNECT", "get", "BREW"}) {
    EXPECT_FALSE(may_repeat(method, false)) << method;
  }
  EXPECT_FALSE(is_passed_method("TRACE"));
  EXPECT_FALSE(is_passed_method("CONNECT"));
}

TEST(Passthrough, ARequestKeepsTheKindOfItsFraming) {
  EXPECT_EQ(request_framing(false, std::nullopt), BodyFraming{});
  EXPECT_EQ(request_framing(false, 0), (BodyFraming{.kind = Kind::length, .length = 0}));
  EXPECT_EQ(request_framing(true, std::nullopt), (BodyFraming{.kind = Kind::chunked}));
}

// What the parser makes of an answer that comes in pieces of one size: head, body, how it ended.
struct Read {
  UpstreamHead head;
  std::string body;
  AnswerParser::Step last{};
};
Read read_answer(std::string_view bytes, std::size_t piece, bool to_head = false,
                 bool closed = true) {
  using Step = AnswerParser::Step;
  AnswerParser parser(to_head);
  ReadBuffer in;
  Read read;
  while (true) {
    read.last = parser.take(in);
    read.body += parser.body();
    parser.body().clear();
    if (read.last == Step::end || read.last == Step::broken) {
      break;
    }
    if (read.last == Step::needs_more && bytes.empty()) {
      read.last = closed ? parser.take_end() : Step::needs_more;
      break;
    }
    if (read.last == Step::needs_more) {
      const std::span<char> space = in.free_space();
      const std::size_t count = std::min({piece, bytes.size(), space.size()});
      bytes.copy(space.data(), count);
      in.commit(count);
      bytes.remove_prefix(count);
    }
  }
  read.head = parser.head();
  return read;
}

TEST(AnswerParser, ReadsEveryFramingHoweverItIsCut) {
  const std::string chunked =
      "HTTP/1.1 200 Fine\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
      "4;ext=1\r\n0123\r\n1\r\n4\r\n0\r\nTrailer: x\r\n\r\n";
  const std::string empty =
      "HTTP/1.1 200 Fine\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  for (std::size_t piece = 1; piece <= empty.size(); ++piece) {
    EXPECT_EQ(read_answer(empty, piece).last, AnswerParser::Step::end) << piece;
  }
  const std::string sized = "HTTP/1.1 200 Fine\r\nX-A: 1\r\nContent-Length: 5\r\n\r\n01234";
  const std::string to_end = "HTTP/1.0 200 Fine\r\nX-A: 1\r\n\r\n01234";
  for (const std::string& bytes : {chunked, sized, to_end}) {
    for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
      const Read read = read_answer(bytes, piece);
      EXPECT_EQ(read.last, AnswerParser::Step::end) << bytes << piece;
      EXPECT_EQ(read.body, "01234") << bytes << piece;
      EXPECT_EQ(read.head.reason, "Fine");
      EXPECT_EQ(read.head.fields.front().name, "X-A");
    }
  }
}

// What an upstream sends bit by bit is passed on bit by bit.
TEST(AnswerParser, DataIsNotHeldBackBecauseItLooksLikeTheEnd) {
  const Read read =
      read_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n0\r\n9\r\n\r\n0", 99,
                  false, false);
  EXPECT_EQ(read.last, AnswerParser::Step::needs_more);
  EXPECT_EQ(read.body, "0\r\n0");
}

TEST(AnswerParser, WhatIsCutOffIsBroken) {
  for (const char* bytes :
       {"", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n0123",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n0\r\n"}) {
    EXPECT_EQ(read_answer(bytes, 7).last, AnswerParser::Step::broken) << bytes;
  }
}

TEST(AnswerParser, WhatIsAmbiguousOrNoAnswerIsBroken) {
  for (const std::string& bytes :
       {std::string("nonsense\r\n\r\n"), std::string("HTTP/2 200 OK\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n0"),
        std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
        "HTTP/1.1 200 OK\r\nX: " + std::string(answer_head_bytes_max, 'x') + "\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" +
            std::string(answer_head_bytes_max, 'x')}) {
    EXPECT_EQ(read_answer(bytes, 4096, false, false).last, AnswerParser::Step::broken)
        << bytes.substr(0, 80);
  }
}

// Each piece ends one byte into a field, so that none is more than a field to the parser.
TEST(AnswerParser, AHeadHasALimitHoweverItIsCut) {
  const std::string field(": " + std::string(996, 'x') + "\r\nX");
  AnswerParser parser(false);
  ReadBuffer in;
  const auto take = [&](std::string_view piece) {
    in.reserve(in.size() + piece.size(), 0);
    in.commit(piece.copy(in.free_space().data(), piece.size()));
    return parser.take(in);
  };
  AnswerParser::Step step = take("HTTP/1.1 200 OK\r\nX");
  for (std::size_t sent = 0; sent < 40 * field.size() && step == AnswerParser::Step::needs_more;
       sent += field.size()) {
    step = take(field);
  }
  EXPECT_EQ(step, AnswerParser::Step::broken);
}

TEST(AnswerParser, KnowsWhichAnswersHaveNoBody) {
  EXPECT_EQ(read_answer("HTTP/1.1 204 No Content\r\n\r\n", 99, false, false).last,
            AnswerParser::Step::end);
  EXPECT_EQ(read_answer("HTTP/1.1 304 Not\r\nContent-Length: 9\r\n\r\n", 99, false, false).last,
            AnswerParser::Step::end);
  EXPECT_EQ(read_answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 99, true, false).last,
            AnswerParser::Step::end);
}

}  // namespace
}  // namespace sluice::ingest
