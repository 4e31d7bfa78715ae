// Goal: nothing changes without the token, nor for another site's page.
#include "guard.hpp"

#include <gtest/gtest.h>

namespace sluice::admin {
namespace {

using boost::beast::http::status;

constexpr Credentials right{.host = "localhost:9090",
                            .origin = "",
                            .authorization = "Bearer s3cret",
                            .content_type = "application/json"};
const std::optional<config::Secret> token{{.value = "s3cret", .file = ""}};

TEST(Guard, LetsTheTokenIn) {
  EXPECT_FALSE(refuse_change(right, token));
  Credentials other_case = right;
  other_case.authorization = "bearer s3cret";
  other_case.content_type = "Application/JSON ; charset=utf-8";
  EXPECT_FALSE(refuse_change(other_case, token));
}

TEST(Guard, RefusesEverythingElse) {
  EXPECT_EQ(refuse_change(right, std::nullopt)->status, status::forbidden);
  for (const char* authorization : {"", "Bearer", "Bearer ", "Bearer s3cre", "Bearer s3cret2",
                                    "Bearer S3cret", "Bearer  s3cret", "Basic s3cret", "s3cret"}) {
    Credentials wrong = right;
    wrong.authorization = authorization;
    EXPECT_EQ(refuse_change(wrong, token)->status, status::unauthorized) << authorization;
  }
  for (const char* type : {"", "text/plain", "application/jsonp", "application/x-www-form"}) {
    Credentials wrong = right;
    wrong.content_type = type;
    EXPECT_EQ(refuse_change(wrong, token)->status, status::unsupported_media_type) << type;
  }
}

TEST(Guard, KnowsAnotherSite) {
  const auto is_cross = [](std::string_view origin, std::string_view host) {
    return is_cross_site({.host = host, .origin = origin, .authorization = "", .content_type = ""});
  };
  EXPECT_FALSE(is_cross("", "localhost:9090"));
  EXPECT_FALSE(is_cross("http://localhost:9090", "localhost:9090"));
  EXPECT_FALSE(is_cross("http://LocalHost:9090", "localhost:9090"));
  for (const char* origin : {"null", "http://localhost", "http://localhost:9091", "localhost:9090",
                             "http://localhost:9090.evil.example", "http://"}) {
    EXPECT_TRUE(is_cross(origin, "localhost:9090")) << origin;
  }
}

TEST(Guard, KnowsTheNamesThatAreItsOwnAlone) {
  const std::vector<std::string> hosts{"Sluice.example.com"};
  for (const char* host :
       {"", "127.0.0.1", "127.0.0.1:9090", "10.1.2.3:9090", "[::1]", "[::1]:9090", "localhost",
        "LOCALHOST:9090", "sluice-0:9090", "sluice.sluice.svc", "sluice.sluice.svc.cluster.local.",
        "Sluice.SVC:9090", "sluice.example.com:9090", "sluice.example.com.", "my_host.local",
        "[::ffff:127.0.0.1]:9090"}) {
    EXPECT_TRUE(is_own_host(host, hosts)) << host;
  }
  for (const char* host : {"evil.example",
                           "evil.example:9090",
                           "127.0.0.1.evil.example",
                           "localhost.evil.example",
                           "sluice.svc.evil.example",
                           "evilsvc.example",
                           "127.0.0.1.nip.io:9090",
                           "1.2.3.4.5",
                           "notsluice.example.com",
                           "sluice.example.com.evil.example",
                           "[evil.example]:9090",
                           "[::1].evil.example",
                           "[::1]evil.example",
                           "[::1].evil.local",
                           "[::1]:90.evil.example",
                           "evil.com#.local",
                           "evil.com/.local",
                           "evil.com?.local",
                           "evil.com\\.local",
                           "evil.com%23.local",
                           "evil.com%00.local",
                           "evil.com@x.local",
                           "x@localhost",
                           "evil.com ",
                           "evil.com,.local",
                           "evil.com;.local",
                           "evil.com:80.local",
                           "localhost:80:90",
                           ":80",
                           ".local",
                           "evil..local",
                           "localhost..",
                           "127.0.0.1.",
                           "127.1",
                           "[::1%25lo]",
                           "[::1",
                           "::1",
                           "ev\xC3\xADl.local"}) {
    EXPECT_FALSE(is_own_host(host, hosts)) << host;
  }
}

}  // namespace
}  // namespace sluice::admin
