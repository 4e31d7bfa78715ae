// Goal: a target is read as a URL is meant, and what cannot be one is refused.
#include "target.hpp"

#include <gtest/gtest.h>

namespace sluice::load {
namespace {

TEST(LoadTarget, ReadsUrls) {
  const struct {
    std::string_view url;
    bool tls;
    std::string_view host;
    unsigned port;
    std::string_view path;
    std::string_view authority;
  } cases[] = {
      {"http://127.0.0.1:8080/v4/events/batch", false, "127.0.0.1", 8080, "/v4/events/batch",
       "127.0.0.1:8080"},
      {"https://gateway.example", true, "gateway.example", 443, "/", "gateway.example:443"},
      {"http://localhost/a?b=c:d", false, "localhost", 80, "/a?b=c:d", "localhost:80"},
      {"http://[::1]:9/x", false, "::1", 9, "/x", "[::1]:9"},
      {"https://[::1]", true, "::1", 443, "/", "[::1]:443"},
  };
  for (const auto& expected : cases) {
    const auto target = parse_target(expected.url);
    ASSERT_TRUE(target) << expected.url;
    EXPECT_EQ(target->tls, expected.tls) << expected.url;
    EXPECT_EQ(target->host, expected.host) << expected.url;
    EXPECT_EQ(target->port, expected.port) << expected.url;
    EXPECT_EQ(target->path, expected.path) << expected.url;
    EXPECT_EQ(target->authority(), expected.authority) << expected.url;
  }
}

TEST(LoadTarget, RefusesWhatIsNone) {
  for (const std::string_view url :
       {"", "127.0.0.1:8080", "ftp://a/", "http://", "http:///path", "http://a:0/", "http://a:/",
        "http://a:65536/", "http://a:8x/", "http://user@a/", "http://a/b c", "http://a/\r\nX: y",
        "http://[::1/x"}) {
    EXPECT_FALSE(parse_target(url)) << url;
  }
}

}  // namespace
}  // namespace sluice::load
