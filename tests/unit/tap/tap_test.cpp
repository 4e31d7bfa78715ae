// Goal: a tap shows what was asked for and no more, hides the values unless told otherwise, and
// never holds more than it may.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sluice/tap/text.hpp>

namespace sluice::tap {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr MonoTime start{1h};
constexpr Origin accepted{.outcome = Outcome::accepted, .workspace = "w", .source = "s"};
constexpr Origin rejected{.outcome = Outcome::rejected, .workspace = "w", .source = ""};

Sample numbered(std::size_t index) { return {.event = std::to_string(index)}; }

std::vector<std::string> events_of(const Taps::Taken& taken) {
  std::vector<std::string> events;
  for (const Sample& sample : taken.samples) {
    events.push_back(sample.event);
  }
  return events;
}

TEST(Taps, ShowWhatWasAskedFor) {
  Taps taps;
  EXPECT_FALSE(taps.any());
  const auto all = taps.open({});
  const auto only_accepted = taps.open({.rejected = false});
  const auto of_source = taps.open({.source = "s"});
  const auto of_workspace = taps.open({.workspace = "other"});
  EXPECT_TRUE(taps.any());
  taps.offer(accepted, 1, start, numbered);
  taps.offer(rejected, 2, start, numbered);
  EXPECT_THAT(events_of(all->take()), ElementsAre("0", "0", "1"));
  EXPECT_THAT(events_of(only_accepted->take()), ElementsAre("0"));
  EXPECT_THAT(events_of(of_source->take()), ElementsAre("0"));
  EXPECT_THAT(events_of(of_workspace->take()), ElementsAre());
  EXPECT_THAT(events_of(all->take()), ElementsAre()) << "taken";
}

TEST(Taps, AreFewAndEndWithTheirReader) {
  Taps taps;
  std::vector<std::unique_ptr<Taps::Reader>> readers;
  for (std::size_t i = 0; i < taps_max; ++i) {
    readers.push_back(taps.open({}));
    ASSERT_NE(readers.back(), nullptr);
  }
  EXPECT_EQ(taps.open({}), nullptr);
  EXPECT_TRUE(taps.any());
  readers.pop_back();
  EXPECT_NE(taps.open({}), nullptr);
  readers.clear();
  EXPECT_FALSE(taps.any());
}

TEST(Taps, ChooseSoManyPerSecond) {
  Taps taps;
  const auto reader = taps.open({.per_second_max = 5});
  taps.offer(accepted, 100, start, numbered);
  EXPECT_EQ(reader->take().samples.size(), 5U) << "a second's worth at once";
  taps.offer(accepted, 100, start + 400ms, numbered);
  EXPECT_EQ(reader->take().samples.size(), 2U);
  taps.offer(accepted, 100, start + 1h, numbered);
  const Taps::Taken taken = reader->take();
  EXPECT_EQ(taken.samples.size(), 5U);
  EXPECT_EQ(taken.dropped, 0U) << "what is not chosen is not dropped";
}

TEST(Taps, ChooseAShare) {
  Taps taps;
  const auto reader = taps.open({.share = 0.1});
  taps.offer(accepted, 2'000, start, numbered);
  EXPECT_GT(reader->take().samples.size(), 100U);
  const auto nothing = taps.open({.share = 0});
  taps.offer(accepted, 2'000, start, numbered);
  EXPECT_EQ(nothing->take().samples.size(), 0U);
}

TEST(Taps, DropAndCountWhatASlowReaderDoesNotTake) {
  Taps taps;
  const auto reader = taps.open({});
  taps.offer(accepted, samples_max + 7, start, numbered);
  Taps::Taken taken = reader->take();
  EXPECT_EQ(taken.samples.size(), samples_max);
  EXPECT_EQ(taken.dropped, 7U);
  const std::string large(sample_bytes_max / 4, 'x');
  taps.offer(accepted, 10, start, [&](std::size_t) { return Sample{.event = large}; });
  taken = reader->take();
  EXPECT_EQ(taken.samples.size(), 4U);
  EXPECT_EQ(taken.dropped, 6U);
  EXPECT_EQ(reader->take().dropped, 0U);
}

TEST(TapText, ReadsRates) {
  const auto read = [](std::string_view text) {
    Wish wish;
    return read_rate(text, wish) ? wish : Wish{.share = -1};
  };
  EXPECT_EQ(read("20/s"), Wish{.per_second_max = 20});
  EXPECT_EQ(read("0.5/s"), Wish{.per_second_max = 0.5});
  EXPECT_EQ(read("1%"), Wish{.share = 0.01});
  for (const char* text :
       {"", "20", "/s", "0/s", "-1/s", "nan/s", "inf/s", "1001/s", "101%", "1%%", " 1%"}) {
    EXPECT_EQ(read(text).share, -1) << text;
  }
}

const Sample sample{
    .outcome = Outcome::rejected,
    .at = WallTime(1'714'564'800'000ms),
    .workspace = "w",
    .path = "/v4/events/batch",
    .mistakes = {{.index = 3,
                  .code = 1006,
                  .reason = "client_missing",
                  .field = "client",
                  .message = "no client"},
                 {.index = 3,
                  .code = 1009,
                  .reason = "action_invalid",
                  .field = "action",
                  .message = "`secret` is none",
                  .quotes_values = true}},
    .event =
        "{ \"type\" :\"custom\",\n\"action\": \"secret\", \"client\": {\"customId\": 12345},"
        "\"params\": {\"n\": 1.50, \"list\": [\"\", true, null, -1e3], \"x\\\"\": \"\\u00e9\"}}"};

TEST(TapText, ShowsKeysAndTypesOnly) {
  EXPECT_EQ(
      to_line(sample, true),
      R"({"outcome":"rejected","at":"2024-05-01T12:00:00.000Z","workspace":"w",)"
      R"("source":null,"path":"/v4/events/batch","producer":null,"request_id":null,)"
      R"("traceparent":null,"errors":[{"index":3,"code":1006,"reason":"client_missing","field":"client",)"
      R"("message":"no client"},{"index":3,"code":1009,"reason":"action_invalid","field":"action",)"
      R"("message":null}],"event":{"type":"string","action":"string","client":)"
      R"({"customId":"number"},"params":{"n":"number","list":["string",true,null,"number"],)"
      R"("x\"":"string"}}})"
      "\n");
}

