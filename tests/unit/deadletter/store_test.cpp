// Goal: a dead letter that was stored is there after a restart, whole, and a half-written one is
// not.
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sluice/base/log.hpp>
#include <sluice/deadletter/store.hpp>

#include "temporary_directory.hpp"

namespace sluice::deadletter {
namespace {

using testing::HasSubstr;

Letter letter(const std::string& event) {
  return {.workspace = "w",
          .kind = "event",
          .reason = "rejected",
          .status = 400,
          .answer = "bad \"sku\"",
          .attempts = 3,
          .first_attempt_at = WallTime(std::chrono::milliseconds(1'714'564'800'000)),
          .last_attempt_at = WallTime(std::chrono::milliseconds(1'714'564'801'000)),
          .event = event};
}

class StoreTest : public testing::Test {
 protected:
  StoreTest() { log::configure(log::Level::off, log::Format::human); }
  [[nodiscard]] std::string text() const {
    std::ifstream file(directory_ / "sub/dead-letters.jsonl");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  test::TemporaryDirectory directory_;
};

TEST_F(StoreTest, WritesOneLinePerLetterAndAppendsAfterARestart) {
  {
    auto store = open_store(directory_ / "sub", 10'000);
    ASSERT_TRUE(store) << store.error().message;
    ASSERT_TRUE((*store)->append(std::vector{letter(R"({"n":1})"), letter(R"({"n":2})")}));
  }
  auto store = open_store(directory_ / "sub", 10'000);
  ASSERT_TRUE((*store)->append(std::vector{letter(R"({"n":3})")}));
  EXPECT_EQ(std::ranges::count(text(), '\n'), 3);
  EXPECT_EQ((*store)->size_bytes(), text().size());
  EXPECT_THAT(
      text(),
      HasSubstr(
          R"("workspace":"w","kind":"event","reason":"rejected","status":400,"answer":"bad \"sku\"",)"
          R"("attempts":3,"first_attempt_at":"2024-05-01T12:00:00.000Z",)"
          R"("last_attempt_at":"2024-05-01T12:00:01.000Z","event":{"n":1}})"));
}

TEST_F(StoreTest, CutsOffAHalfWrittenLine) {
  ASSERT_TRUE((*open_store(directory_ / "sub", 10'000))->append(std::vector{letter("{}")}));
  const std::string whole = text();
  std::ofstream(directory_ / "sub/dead-letters.jsonl", std::ios::app) << R"({"id":"half)";
  auto store = open_store(directory_ / "sub", 10'000);
  ASSERT_TRUE(store);
  EXPECT_EQ(text(), whole);
}

TEST_F(StoreTest, RefusesWhatDoesNotFitAndKeepsTheRest) {
  auto store = open_store(directory_ / "sub", 400);
  ASSERT_TRUE((*store)->append(std::vector{letter("{}")}));
  const std::string before = text();
  const auto refused = (*store)->append(std::vector{letter("{}"), letter("{}")});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, std::errc::no_space_on_device);
  EXPECT_EQ(text(), before) << "all or nothing";
}

TEST_F(StoreTest, SaysWhenTheFolderCannotBeHad) {
  std::ofstream(directory_ / "file") << "x";
  const auto store = open_store(directory_ / "file", 400);
  ASSERT_FALSE(store);
  EXPECT_THAT(store.error().message, HasSubstr("dead_letter.path"));
}

}  // namespace
}  // namespace sluice::deadletter
