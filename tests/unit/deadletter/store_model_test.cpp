// Goal: over any sequence of appends, removals, restarts and crashes the store holds what a plain
// list of the letters would hold, and counts it.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sluice/base/log.hpp>
#include <sluice/base/rng.hpp>

#include "letters.hpp"
#include "temporary_directory.hpp"

namespace sluice::deadletter {
namespace {

constexpr std::uint64_t bytes_max = 40'000;

class Model {
 public:
  explicit Model(std::uint64_t seed) : rng_(seed) { reopen(); }

  void step() {
    switch (rng_.below(10)) {
      case 0:
        return remove(random_ids());
      case 1:
        return remove(random_filter());
      case 2:
        return restart();
      default:
        return append();
    }
  }

  void check() {
    Query query{.selection = random_filter(), .letters_max = 1 + rng_.below(30)};
    std::vector<std::string> expected = fitting(query.selection);
    if (rng_.below(2) == 0) {
      query.order = Order::newest_first;
      std::ranges::reverse(expected);
    }
    ASSERT_EQ(events_of(read_all(*store_, query)), expected);
    ASSERT_EQ(store_->letters(), letters_.size());
    ASSERT_EQ(store_->size_bytes(), bytes_on_disk());
    ASSERT_EQ(store_->unreadable_lines(), 0U);
  }

 private:
  struct Known {
    LetterId id;
    Letter letter;
  };

  void reopen() {
    store_.reset();
    auto store = open_store(
        {.folder = directory_ / "letters", .bytes_max = bytes_max, .segment_bytes_max = 3'000});
    ASSERT_TRUE(store) << store.error().message;
    store_ = std::move(*store);
  }

  void append() {
    std::vector<Letter> batch;
    for (std::uint64_t n = 1 + rng_.below(20); n > 0; --n) {
      seconds_ += static_cast<int>(rng_.below(3)) - (rng_.below(20) == 0 ? 10 : 0);
      batch.push_back(letter("{\"n\":" + std::to_string(++made_) + ",\"text\":\"" +
                                 std::string(rng_.below(200), 'x') + "\"}",
                             seconds_, rng_.below(3) == 0 ? "a" : "b",
                             rng_.below(4) == 0 ? "too_large" : "rejected"));
    }
    const LetterId before = store_->last_id();
    const auto appended = store_->append(batch);
    if (!appended) {
      ASSERT_EQ(appended.error().code, std::errc::no_space_on_device);
      ASSERT_GT(store_->size_bytes(), bytes_max / 2);
      return;
    }
    const auto stored = read_all(*store_, {.after = before});
    ASSERT_EQ(stored.size(), batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      letters_.push_back({.id = stored[i].id, .letter = batch[i]});
    }
  }

  void remove(const Selection& selection) {
    const LetterId last = rng_.below(2) == 0 || letters_.empty()
                              ? no_limit
                              : letters_[rng_.below(letters_.size())].id;
    const auto removed = store_->remove(selection, 0, last);
    ASSERT_TRUE(removed) << removed.error().message;
    const auto gone = std::erase_if(
        letters_, [&](const Known& known) { return known.id <= last && fits(known, selection); });
    ASSERT_EQ(removed->letters, gone);
  }

  // With what a crash may leave behind.
  void restart() {
    store_.reset();
    const auto segments = std::filesystem::directory_iterator(directory_ / "letters");
    std::string newest;
    for (const auto& entry : segments) {
      newest = std::max(newest, entry.path().string());
    }
    if (newest.ends_with(".jsonl")) {
      std::ofstream(newest, std::ios::app) << std::string("{\"id\":\"0123").substr(rng_.below(9));
      std::ofstream(newest + ".new") << "a draft";
    }
    reopen();
  }

  static bool fits(const Known& known, const Selection& selection) {
    if (const auto* ids = std::get_if<std::set<LetterId>>(&selection)) {
      return ids->contains(known.id);
    }
    const auto& filter = std::get<Filter>(selection);
    return (filter.workspace.empty() || known.letter.workspace == filter.workspace) &&
           (filter.reason.empty() || known.letter.reason == filter.reason) &&
           (!filter.since || known.letter.last_attempt_at >= *filter.since) &&
           known.letter.event.find(filter.contains) != std::string::npos;
  }
  [[nodiscard]] std::vector<std::string> fitting(const Selection& selection) const {
    std::vector<std::string> events;
    for (const Known& known : letters_) {
      if (fits(known, selection)) {
        events.push_back(known.letter.event);
      }
    }
    return events;
  }
  Filter random_filter() {
    Filter filter;
    filter.workspace = rng_.below(2) == 0 ? "a" : "";
    filter.reason = rng_.below(3) == 0 ? "too_large" : "";
    filter.contains = rng_.below(3) == 0 ? "7" : "";
    if (rng_.below(2) == 0) {
      filter.since = letter("", seconds_ - static_cast<int>(rng_.below(100))).last_attempt_at;
    }
    return filter;
  }
  std::set<LetterId> random_ids() {
    std::set<LetterId> ids{12'345};
    for (const Known& known : letters_) {
      if (rng_.below(3) == 0) {
        ids.insert(known.id);
      }
    }
    return ids;
  }
  [[nodiscard]] std::uint64_t bytes_on_disk() const {
    std::uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory_ / "letters")) {
      bytes += entry.file_size();
    }
    return bytes;
  }

  Rng rng_;
  test::TemporaryDirectory directory_;
  std::unique_ptr<Store> store_;
  std::vector<Known> letters_;
  int seconds_ = 1'000;
  std::uint64_t made_ = 0;
};

TEST(StoreModel, HoldsWhatAListWouldHold) {
  log::configure(log::Level::off, log::Format::human);
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Model model(seed);
    for (int i = 0; i < 80 && !testing::Test::HasFatalFailure(); ++i) {
      model.step();
      model.check();
    }
    ASSERT_FALSE(testing::Test::HasFatalFailure());
  }
}

}  // namespace
}  // namespace sluice::deadletter
