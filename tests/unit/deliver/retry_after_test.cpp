// Retry-After is understood in all the forms of RFC 9110, clamped, and otherwise ignored.
#include <gtest/gtest.h>

#include <sluice/deliver/retry_after.hpp>

namespace sluice::deliver {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

// Sun, 06 Nov 1994 08:49:07 GMT
constexpr WallTime now = std::chrono::sys_days(std::chrono::year(1994) / 11 / 6) + 8h + 49min + 7s;

TEST(RetryAfter, IsUnderstood) {
  const std::vector<std::pair<std::string_view, milliseconds>> cases = {
      {"0", 0s},
      {"120", 120s},
      {" 7\t", 7s},
      {"0007", 7s},
      {"3601", 1h},
      {"99999999999999999999999999", 1h},
      {"Sun, 06 Nov 1994 08:49:37 GMT", 30s},
      {"Sunday, 06-Nov-94 08:49:37 GMT", 30s},
      {"Sun Nov  6 08:49:37 1994", 30s},
      {"Wed Nov 16 08:49:37 1994", 1h},
      {"Sun, 06 Nov 1994 08:49:06 GMT", 0s},
      {"Sunday, 06-Nov-44 08:49:37 GMT", 1h},  // 2044: exactly 50 years ahead
      {"Sunday, 06-Nov-45 08:49:37 GMT", 0s},  // 1945
      {"Sun, 06 Nov 1994 08:49:60 GMT", 53s},
  };
  for (const auto& [header, wait] : cases) {
    EXPECT_EQ(parse_retry_after(header, now), wait) << header;
  }
}

TEST(RetryAfter, CountsTheMilliseconds) {
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now + 1ms), 29'999ms);
}

TEST(RetryAfter, AnythingElseIsNeither) {
  for (const std::string_view header : {"",
                                        " ",
                                        "-1",
                                        "1.5",
                                        "5s",
                                        "soon",
                                        "Sun",
                                        "Sun,",
                                        "Sun, 06 Nov 1994 08:49:37",
                                        "Sun, 6 Nov 1994 08:49:37 GMT",
                                        "Sun, 31 Feb 1994 08:49:37 GMT",
                                        "Sun, 06 Nov 1994 24:00:00 GMT",
                                        "Sun, 06 Nov 1994 08:60:00 GMT",
                                        "Sun, 06 Nov 1994 08:49:61 GMT",
                                        "Sun, 06 Xxx 1994 08:49:37 GMT",
                                        "Sun, 06 Nov 1994 08:49:37 GMT.",
                                        "Sunday, 06-Nov-1994 08:49:37 GMT",
                                        "Sun Nov 6 08:49:37 1994",
                                        "1994-11-06T08:49:37Z",
                                        ", 06 Nov 1994 08:49:37 GMT"}) {
    EXPECT_EQ(parse_retry_after(header, now), std::nullopt) << header;
  }
}

}  // namespace
}  // namespace sluice::deliver
