// Goal: a base URL is understood as it is written, or refused with the form that it should have.
#include "base_url.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::transport {
namespace {

TEST(BaseUrl, IsTakenApart) {
  struct Case {
    const char* text;
    bool tls;
    const char* host;
    const char* port;
    const char* host_header;
  };
  const Case cases[] = {
      {"https://api.synerise.com", true, "api.synerise.com", "443", "api.synerise.com"},
      {"https://api.synerise.com/", true, "api.synerise.com", "443", "api.synerise.com"},
      {"https://api.synerise.com:443", true, "api.synerise.com", "443", "api.synerise.com"},
      {"http://localhost", false, "localhost", "80", "localhost"},
      {"http://127.0.0.1:8081", false, "127.0.0.1", "8081", "127.0.0.1:8081"},
      {"https://host:80", true, "host", "80", "host:80"},
      {"http://[::1]:8081/", false, "::1", "8081", "[::1]:8081"},
      {"https://[2001:db8::1]", true, "2001:db8::1", "443", "[2001:db8::1]"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    const Result<BaseUrl> url = parse_base_url(c.text);
    ASSERT_TRUE(url) << url.error().message;
    EXPECT_EQ(url->tls, c.tls);
    EXPECT_EQ(url->host, c.host);
    EXPECT_EQ(url->port, c.port);
    EXPECT_EQ(url->host_header, c.host_header);
  }
}

TEST(BaseUrl, IsRefusedWithTheFormThatItShouldHave) {
  for (const char* text :
       {"", "api.synerise.com", "ftp://host", "http://", "https:///", "https://host/path",
        "https://host?query", "https://user@host", "https://host:", "https://host:0",
        "https://host:65536", "https://host:80x", "https://ho st", "https://host\r\nX: y",
        "http://[::1", "http://[::1]8080", "http://[]:1", "http://::1"}) {
    SCOPED_TRACE(text);
    const Result<BaseUrl> url = parse_base_url(text);
    ASSERT_FALSE(url);
    EXPECT_THAT(url.error().message, testing::HasSubstr("http[s]://host[:port]"));
  }
}

}  // namespace
}  // namespace sluice::transport
