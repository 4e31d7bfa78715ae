// Goal: a dead letter that was stored is there after a restart, whole, until it is removed; what
// went wrong with a file costs nothing but what it went wrong with.
#include <cerrno>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/base/log.hpp>

#include "letters.hpp"
#include "temporary_directory.hpp"

namespace {

// A disk that fails in the moment in which a name in a folder is to last.
bool folder_sync_fails = false;

}  // namespace

// Stands before the C library's.
extern "C" int fsync(int file) {
  struct stat status{};
  if (folder_sync_fails && ::fstat(file, &status) == 0 && S_ISDIR(status.st_mode)) {
    errno = EIO;
    return -1;
  }
  return ::fdatasync(file);
}

namespace sluice::deadletter {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class StoreTest : public testing::Test {
 protected:
  StoreTest() { log::configure(log::Level::off, log::Format::human); }

  [[nodiscard]] std::unique_ptr<Store> open(std::uint64_t bytes_max = 1'000'000,
                                            std::size_t segment_bytes_max = 1'000'000) const {
    auto store = open_store({.folder = directory_ / "sub",
                             .bytes_max = bytes_max,
                             .segment_bytes_max = segment_bytes_max});
    if (!store) {
      throw std::runtime_error(store.error().message);
    }
    return std::move(*store);
  }
  [[nodiscard]] std::string file(int number = 1) const {
    return directory_ / ("sub/dead-letters-0000000" + std::to_string(number) + ".jsonl");
  }
  [[nodiscard]] std::string text(int number = 1) const {
    std::ifstream stream(file(number));
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void write_behind(const std::string& bytes, int number = 1) const {
    std::ofstream(file(number), std::ios::app) << bytes;
  }

  test::TemporaryDirectory directory_;
};

TEST_F(StoreTest, WritesOneLinePerLetterAndAppendsAfterARestart) {
  ASSERT_TRUE(open()->append(std::vector{letter(R"({"n":1})"), letter(R"({"n":2})")}));
  auto store = open();
  ASSERT_TRUE(store->append(std::vector{letter(R"({"n":3})")}));
  EXPECT_EQ(std::ranges::count(text(), '\n'), 3);
  EXPECT_EQ(store->size_bytes(), text().size());
  EXPECT_EQ(store->letters(), 3);
  EXPECT_THAT(
      text(),
      HasSubstr(
          R"("workspace":"w","kind":"event","reason":"rejected","status":400,"answer":"bad \"sku\"",)"
          R"("attempts":3,"first_attempt_at":"2024-05-01T12:00:00.000Z",)"
          R"("last_attempt_at":"2024-05-01T12:00:01.000Z","event":{"n":1}})"));
}

TEST_F(StoreTest, ReadsBackWhatWasAppended) {
  auto store = open();
  const std::string event =
      R"({"big":12345678901234567890123,"text":"\u00e9 é","list":[1.50,null]})";
  ASSERT_TRUE(store->append(std::vector{letter(event)}));
  const auto letters = read_all(*store);
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].event, event);
  EXPECT_EQ(letters[0].line + "\n", text());
  EXPECT_EQ(letters[0].answer, "bad \"sku\"");
  EXPECT_EQ(letters[0].attempts, 3U);
  EXPECT_EQ(letters[0].last_attempt_at, letter("").last_attempt_at);
  EXPECT_EQ(parse_letter(letters[0].line)->id, letters[0].id);
}

TEST_F(StoreTest, IdsGrowWhateverTheClockDoes) {
  std::vector<LetterId> ids;
  for (const int second : {100, 50, 50, 0, 200}) {
    auto store = open();
    ASSERT_TRUE(store->append(std::vector{letter("{}", second)}));
    ids.push_back(store->last_id());
  }
  EXPECT_TRUE(std::ranges::is_sorted(ids, std::less_equal<>())) << "no two are the same";
  const LetterId expected = LetterId{1'714'565'001'000} << 16;
  EXPECT_EQ(ids.back(), expected) << "and tell the time when they can";
  EXPECT_EQ(parse_letter_id(to_text(ids.back())), ids.back());
  for (const char* none : {"", "1", "0000000000000000", "018f3440d1a8000x", "018f3440d1a80000 "}) {
    EXPECT_FALSE(parse_letter_id(none)) << none;
  }
}

