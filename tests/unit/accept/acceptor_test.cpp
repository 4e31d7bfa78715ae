// Goal: of a request, what came before is left out and the rest goes to the buffer, with room and
// keys of its own; whatever does not get there, or is not kept there, leaves nothing behind.
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sluice/accept/acceptor.hpp>
#include <sluice/accept/settlement.hpp>

namespace sluice::accept {
namespace {

using namespace std::chrono_literals;
using buffer::AckLevel;
using Reason = Refused::Reason;

constexpr MonoTime now{1h};
constexpr WallTime wall{1'714'564'800'000ms};

// Keeps what it takes until the test says what becomes of it.
class Shelf final : public buffer::Buffer {
 public:
  [[nodiscard]] AckLevel level() const override { return AckLevel::disk; }
  [[nodiscard]] bool append(std::size_t, Group::Owner group, AckLevel,
                            Acknowledge acknowledge) noexcept override {
    groups.push_back(std::move(group));
    waiting.push_back(std::move(acknowledge));
    return false;
  }
  [[nodiscard]] bool await_earlier(std::size_t, AckLevel, Acknowledge) noexcept override {
    ++awaited;
    return true;
  }
  void read(std::vector<Group::Owner>&, std::size_t) override {}
  void release(Group::Owner) override {}
  [[nodiscard]] bool try_sleep() override { return true; }
  [[nodiscard]] std::string trouble() const override { return {}; }

  std::vector<Group::Owner> groups;
  std::vector<Acknowledge> waiting;
  int awaited = 0;
};

struct Event {
  std::string_view json;
  std::optional<DedupKey> key;
};

class AcceptorTest : public testing::Test {
 protected:
  normalise::Normalised made(const std::vector<Event>& events) {
    normalise::Normalised made;
    for (const Event& event : events) {
      const auto offset = static_cast<std::uint32_t>(made.size());
      const std::string_view json = event.json;
      made.commit(std::ranges::copy(json, made.reserve(json.size())).out);
      made.records.push_back({.offset = offset,
                              .size = static_cast<std::uint32_t>(json.size()),
                              .profile_hash = 1,
                              .kind = EventKind::event});
      made.dedup_keys.push_back(event.key);
      made.indexes.push_back(static_cast<std::uint32_t>(made.indexes.size()));
    }
    return made;
  }
  Result<Offer, Refused> offer(const std::vector<Event>& given, std::optional<DedupKey> key = {}) {
    auto events = made(given);
    return acceptor.offer(intake, {.producer = 1, .key = key, .id = "r1", .received_at = wall},
                          events, now);
  }
  Result<Offer, Refused> offer_again(const std::vector<Event>& given) {
    withheld.clear();
    auto events = made(given);
    return acceptor.offer_again(intake, {.received_at = wall}, events, now, withheld);
  }
  // Offers and hands over; the number of events.
  std::uint32_t take(const std::vector<Event>& given, std::optional<DedupKey> key = {}) {
    auto taken = offer(given, key);
    EXPECT_TRUE(taken);
    const std::uint32_t events = taken->outcome().events;
    static_cast<void>(taken->hand_over(0, AckLevel::disk, [](const Result<void>&) {}));
    return events;
  }
  void keep() { settlement.kept(*shelf.groups.back()); }
  void lose() {
    settlement.refused(*shelf.groups.back());
    shelf.groups.pop_back();
  }

  static constexpr DedupKey first{.identity = 1, .content = 10};
  static constexpr DedupKey changed{.identity = 1, .content = 11};
  static constexpr DedupKey second{.identity = 2, .content = 20};
  static constexpr DedupKey request{.identity = 7, .content = 70};
  static constexpr DedupKey reused{.identity = 7, .content = 71};

