// Goal: Beast, as we compile it, does not end the process because of what a peer sends.
#include <boost/beast/http.hpp>
#include <gtest/gtest.h>

namespace sluice::net {
namespace {

namespace http = boost::beast::http;

template <bool is_request>
void expect_survival(const std::string& head) {
  http::parser<is_request, http::string_body> parser;
  boost::beast::error_code error;
  const auto put = [&](const std::string& bytes) {
    return parser.put(boost::asio::buffer(bytes), error);
  };
  EXPECT_EQ(put(head), head.size());
  ASSERT_FALSE(error);
  for (const char* so_far : {"0\r\n", "0\r\n\r"}) {
    EXPECT_EQ(put(so_far), 0U);
    EXPECT_EQ(error, http::error::need_more);
  }
  EXPECT_EQ(put("0\r\n\r\n"), 5U);
  EXPECT_FALSE(error);
  EXPECT_TRUE(parser.is_done());
}

TEST(Beast, AnEmptyChunkedMessageMayComeInAnyPieces) {
  expect_survival<true>("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  expect_survival<false>("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
}

}  // namespace
}  // namespace sluice::net