TEST_F(StoreTest, FiltersAndPages) {
  auto store = open(1'000'000, 500);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(store->append(
        std::vector{letter("{\"n\":" + std::to_string(i) + "}", i, i % 2 == 0 ? "even" : "odd",
                           i < 5 ? "rejected" : "too_large")}));
  }
  const auto with = [&](Filter filter, Order order = Order::oldest_first) {
    return events_of(
        read_all(*store, {.selection = std::move(filter), .order = order, .letters_max = 2}));
  };
  EXPECT_THAT(with({.workspace = "odd", .reason = "too_large"}),
              ElementsAre("{\"n\":5}", "{\"n\":7}", "{\"n\":9}"));
  EXPECT_THAT(with({.workspace = "odd", .reason = "too_large"}, Order::newest_first),
              ElementsAre("{\"n\":9}", "{\"n\":7}", "{\"n\":5}"));
  EXPECT_THAT(
      with({.since = letter("", 3).last_attempt_at, .until = letter("", 5).last_attempt_at}),
      ElementsAre("{\"n\":3}", "{\"n\":4}"));
  EXPECT_THAT(with({.contains = "\"n\":8"}), ElementsAre("{\"n\":8}"));
  EXPECT_THAT(with({.workspace = "none"}), IsEmpty());
  EXPECT_EQ(with({}).size(), 10U);

  const auto all = read_all(*store);
  const std::set<LetterId> ids{all[2].id, all[7].id, all[9].id + 1};
  EXPECT_THAT(events_of(read_all(*store, {.selection = ids})),
              ElementsAre("{\"n\":2}", "{\"n\":7}"));
  EXPECT_EQ(read_all(*store, {.after = all[6].id, .last = all[8].id}).size(), 2U);
}

TEST_F(StoreTest, BeginsNewSegmentsAndReadsWithoutTheLock) {
  auto store = open(1'000'000, 300);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(store->append(std::vector{letter("{}", i)}));
  }
  EXPECT_FALSE(text(2).empty());
  EXPECT_TRUE(text(3).empty());
  const auto page = read_letters(directory_ / "sub", {});
  ASSERT_TRUE(page);
  EXPECT_EQ(page->letters.size(), 4U);
  EXPECT_TRUE(read_letters(directory_ / "none", {})->letters.empty());
}

