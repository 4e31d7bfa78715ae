// Goal: what a request for dead letters says is understood exactly or refused, and answers are JSON
// whatever is in them.
#include "dead_letter_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::admin {
namespace {

using deadletter::Filter;
using deadletter::LetterId;
using deadletter::Order;
using testing::HasSubstr;

constexpr LetterId id = 0x018f3440d1a80000;

TEST(DeadLetterText, ReadsTheQueryOfAList) {
  const auto query = parse_query(
      "workspace=a%20b&reason=rejected&since=2024-05-01T12%3A00%3A00Z&contains=%22x%22%3A1+%zz&"
      "limit=1000&order=oldest&cursor=018f3440d1a80000");
  ASSERT_TRUE(query) << query.error().message;
  const auto& filter = std::get<Filter>(query->selection);
  EXPECT_EQ(filter.workspace, "a b");
  EXPECT_EQ(filter.reason, "rejected");
  EXPECT_EQ(filter.contains, "\"x\":1 %zz");
  EXPECT_EQ(filter.since, WallTime(std::chrono::milliseconds(1'714'564'800'000)));
  EXPECT_FALSE(filter.until);
  EXPECT_EQ(query->letters_max, 1'000U);
  EXPECT_EQ(query->order, Order::oldest_first);
  EXPECT_EQ(query->after, id);
  EXPECT_EQ(parse_query("")->order, Order::newest_first);
}

TEST(DeadLetterText, RefusesAQueryThatItDoesNotUnderstand) {
  for (const char* text : {"limit=0", "limit=1001", "limit=", "limit=5x", "order=", "cursor=0",
                           "since=soon", "until=x", "nothing=1", "workspaces=a", "=a", "limit"}) {
    EXPECT_FALSE(parse_query(text)) << text;
  }
}

TEST(DeadLetterText, ReadsWhichLettersAPassIsAbout) {
  const auto ids = parse_pass(R"({"ids":["018f3440d1a80000","018f3440d1a80000"]})");
  EXPECT_EQ(std::get<std::set<LetterId>>(ids->selection), std::set{id});
  const auto filter = parse_pass(R"( {"filter":{"contains":"\u0022","until":"2024-05-01"}} )");
  ASSERT_FALSE(filter) << "a time has hours";
  const auto all = parse_pass(R"({"all":true,"cursor":null})");
  EXPECT_EQ(std::get<Filter>(all->selection), Filter{});
  EXPECT_FALSE(all->cursor);
}

TEST(DeadLetterText, AMemberThatIsNoJsonIsRefused) {
  for (const char* text : {R"({"all":true,"cursor":x})", R"({"cursor":)", R"({"all":x})",
                           R"({"ids":x})", R"({"filter":x})"}) {
    EXPECT_FALSE(parse_pass(text)) << text;
  }
}

TEST(DeadLetterText, UnderstandsTheCursorsThatItGives) {
  for (const LetterId after : {LetterId{0}, id}) {
    const Cursor cursor{.after = after, .last = id + 7};
    const std::string said = to_json(PurgeReport{.purged = 1, .stopped = "", .cursor = cursor});
    const std::size_t at = said.find("\"cursor\":");
    const auto again = parse_pass("{\"all\":true," + said.substr(at));
    ASSERT_TRUE(again) << said;
    EXPECT_EQ(again->cursor, cursor);
  }
  for (const char* cursor : {"", "-", "018f3440d1a80000", "018f3440d1a80000-", "x-y"}) {
    EXPECT_FALSE(parse_pass(R"({"all":true,"cursor":")" + std::string(cursor) + "\"}")) << cursor;
  }
}

TEST(DeadLetterText, WritesJsonWhateverTheReasonsAre) {
  const ReplayReport report{.replayed = 2,
                            .kept = 1,
                            .why = {{.id = id, .why = "\"quoted\"\n\xff"}},
                            .stopped = "the buffer is full",
                            .cursor = {}};
  EXPECT_EQ(to_json(report),
            "{\"replayed\":2,\"kept\":1,\"why\":[{\"id\":\"018f3440d1a80000\",\"reason\":"
            "\"\\\"quoted\\\"\\u000a\xEF\xBF\xBD\"}],\"stopped\":\"the buffer is full\","
            "\"cursor\":null}\n");
}

}  // namespace
}  // namespace sluice::admin
