// Goal: a recorded request is sent byte for byte, in its place, and a bad line is named.
#include "replay.hpp"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "temporary_directory.hpp"

namespace sluice::load {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const Framing framing{.authority = "gateway:8080",
                      .content_type = "application/json",
                      .gzip = false,
                      .header_lines = {"X-Api-Key: k"}};

TEST(Replay, KeepsOrderPathsAndBytes) {
  const auto pool = parse_replay(
      "{\"path\":\"/v4/events/batch\",\"body\":[{\"a\": 1.50}, {}]}\n"
      "\n"
      "{\"body\":{\"b\":\"\\u00e9 } ]\"},\"path\":\"/v1/events/orders\"}",
      framing);
  ASSERT_TRUE(pool) << pool.error().message;
  ASSERT_EQ(pool->size(), 2U);
  EXPECT_EQ(pool->at(0).bytes,
            "POST /v4/events/batch HTTP/1.1\r\nHost: gateway:8080\r\n"
            "Content-Type: application/json\r\nContent-Length: 17\r\nX-Api-Key: k\r\n\r\n"
            "[{\"a\": 1.50}, {}]");
  EXPECT_EQ(pool->at(0).events, 2U);
  EXPECT_THAT(pool->at(1).bytes, StartsWith("POST /v1/events/orders HTTP/1.1\r\n"));
  EXPECT_THAT(pool->at(1).bytes, EndsWith("\r\n\r\n{\"b\":\"\\u00e9 } ]\"}"));
  EXPECT_EQ(pool->at(1).events, 1U);
}

TEST(Replay, NamesTheLineThatIsWrong) {
  const std::string_view wrong[] = {
      "not JSON",
      "[]",
      R"({"path":"/x"})",
      R"({"body":{}})",
      R"({"path":"x","body":{}})",
      R"({"path":"/x HTTP/1.1\r\nX: y","body":{}})",
      R"({"path":7,"body":{}})",
  };
  for (const std::string_view line : wrong) {
    const std::string text = "{\"path\":\"/x\",\"body\":{}}\n" + std::string(line);
    const auto pool = parse_replay(text, framing);
    ASSERT_FALSE(pool) << line;
    EXPECT_THAT(pool.error().message, StartsWith("line 2: ")) << line;
  }
}

TEST(Replay, ReadsAFileAndTellsWhyNot) {
  const test::TemporaryDirectory directory;
  const std::string path = directory / "requests.jsonl";
  EXPECT_FALSE(read_replay(path, framing));
  std::ofstream(path) << "\n";
  const auto empty = read_replay(path, framing);
  ASSERT_FALSE(empty);
  EXPECT_THAT(empty.error().message, HasSubstr(path));
  std::ofstream(path) << R"({"path":"/x","body":null})";
  const auto pool = read_replay(path, framing);
  ASSERT_TRUE(pool);
  EXPECT_THAT(pool->front().bytes, EndsWith("\r\n\r\nnull"));
}

}  // namespace
}  // namespace sluice::load