TEST_F(StoreTest, OnlyOneMayWrite) {
  const auto store = open();
  const auto second = open_store(directory_ / "sub", 1'000);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, std::errc::device_or_resource_busy);
  EXPECT_THAT(second.error().message, HasSubstr("in use by another process"));
}

TEST_F(StoreTest, CutsOffAHalfWrittenLine) {
  ASSERT_TRUE(open()->append(std::vector{letter("{}")}));
  const std::string whole = text();
  write_behind(R"({"id":"half)");
  EXPECT_EQ(read_letters(directory_ / "sub", {})->letters.size(), 1U) << "not seen before either";
  const auto store = open();
  EXPECT_EQ(text(), whole);
  EXPECT_EQ(store->size_bytes(), whole.size());
}

TEST_F(StoreTest, LinesThatAreNoLettersAreSkippedKeptAndCounted) {
  ASSERT_TRUE(open()->append(std::vector{letter(R"({"n":1})")}));
  const std::string good = text().substr(0, text().size() - 1);
  const std::string bad_event = std::string(good).replace(good.find("{\"n\":1}"), 7, "{\"n\":01}");
  const std::string bad_id = std::string(good).replace(good.find("{\"id\":\"") + 7, 1, "x");
  const std::vector<std::string> bad{"",
                                     "junk",
                                     "\xff\xfe",
                                     "[]",
                                     "{}",
                                     std::string(10, '\0'),
                                     good + good,
                                     good + "}",
                                     bad_event,
                                     bad_id,
                                     good.substr(0, good.size() - 1),
                                     std::string(2'000, '[')};
  for (const std::string& line : bad) {
    write_behind(line + "\n");
  }
  const std::string before = text();
  auto store = open();
  ASSERT_TRUE(store->append(std::vector{letter(R"({"n":2})")}));
  EXPECT_EQ(store->unreadable_lines(), bad.size());
  EXPECT_EQ(store->letters(), 2U);
  EXPECT_EQ(store->read({})->unreadable_lines, bad.size());
  EXPECT_THAT(events_of(read_all(*store)), ElementsAre("{\"n\":1}", "{\"n\":2}"));
  const auto removed = store->remove(Filter{}, 0, no_limit);
  ASSERT_TRUE(removed);
  EXPECT_EQ(removed->letters, 2U);
  EXPECT_EQ(text(), before.substr(good.size() + 1));
  EXPECT_EQ(store->size_bytes(), text().size());
}

TEST_F(StoreTest, RemovesOnlyWhatIsSelectedAndUnlinksEmptySegments) {
  auto store = open(1'000'000, 300);
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(store->append(std::vector{letter("{\"n\":" + std::to_string(i) + "}", i)}));
  }
  const std::string last_segment = text(3);
  const auto all = read_all(*store);
  const auto removed =
      store->remove(std::set<LetterId>{all[0].id, all[1].id, all[2].id}, 0, no_limit);
  ASSERT_TRUE(removed);
  EXPECT_EQ(removed->letters, 3U);
  EXPECT_FALSE(removed->next);
  EXPECT_FALSE(std::filesystem::exists(file(1)));
  EXPECT_THAT(text(2), Not(HasSubstr("\"n\":2")));
  EXPECT_EQ(text(3), last_segment) << "not touched";
  EXPECT_EQ(store->letters(), 3U);
  EXPECT_EQ(store->size_bytes(), text(2).size() + text(3).size());
  EXPECT_EQ(store->remove(Filter{}, all[4].id, all[5].id)->letters, 1U);
  ASSERT_TRUE(store->append(std::vector{letter("{\"n\":6}", 6)}));
  EXPECT_THAT(events_of(read_all(*store)), ElementsAre("{\"n\":3}", "{\"n\":4}", "{\"n\":6}"));
  store.reset();
  EXPECT_EQ(open()->letters(), 3U);
}

TEST_F(StoreTest, StoresInTheFileThatIsThereAfterARemovalThatMayNotLast) {
  for (const bool all : {false, true}) {
    SCOPED_TRACE(all ? "the newest file is removed" : "the newest file is rewritten");
    auto store = open();
    ASSERT_TRUE(store->append(std::vector{letter("{\"n\":1}"), letter("{\"n\":2}")}));
    const LetterId first = read_all(*store).front().id;
    folder_sync_fails = true;
    EXPECT_FALSE(store->remove(Filter{}, 0, all ? no_limit : first)) << "it may not last";
    EXPECT_FALSE(store->append(std::vector{letter("{\"n\":3}")})) << "neither may this";
    folder_sync_fails = false;
    EXPECT_EQ(store->letters(), all ? 0U : 1U);
    ASSERT_TRUE(store->append(std::vector{letter("{\"n\":4}")}));
    const auto expected = all ? std::vector<std::string>{"{\"n\":4}"}
                              : std::vector<std::string>{"{\"n\":2}", "{\"n\":4}"};
    EXPECT_EQ(events_of(read_all(*store)), expected);
    EXPECT_EQ(store->letters(), expected.size());
    EXPECT_EQ(store->size_bytes(), text(1).size() + text(2).size());
    store.reset();
    store = open();
    EXPECT_EQ(events_of(read_all(*store)), expected) << "after a restart";
    ASSERT_TRUE(store->remove(Filter{}, 0, no_limit));
  }
}

TEST_F(StoreTest, RefusesWhatDoesNotFitUntilThereIsRoom) {
  auto store = open(400);
  ASSERT_TRUE(store->append(std::vector{letter("{}")}));
  const std::string before = text();
  const std::vector two{letter("{}"), letter("{}")};
  const auto refused = store->append(two);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, std::errc::no_space_on_device);
  EXPECT_THAT(refused.error().message, HasSubstr("dead_letter.max_bytes"));
  EXPECT_EQ(text(), before) << "all or nothing";
  ASSERT_TRUE(store->remove(Filter{}, 0, no_limit));
  EXPECT_EQ(store->size_bytes(), 0U);
  EXPECT_TRUE(store->append(two)) << "an empty store takes whatever comes";
}

TEST_F(StoreTest, RemovesTheDraftOfARewriteThatACrashInterrupted) {
  ASSERT_TRUE(open()->append(std::vector{letter("{}")}));
  std::ofstream(file() + ".new") << "half of a rew";
  const auto store = open();
  EXPECT_EQ(store->letters(), 1U);
  EXPECT_FALSE(std::filesystem::exists(file() + ".new"));
}

TEST_F(StoreTest, TakesOverTheFileOfAnEarlierVersion) {
  open().reset();
  const std::string line =
      R"({"id":"5577006791947779410","workspace":"w","kind":"event","reason":"rejected","status":400,)"
      R"("answer":"","attempts":1,"first_attempt_at":"2024-05-01T12:00:00.000Z",)"
      R"("last_attempt_at":"2024-05-01T12:00:00.000Z","event":{"n":)";
  const std::string earlier = directory_ / "sub/dead-letters.jsonl";
  std::ofstream(earlier) << line << "1}}\n" << line << "2}}\nnot a letter\n" << line << "cut off";
  auto store = open();
  EXPECT_FALSE(std::filesystem::exists(earlier));
  EXPECT_THAT(events_of(read_all(*store)), ElementsAre("{\"n\":1}", "{\"n\":2}"));
  EXPECT_EQ(store->unreadable_lines(), 1U);
  EXPECT_EQ(store->size_bytes(), text().size());
  ASSERT_TRUE(store->append(std::vector{letter("{\"n\":3}")}));
  store.reset();
  EXPECT_EQ(open()->letters(), 3U);
}

TEST_F(StoreTest, SaysWhenTheFolderCannotBeHad) {
  std::ofstream(directory_ / "file") << "x";
  const auto store = open_store(directory_ / "file", 400);
  ASSERT_FALSE(store);
  EXPECT_THAT(store.error().message, HasSubstr("dead_letter.path"));
}

}  // namespace
}  // namespace sluice::deadletter
