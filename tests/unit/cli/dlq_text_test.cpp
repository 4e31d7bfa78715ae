// Goal: `sluice dlq` asks for what it was asked for, and shows what it hears without harm.
#include "dlq_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

using deadletter::Filter;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::string line =
    R"({"id":"018f3440d1a80000","workspace":"w","kind":"event","reason":"rejected","status":400,)"
    R"("answer":"\u001b[31m\u00e9","attempts":3,"first_attempt_at":"2024-05-01T12:00:00.000Z",)"
    R"("last_attempt_at":"2024-05-01T12:00:01.000Z","event":{"n":12345678901234567890123}})";

TEST(DlqText, AsksForAPage) {
  const Filter filter{.workspace = "a&b",
                      .since = WallTime(std::chrono::milliseconds(1'714'564'800'000)),
                      .contains = "\"x\": 1+é"};
  EXPECT_EQ(list_target({.selection = filter, .after = 0x018f3440d1a80000, .letters_max = 7}),
            "/dlq?limit=7&order=oldest&workspace=a%26b&since=2024-05-01T12%3A00%3A00.000Z"
            "&contains=%22x%22%3A%201%2B%C3%A9&cursor=018f3440d1a80000");
}

TEST(DlqText, ReadsAPage) {
  const auto page = parse_list("{\"stored\":2,\"letters\":[" + line + "," + line +
                               "],\"cursor\":\"018f3440d1a80000\"}");
  ASSERT_TRUE(page);
  ASSERT_EQ(page->letters.size(), 2U);
  EXPECT_EQ(page->letters[1].line, line);
  EXPECT_EQ(page->next, 0x018f3440d1a80000);
  EXPECT_FALSE(parse_list("{\"letters\":[],\"cursor\":null}")->next);
  for (const char* text : {"", "[]", "{}", "{\"letters\":[{}]}", "<html>"}) {
    EXPECT_FALSE(parse_list(text)) << text;
  }
}

TEST(DlqText, SaysWhichLettersAPassIsAbout) {
  EXPECT_EQ(pass_body(Filter{}, ""), R"({"all":true})");
  EXPECT_EQ(pass_body(Filter{.reason = "a\"b"}, "1-2"),
            R"({"filter":{"reason":"a\"b"},"cursor":"1-2"})");
  EXPECT_EQ(pass_body(std::set<deadletter::LetterId>{1, 2}, ""),
            R"({"ids":["0000000000000001","0000000000000002"]})");
}

TEST(DlqText, ReadsAndWritesReports) {
  const std::string said =
      R"({"replayed":2,"kept":1,"why":[{"id":"018f3440d1a80000","reason":"no"}],"stopped":"full"})";
  auto report = parse_report(said);
  ASSERT_TRUE(report);
  EXPECT_EQ(to_json(*report, "replayed"), said + "\n");
  report = parse_report(R"({"purged":3,"stopped":null,"cursor":"1-2"})");
  EXPECT_EQ(report->cursor, "1-2");
  EXPECT_EQ(to_json(*report, "purged"), "{\"purged\":3,\"stopped\":null}\n");
  EXPECT_FALSE(parse_report("{\"status\":404}"));
  EXPECT_EQ(message_of(R"({"status":403,"message":"no token"})"), "no token");
  EXPECT_EQ(message_of("<html>\n"), "<html>\n");
}

TEST(DlqText, ShowsNothingThatMovesATerminalsCursor) {
  const auto letter = *deadletter::parse_letter(line);
  EXPECT_THAT(table_row(letter), AllOf(HasSubstr("018f3440d1a80000  2024-05-01T12:00:01.000Z  w "),
                                       HasSubstr("\\u001b[31mé"), Not(HasSubstr("\x1b"))));
  EXPECT_THAT(description(letter), AllOf(HasSubstr("12345678901234567890123"),  //
                                         Not(HasSubstr("\x1b"))));
}

TEST(DlqText, ShowsTheTrace) {
  const std::string trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  std::string traced = line;
  traced.insert(traced.find("\"event\":"), "\"traceparent\":\"" + trace + "\",");
  const auto letter = *deadletter::parse_letter(traced);
  EXPECT_THAT(table_row(letter), HasSubstr("  4bf92f3577b34da6a3ce929d0e0e4736  "));
  EXPECT_THAT(description(letter), HasSubstr("traceparent   " + trace + "\n"));
  const auto without = *deadletter::parse_letter(line);
  EXPECT_THAT(table_row(without), HasSubstr("  3  -  "));
  EXPECT_THAT(description(without), HasSubstr("traceparent   -\n"));
}

}  // namespace
}  // namespace sluice::cli
