// Goal: what was counted arrives in the report: warm-up left out, losses left in, the figures in
// JSON those of the text, and the chart a well-formed document.
#include "report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include "chart.hpp"

namespace sluice::load {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr MonoTime start{1'000s};

Answer answer_of(unsigned status, Counts counts = {}) {
  return {.status = status, .keep_alive = true, .counts = counts};
}

Report sample() {
  Report report;
  report.settings.target = {
      .tls = false, .host = "gateway", .port = 8080, .path = "/v4/events/batch?a=1&b=2"};
  report.measured = 2s;
  report.generator_cpu = 500ms;
  report.server =
      ServerUse{.cpu = 1s, .events = 400, .resident_bytes = 3 << 20, .resident_bytes_max = 4 << 20};
  Tally& tally = report.tally;
  tally.measure_from(start);
  for (int i = 0; i < 3; ++i) {
    tally.answered(start + i * 600ms, start + i * 600ms + 2ms, 100,
                   answer_of(202, {.accepted = 97, .rejected = 2, .duplicates = 1}));
  }
  tally.answered(start + 1'900ms, start + 1'930ms, 100, answer_of(503));
  return report;
}

TEST(Tally, LeavesOutWhatWasDueBeforeTheMeasurement) {
  Tally tally;
  tally.measure_from(start);
  tally.answered(start - 1ns, start + 5ms, 10, answer_of(202));
  EXPECT_EQ(tally.requests(), 0U);
  tally.answered(start, start + 5ms, 10, answer_of(202));
  EXPECT_EQ(tally.requests(), 1U);
  EXPECT_EQ(tally.events(), 10U);
}

TEST(Tally, IsCompleteUntilSomethingIsUnanswered) {
  for (const Loss loss : {Loss::cut, Loss::timed_out, Loss::malformed}) {
    Tally tally;
    tally.connect_failed();
    tally.lost(loss, 0);
    EXPECT_TRUE(tally.complete());
    tally.lost(loss, 1);
    EXPECT_FALSE(tally.complete());
    EXPECT_EQ(tally.losses(loss), 1U);
  }
  Tally tally;
  tally.never_sent(1);
  EXPECT_FALSE(tally.complete());
}

TEST(Tally, MergesEverything) {
  Tally sum = sample().tally;
  Tally other = sample().tally;
  other.answered(start, start + 4s, 1, answer_of(400));
  other.lost(Loss::cut, 3);
  other.never_sent(4);
  other.connect_failed();
  sum.merge(other);
  EXPECT_EQ(sum.requests(), 9U);
  EXPECT_EQ(sum.events(), 801U);
  EXPECT_EQ(sum.answers_with(202), 6U);
  EXPECT_EQ(sum.answers_with(400), 1U);
  EXPECT_EQ(sum.counts().accepted, 582U);
  EXPECT_EQ(sum.losses(Loss::cut), 3U);
  EXPECT_EQ(sum.never_sent(), 4U);
  EXPECT_EQ(sum.connects_failed(), 1U);
  EXPECT_EQ(sum.last_answer(), start + 4s);
  ASSERT_EQ(sum.events_by_slot().size(), 41U);
  EXPECT_EQ(sum.events_by_slot()[0], 200U);
  EXPECT_EQ(sum.events_by_slot()[40], 1U);
}

TEST(Report, JsonHasTheFigures) {
  const std::string json = to_json(sample());
  simdjson::dom::parser parser;
  const simdjson::dom::element document = parser.parse(json);
  EXPECT_EQ(std::string_view(document["target"]), "http://gateway:8080/v4/events/batch?a=1&b=2");
  EXPECT_EQ(std::uint64_t(document["requests"]), 4U);
  EXPECT_DOUBLE_EQ(double(document["requests_per_second"]), 2);
  EXPECT_DOUBLE_EQ(double(document["events_per_second"]), 200);
  EXPECT_NEAR(double(document["latency_seconds"]["p50"]), 0.002, 0.00002);
  EXPECT_DOUBLE_EQ(double(document["latency_seconds"]["max"]), 0.03);
  EXPECT_EQ(std::uint64_t(document["statuses"]["202"]), 3U);
  EXPECT_EQ(std::uint64_t(document["statuses"]["503"]), 1U);
  EXPECT_EQ(std::uint64_t(document["accepted"]), 291U);
  EXPECT_EQ(std::uint64_t(document["rejected"]), 6U);
  EXPECT_EQ(std::uint64_t(document["duplicates"]), 3U);
  EXPECT_EQ(std::uint64_t(document["lost"]["cut"]), 0U);
  EXPECT_EQ(std::uint64_t(document["events_by_second"].at(0)), 200U);
  EXPECT_EQ(std::uint64_t(document["events_by_second"].at(1)), 200U);
  EXPECT_DOUBLE_EQ(double(document["server"]["cpu_seconds_per_event"]), 0.0025);
}

TEST(Report, AnEmptyRunIsStillJson) {
  simdjson::dom::parser parser;
  const simdjson::dom::element document = parser.parse(to_json(Report{}));
  EXPECT_EQ(std::uint64_t(document["requests"]), 0U);
  EXPECT_DOUBLE_EQ(double(document["requests_per_second"]), 0);
  EXPECT_EQ(document["server"].error(), simdjson::NO_SUCH_FIELD);
}

TEST(Report, TextHasTheFigures) {
  const std::string text = to_text(sample());
  EXPECT_THAT(text, HasSubstr("requests  4 (2/s)"));
  EXPECT_THAT(text, HasSubstr("events    400 (200/s)"));
  EXPECT_THAT(text, HasSubstr("202: 3, 503: 1"));
  EXPECT_THAT(text, HasSubstr("accepted 291, rejected 6, duplicates 3"));
  EXPECT_THAT(text, HasSubstr("2.5e+03 us of CPU per event"));
}

TEST(Report, DurationsHaveTheUnitThatSuits) {
  EXPECT_EQ(to_text(0ns), "0 ns");
  EXPECT_EQ(to_text(999ns), "999 ns");
  EXPECT_EQ(to_text(412'345ns), "412 us");
  EXPECT_EQ(to_text(std::chrono::nanoseconds(2ms)), "2 ms");
  EXPECT_EQ(to_text(std::chrono::nanoseconds(1'500ms)), "1.5 s");
}

TEST(Chart, EscapesTheTargetAndClosesWhatItOpens) {
  for (const Report& report : {sample(), Report{}}) {
    const std::string svg = to_svg(report);
    EXPECT_THAT(svg, ::testing::StartsWith("<svg "));
    EXPECT_THAT(svg, ::testing::EndsWith("</svg>\n"));
    EXPECT_THAT(svg, ::testing::Not(HasSubstr("nan")));
    EXPECT_THAT(svg, ::testing::Not(HasSubstr("inf")));
  }
  EXPECT_THAT(to_svg(sample()), HasSubstr("a=1&amp;b=2"));
}

}  // namespace
}  // namespace sluice::load
