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
  std::string pending;
  const auto receive = [&](const std::string& bytes) {
    pending += bytes;
    pending.erase(0, parser.put(boost::asio::buffer(pending), error));
  };
  receive(head);
  ASSERT_FALSE(error);
  // Whether a piece is taken at once or with the next one differs from version to version.
  for (const char* piece : {"0\r\n", "\r"}) {
    receive(piece);
    EXPECT_TRUE(!error || error == http::error::need_more) << error.message();
    EXPECT_FALSE(parser.is_done());
  }
  receive("\n");
  EXPECT_FALSE(error) << error.message();
  EXPECT_TRUE(pending.empty());
  EXPECT_TRUE(parser.is_done());
}

TEST(Beast, AnEmptyChunkedMessageMayComeInAnyPieces) {
  expect_survival<true>("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  expect_survival<false>("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
}

}  // namespace
}  // namespace sluice::net
