// Goal: credentials are written as the protocols want them, a token's lifetime is read whatever it
// looks like, and nothing that a login answers gets into a header or an error unchecked.
#include "credentials.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sluice/base/redactor.hpp>

#include "test_token.hpp"

namespace sluice::transport {
namespace {

using deliver::Failure;
using deliver::UpstreamAnswer;
using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(BasicAuthorization, IsBase64OfGuidAndKey) {
  EXPECT_EQ(basic_authorization("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
      << "the example of RFC 7617";
  EXPECT_EQ(basic_authorization("", ""), "Basic Og==");
}

TEST(LoginBody, EscapesTheKey) {
  EXPECT_EQ(login_body("abc"), R"({"apiKey":"abc"})");
  EXPECT_EQ(login_body("a\"b\\c\n"), R"({"apiKey":"a\"b\\c\u000a"})");
}

UpstreamAnswer answer_with(unsigned status, std::string body) {
  UpstreamAnswer answer;
  answer.status = status;
  answer.body = std::move(body);
  return answer;
}

TEST(TokenIn, FindsTheToken) {
  EXPECT_EQ(token_in(answer_with(200, R"({"token":"a.b.c"})")), "a.b.c");
  EXPECT_EQ(token_in(answer_with(201, R"({"other":1,"token":"a.b.c"})")), "a.b.c");
}

TEST(TokenIn, SaysWhyThereIsNoneAndRepeatsNothing) {
  UpstreamAnswer broken;
  broken.failure = Failure::connect;
  broken.detail = "cannot connect";
  struct Case {
    UpstreamAnswer answer;
    const char* says;
  };
  const Case cases[] = {
      {broken, "the login failed: cannot connect"},
      {answer_with(401, R"({"message":"secret"})"), "status 401"},
      {answer_with(302, R"({"token":"secret"})"), "status 302"},
      {answer_with(404, "secret"), "check base_url"},
      {answer_with(200, "<html>Sign in"), "<html>Sign in"},
      {answer_with(200, ""), "no token"},
      {answer_with(200, R"({"token":"secret)"), "no token"},
      {answer_with(200, R"({"token":17})"), "no token"},
      {answer_with(200, R"({"token":""})"), "no token"},
      {answer_with(200, R"({"token":"secret\r\nX: y"})"), "no token"},
      {answer_with(200, R"(["secret"])"), "no token"},
  };
  for (const Case& c : cases) {
    const Result<std::string> token = token_in(c.answer);
    ASSERT_FALSE(token);
    EXPECT_THAT(token.error().message, HasSubstr(c.says));
    EXPECT_THAT(token.error().message, Not(HasSubstr("secret")));
  }
}

TEST(TokenIn, SaysWhatCameWithoutSecrets) {
  known_secrets().add("a-key-that-is-repeated");
  const Result<std::string> token =
      token_in(answer_with(200, "<p>" + std::string(80, '.') + "a-key-that-is-repeated</p>"));
  ASSERT_FALSE(token);
  EXPECT_THAT(token.error().message, AllOf(HasSubstr("[redacted]"), Not(HasSubstr("a-key"))));
}

TEST(TokenLifetime, IsWhatTheTokenSaysOrAnHour) {
  struct Case {
    std::string token;
    seconds lifetime;
  };
  const WallTime now{seconds(1'000'000)};
  const Case cases[] = {
      {test_token(R"({"exp":1000600})"), seconds(600)},
      {test_token(R"({"iat":5000,"exp":5900})"), seconds(900)},  // the upstream's clock is another
      {test_token(R"({"exp":1000600.75})"), seconds(600)},
      {test_token(R"({"a":">>>???","exp":1000600})"), seconds(600)},  // - and _ in base64url
      {test_token(R"({"exp":999999})"), seconds(1)},
      {test_token(R"({"exp":"soon"})"), seconds(3'600)},
      {test_token(R"({"exp":-1})"), seconds(3'600)},
      {test_token(R"({"exp":1e300})"), seconds(3'600)},
      {test_token(R"({})"), seconds(3'600)},
      {test_token("no JSON"), seconds(3'600)},
      {test_token(""), seconds(3'600)},
      {"opaque", seconds(3'600)},
      {"..", seconds(3'600)},
      {"a.b", seconds(3'600)},
      {"a.%%%%.c", seconds(3'600)},
      {"", seconds(3'600)},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.token);
    EXPECT_EQ(token_lifetime(c.token, now), c.lifetime);
  }
}

}  // namespace
}  // namespace sluice::transport