  buffer::Admission admission{{.producers = 1}};
  buffer::DedupWindow window{{.window = 10min, .entries_max = 64'000}};
  Settlement settlement{window, admission};
  Shelf shelf;
  Intake intake{.admission = &admission, .buffer = &shelf, .dedup = &window};
  Acceptor acceptor;
  std::vector<Withheld> withheld;
};

TEST_F(AcceptorTest, HandsOverWhatIsNewWithRoomForIt) {
  EXPECT_EQ(take({{"1", first}, {"2", std::nullopt}}), 2U);
  ASSERT_EQ(shelf.groups.size(), 1U);
  EXPECT_EQ(shelf.groups.front()->bytes(), "12");
  EXPECT_EQ(shelf.groups.front()->producer(), 1U);
  EXPECT_EQ(admission.events(), 2U);
  EXPECT_EQ(admission.bytes(), shelf.groups.front()->footprint_bytes());
}

TEST_F(AcceptorTest, LeavesOutWhatCameBefore) {
  take({{"1", first}});
  keep();
  const auto again = offer({{"1", first}, {"2", second}, {"2", second}});
  ASSERT_TRUE(again);
  EXPECT_EQ(again->outcome().events, 1U);
  EXPECT_EQ(again->outcome().absorbed, 2U);
  EXPECT_EQ(again->outcome().duplicates, 2U);
}

TEST_F(AcceptorTest, WhatIsAllOfItRepeatedWaitsForWhatItRepeats) {
  take({{"1", first}});
  keep();
  EXPECT_EQ(take({{"1", first}}), 0U);
  EXPECT_EQ(shelf.awaited, 1);
  EXPECT_EQ(shelf.groups.size(), 1U);
}

TEST_F(AcceptorTest, AChangeIsTaken) {
  take({{"1", first}});
  keep();
  const auto change = offer({{"3", changed}});
  ASSERT_TRUE(change);
  EXPECT_EQ(change->outcome().events, 1U);
  EXPECT_EQ(change->outcome().changed, 1U);
}

TEST_F(AcceptorTest, WhatIsNotHandedOverLeavesNothingBehind) {
  {
    const auto dropped = offer({{"1", first}}, request);
    ASSERT_TRUE(dropped);
    EXPECT_EQ(admission.events(), 1U);
  }
  EXPECT_EQ(admission.events(), 0U);
  EXPECT_EQ(admission.bytes(), 0U);
  EXPECT_EQ(window.size(), 0U);
  EXPECT_EQ(take({{"1", first}}, request), 1U);
}

TEST_F(AcceptorTest, WhatIsNotKeptLeavesNothingBehind) {
  take({{"1", first}}, request);
  lose();
  EXPECT_EQ(admission.events(), 0U);
  EXPECT_EQ(admission.bytes(), 0U);
  EXPECT_EQ(window.size(), 0U);
}

TEST_F(AcceptorTest, WhatIsUnderWayIsNeitherRepeatedNorChanged) {
  take({{"1", first}}, request);
  for (const DedupKey key : {first, changed}) {
    const auto refused = offer({{"1", key}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason, Reason::event_pending);
  }
  const auto refused = offer({{"1", second}}, request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, Reason::request_pending);
}

TEST_F(AcceptorTest, ARefusalGivesUpWhatWasReservedBeforeIt) {
  take({{"1", first}});
  EXPECT_FALSE(offer({{"2", second}, {"1", first}}));
  EXPECT_EQ(take({{"2", second}}), 1U);
}

TEST_F(AcceptorTest, ARequestThatComesAgainIsAnsweredAsItWas) {
  take({{"1", first}, {"2", std::nullopt}}, request);
  keep();
  const auto again = offer({{"1", first}, {"2", std::nullopt}}, request);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->outcome().replayed);
  EXPECT_EQ(again->outcome().events, 0U);
  EXPECT_EQ(again->outcome().accepted, 2U);
  EXPECT_EQ(again->outcome().duplicates, 0U);
}

TEST_F(AcceptorTest, AKeyThatCameWithAnotherRequestIsRefused) {
  take({{"1", first}}, request);
  keep();
  const auto other = offer({{"2", second}}, reused);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().reason, Reason::key_reused);
  EXPECT_EQ(other.error().first->received_at, wall);
  EXPECT_EQ(other.error().first->id, "r1");
}

TEST_F(AcceptorTest, WithoutRoomAllOfItIsRefused) {
  admission.set_limits({.events_max = 2});
  take({{"1", first}});
  keep();
  const auto refused = offer({{"1", first}, {"2", second}, {"3", std::nullopt}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, Reason::full);
  EXPECT_EQ(refused.error().events, 3U) << "with the one that came before";
  EXPECT_EQ(admission.events(), 1U);
  EXPECT_EQ(window.size(), 1U);
}

TEST_F(AcceptorTest, WhatComesBackIsTakenThoughItIsKnown) {
  take({{"1", first}});
  keep();
  auto again = offer_again({{"1", first}});
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->hand_over(0, AckLevel::disk, [](const Result<void>&) {}));
  EXPECT_EQ(shelf.groups.size(), 2U);
  EXPECT_TRUE(withheld.empty());
  lose();
  EXPECT_EQ(admission.events(), 1U);
  EXPECT_EQ(window.size(), 1U) << "what is known stays known";
}

TEST_F(AcceptorTest, WhatComesBackReplacesNothingNewer) {
  take({{"1", first}});
  keep();
  take({{"3", changed}});
  EXPECT_EQ(offer_again({{"1", first}})->outcome().events, 0U);
  ASSERT_EQ(withheld.size(), 1U);
  EXPECT_FALSE(withheld.front().is_superseded) << "it is not known yet whether it is kept";
  keep();
  EXPECT_EQ(offer_again({{"2", second}, {"1", first}})->outcome().events, 1U);
  ASSERT_EQ(withheld.size(), 1U);
  EXPECT_TRUE(withheld.front().is_superseded);
  EXPECT_EQ(withheld.front().index, 1U);
}

}  // namespace
}  // namespace sluice::accept
