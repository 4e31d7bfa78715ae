// Goal: answers are read alike in whatever pieces they come, and what is not an answer is refused.
#include "response_parser.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::load {
namespace {

using Step = ResponseParser::Step;

constexpr std::string_view counted =
    "HTTP/1.1 202 Accepted\r\nX-Request-Id: 1\r\ncontent-length:  44 \r\n\r\n"
    R"({"accepted":97,"rejected":2,"duplicates": 1})";
constexpr std::string_view refused =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 14\r\nRetry-After: 2\r\n\r\n"
    R"({"accepted":1})";
constexpr std::string_view bodiless = "HTTP/1.1 204 No Content\r\n\r\n";
constexpr std::string_view informational = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::string_view last =
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n";

struct Outcome {
  std::vector<Answer> answers;
  Step step = Step::incomplete;
};

// Reads the text in pieces of at most so many bytes.
Outcome read(std::string_view text, std::size_t piece) {
  ResponseParser parser;
  Outcome outcome;
  while (!text.empty() && outcome.step != Step::malformed) {
    const auto space = parser.space();
    const std::size_t bytes = std::min({text.size(), piece, space.size()});
    std::memcpy(space.data(), text.data(), bytes);
    text.remove_prefix(bytes);
    parser.commit(bytes);
    Answer answer;
    while ((outcome.step = parser.next(answer)) == Step::answer) {
      outcome.answers.push_back(answer);
    }
  }
  return outcome;
}

TEST(ResponseParser, ReadsAnswersInPiecesOfAnySize) {
  const std::string text = std::string(counted)
                               .append(informational)
                               .append(refused)
                               .append(bodiless)
                               .append(counted)
                               .append(last);
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    const Outcome outcome = read(text, piece);
    ASSERT_EQ(outcome.answers.size(), 5U) << piece;
    const Counts counts{.accepted = 97, .rejected = 2, .duplicates = 1};
    EXPECT_EQ(outcome.answers[0].status, 202U);
    EXPECT_EQ(outcome.answers[0].counts, counts);
    EXPECT_TRUE(outcome.answers[0].keep_alive);
    EXPECT_EQ(outcome.answers[1].status, 503U);
    EXPECT_EQ(outcome.answers[1].counts, Counts{});
    EXPECT_EQ(outcome.answers[2].status, 204U);
    EXPECT_EQ(outcome.answers[3].counts, counts);
    EXPECT_EQ(outcome.answers[4].status, 200U);
    EXPECT_FALSE(outcome.answers[4].keep_alive);
    EXPECT_EQ(outcome.step, Step::incomplete);
  }
}

TEST(ResponseParser, PassesOverABodyLongerThanItsBuffer) {
  const std::string errors(3 * ResponseParser::buffer_bytes, 'x');
  const std::string body =
      R"({"accepted":1,"rejected":999,"duplicates":0,"errors":")" + errors + "\"}";
  const std::string text =
      "HTTP/1.1 202 Accepted\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
      body + std::string(counted);
  for (const std::size_t piece : {1UL, 1'000UL, text.size()}) {
    const Outcome outcome = read(text, piece);
    ASSERT_EQ(outcome.answers.size(), 2U) << piece;
    EXPECT_EQ(outcome.answers[0].counts.rejected, 999U);
    EXPECT_EQ(outcome.answers[1].counts.accepted, 97U);
  }
}

TEST(ResponseParser, AnUnfinishedAnswerIsIncomplete) {
  for (std::size_t size = 1; size < counted.size(); ++size) {
    const Outcome outcome = read(counted.substr(0, size), size);
    EXPECT_TRUE(outcome.answers.empty()) << size;
    EXPECT_EQ(outcome.step, Step::incomplete) << size;
  }
}

TEST(ResponseParser, RefusesWhatIsNoAnswerThatItReads) {
  const std::string endless_head =
      "HTTP/1.1 200 OK\r\nX: " + std::string(ResponseParser::buffer_bytes, 'x');
  const std::string_view malformed[] = {
      "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 2xx OK\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 20\r\n\r\n",
      "HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 600 High\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n",
      "\r\n\r\n",
      endless_head,
      "SSH-2.0-OpenSSH_9.2",
  };
  for (const std::string_view text : malformed) {
    for (const std::size_t piece : {1UL, text.size()}) {
      const Outcome outcome = read(text, piece);
      EXPECT_EQ(outcome.step, Step::malformed) << text.substr(0, 80);
      EXPECT_TRUE(outcome.answers.empty()) << text.substr(0, 80);
    }
  }
}

TEST(ResponseParser, StartsAfreshAfterAReset) {
  ResponseParser parser;
  Answer answer;
  for (const std::string_view begun :
       {counted.substr(0, 20), counted.substr(0, 70), std::string_view("garbage")}) {
    std::ranges::copy(begun, parser.space().begin());
    parser.commit(begun.size());
    ASSERT_NE(parser.next(answer), Step::answer);
    parser.reset();
    std::ranges::copy(refused, parser.space().begin());
    parser.commit(refused.size());
    ASSERT_EQ(parser.next(answer), Step::answer);
    EXPECT_EQ(answer.status, 503U);
  }
}

}  // namespace
}  // namespace sluice::load