TEST(TapText, ShowsWhatKindOfEventAnAcceptedOneIs) {
  Sample canonical = sample;
  canonical.outcome = Outcome::accepted;
  canonical.event = R"({"type":"custom","action":"order.line","params":{"action":"a","type":"b"}})";
  EXPECT_THAT(to_line(canonical, true),
              HasSubstr(R"("event":{"type":"custom","action":"order.line",)"
                        R"("params":{"action":"string","type":"string"}})"));
  EXPECT_THAT(to_line(canonical, true), Not(HasSubstr("errors")));
}

TEST(TapText, ShowsWhatIsDoubtfulAboutAnAcceptedOne) {
  Sample doubtful = sample;
  doubtful.outcome = Outcome::accepted;
  doubtful.event = R"({"type":"custom"})";
  EXPECT_THAT(to_line(doubtful, true), Not(HasSubstr("warnings")));
  doubtful.doubts = {
      {.index = 3, .rule = "string_as_number", .field = "label", .message = "must be a string"},
      {.index = 3, .rule = "params_missing", .message = "carry it"}};
  for (const bool masked : {true, false}) {
    EXPECT_THAT(to_line(doubtful, masked),
                HasSubstr(R"(,"warnings":[{"index":3,"rule":"string_as_number","field":"label",)"
                          R"("message":"must be a string"},{"index":3,"rule":"params_missing",)"
                          R"("field":null,"message":"carry it"}],"event":{)"));
  }
}

TEST(TapText, ShowsEverythingOnOneLineWhenItIsNotMasked) {
  EXPECT_THAT(to_line(sample, false),
              HasSubstr(R"("message":"`secret` is none"}],"event":{"type":"custom",)"
                        R"("action":"secret","client":{"customId":12345},"params":{"n":1.50,)"
                        R"("list":["",true,null,-1e3],"x\"":"é"}}})"
                        "\n"));
}

TEST(TapText, ShowsNoEventWhereThereIsNone) {
  for (const char* text : {"", "[]", "17", "{\"a\":", "{\"a\":01}", "{\"a\":tru}", "{\"a\" 1}"}) {
    Sample broken = sample;
    broken.event = text;
    EXPECT_THAT(to_line(broken, false), testing::EndsWith(",\"event\":null}\n")) << text;
  }
}

TEST(TapText, FindsTheEventsOfABody) {
  const auto find = [](std::string body, bool lines) {
    const std::size_t size = body.size();
    body.resize(size + 64);
    std::vector<std::string> events;
    for (const std::string_view event :
         find_events(std::string_view(body).substr(0, size), lines)) {
      events.emplace_back(event);
    }
    return events;
  };
  EXPECT_THAT(find("[{\"a\":1}, 5,\n{\"b\":[{}]} ]", false),
              ElementsAre("{\"a\":1}", "", "{\"b\":[{}]}"));
  EXPECT_THAT(find(" {\"a\":1}\n", false), ElementsAre("{\"a\":1}"));
  EXPECT_THAT(find("{\"a\":1}\r\n\n x \n{}", true), ElementsAre("{\"a\":1}", "x", "{}"));
  EXPECT_THAT(find("[", false), ElementsAre());
}

}  // namespace
}  // namespace sluice::tap
