// Goal: what is decoded is what was encoded, and nothing else is decoded at all.
#include "codec.hpp"

#include <cstring>

#include "store_support.hpp"

namespace sluice::store {
namespace {

const FakeClock test_clock;

// A group with what a record can have, at random.
Group::Owner random_group(Rng& rng) {
  return numbered_group(rng.below(1'000'000), test_clock, rng.below(4'000), rng.below(2) == 0,
                        rng.below(2) == 0 ? some_trace : std::string_view());
}

std::string from_hex(std::string_view digits) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

TEST(Codec, AGroupComesOutAsItWentIn) {
  Rng rng(1);
  for (int round = 0; round < 500; ++round) {
    const Group::Owner group = random_group(rng);
    const Totals before{.events = rng(), .keys = rng(), .payload_bytes = rng()};
    const std::string key = make_key(Tag::group, static_cast<WorkspaceId>(rng()), rng());
    std::string value;
    encode_group(key, *group, before, value);
    const auto stored = decode_group(key, value);
    ASSERT_TRUE(stored);
    EXPECT_TRUE(same_content(*Group::make(stored->parts()), *group));
    EXPECT_EQ(stored->head.before, before);
    EXPECT_EQ(stored->head.own, totals_of(*group));
  }
}

// What was written once stays readable, whatever becomes of the code.
TEST(Codec, RecordsOfEveryFormatAreReadAsTheyWereWritten) {
  struct Case {
    std::string_view record;
    std::string_view traceparent;
    std::uint32_t event_size;
  };
  const std::vector<Case> cases{
      {"02000000010000007b68e5cf8b010000090000000000000008000000000000000700000000000000"
       "010300000000000000040000000000000002000000010000001d00000000efcdab89674523011d00"
       "00000107000000000000000100000000000000020000000000000061616161616161616161616161"
       "61616161616161616161616161616161616161616161616161616161616161616161616161616161"
       "6161616161bd9989dc9399c645",
       "", 29},
      {"02000000010000007b68e5cf8b010000090000000000000008000000000000000700000000000000"
       "0303000000000000000400000000000000020000000100000030302d346266393266333537376233"
       "34646136613363653932396430653065343733362d303066303637616130626139303262372d3031"
       "1d00000000efcdab89674523011d0000000107000000000000000100000000000000020000000000"
       "00006161616161616161616161616161616161616161616161616161616161616161616161616161"
       "616161616161616161616161616161616161616191dfab72cfa7b1d1",
       some_trace, 29},
      {"02000000010000007b68e5cf8b010000090000000000000008000000000000000700000000000000"
       "050300000000000000040000000000000002000000010000005802000000efcdab89674523015802"
       "0000010700000000000000010000000000000002000000000000001f610100ffffffff9b50616161"
       "6161808f3b0abdb0f033",
       "", 600},
  };
  const Totals before{.events = 9, .keys = 8, .payload_bytes = 7};
  const std::vector<DedupKey> keys{{.identity = 1, .content = 2}};
  const RememberedAnswer answer{
      .request = {.identity = 3, .content = 4}, .accepted = 2, .duplicates = 1};
  const std::string key = make_key(Tag::group, 1, 1);
  for (const Case& test : cases) {
    const std::vector<EventRecord> records{{.offset = 0,
                                            .size = test.event_size,
                                            .profile_hash = 0x0123456789ABCDEF,
                                            .kind = EventKind::event},
                                           {.offset = test.event_size,
                                            .size = test.event_size,
                                            .profile_hash = 7,
                                            .kind = EventKind::transaction}};
    const std::string bytes(2 * std::size_t{test.event_size}, 'a');
    const Group::Owner group = Group::make({.records = records,
                                            .bytes = bytes,
                                            .dedup_keys = keys,
                                            .answer = answer,
                                            .accepted_at = {},
                                            .accepted_wall = WallTime(1'700'000'000'123ms),
                                            .traceparent = test.traceparent});
    const std::string value = from_hex(test.record);
    const auto stored = decode_group(key, value);
    ASSERT_TRUE(stored);
    EXPECT_TRUE(same_content(*Group::make(stored->parts()), *group));
    EXPECT_EQ(stored->head.before, before);
  }
}

// A store of format 1 has no others, and an earlier version reads them.
TEST(Codec, ASmallGroupWithoutATraceparentIsOfFormat1) {
  constexpr std::size_t presence_at = 4 + 4 + 8 + 24;
  for (const bool with_answer : {false, true}) {
    const Group::Owner group = numbered_group(7, test_clock, 0, with_answer);
    std::string value;
    encode_group(make_key(Tag::group, 1, 1), *group, {}, value);
    EXPECT_EQ(value.at(presence_at), with_answer ? 1 : 0);
    EXPECT_EQ(value.size(), presence_at + 1 + (with_answer ? 24 : 0) +
                                13 * group->records().size() + 16 * group->dedup_keys().size() +
                                group->bytes().size() + 8);
  }
}

TEST(Codec, WhatRepeatsItselfIsStoredCompressed) {
  const std::string key = make_key(Tag::group, 1, 1);
  for (const std::size_t size : {1024UL, 5000UL, 100'000UL, 20'000'000UL}) {
    const std::string text = repetitive_text(size);
    std::string value;
    EXPECT_EQ(encode_group(key, *group_of(text), {}, value), format_version_compressed);
    EXPECT_LT(value.size(), size / 2);
    const auto stored = decode_group(key, value);
    ASSERT_TRUE(stored);
    EXPECT_TRUE(stored->bytes() == text);
    EXPECT_EQ(stored->head.own.payload_bytes, size);
  }
}

TEST(Codec, WhatCannotBeCompressedIsStoredAsItIs) {
  Rng rng(6);
  std::string noise(100'000, '\0');
  for (char& byte : noise) {
    byte = static_cast<char>(rng.below(256));
  }
  const std::string key = make_key(Tag::group, 1, 1);
  for (const std::string& text : {noise, repetitive_text(1023), std::string()}) {
    std::string value;
    EXPECT_EQ(encode_group(key, *group_of(text), {}, value), format_version_first);
    EXPECT_TRUE(value.find(text) != std::string::npos);
    const auto stored = decode_group(key, value);
    ASSERT_TRUE(stored);
    EXPECT_TRUE(stored->bytes() == text);
  }
}

// A checksum does not say that its writer was sane.
TEST(Codec, ABlockThatStandsForAnotherNumberOfBytesIsRefused) {
  constexpr std::size_t presence_at = 4 + 4 + 8 + 24;
  constexpr std::size_t size_at = presence_at + 1;
  const std::string key = make_key(Tag::group, 1, 1);
  std::string whole;
  encode_group(key, *group_of(repetitive_text(5000)), {}, whole);
  whole.resize(whole.size() - 8);
  const auto resealed = [&](std::string value) {
    seal(key, value);
    return decode_group(key, value).has_value();
  };
  ASSERT_TRUE(resealed(whole));
  EXPECT_FALSE(resealed(whole.substr(0, whole.size() - 1)));
  EXPECT_FALSE(resealed(whole + "x"));
  for (const std::uint32_t size : {0U, 1U, 4999U, 5001U, 2'000'000'000U, 0xFFFFFFFFU}) {
    std::string value = whole;
    std::memcpy(value.data() + size_at, &size, sizeof size);
    EXPECT_FALSE(resealed(value)) << size;
  }
}

TEST(Codec, FootprintsAreKnownFromTheTotals) {
  Rng rng(2);
  Totals totals;
  std::uint64_t bytes = 0;
  for (int count = 0; count < 100; ++count) {
    const Group::Owner group = random_group(rng);
    totals += totals_of(*group);
    bytes += group->footprint_bytes();
  }
  EXPECT_EQ(backlog_of(100, totals).bytes, bytes);
}

TEST(Codec, ARecordIsNothingElseThanItself) {
  Rng rng(3);
  for (int round = 0; round < 200; ++round) {
    const Group::Owner group = random_group(rng);
    const std::string key = make_key(Tag::group, 7, 42);
    std::string value;
    encode_group(key, *group, {}, value);
    EXPECT_FALSE(decode_group(make_key(Tag::group, 7, 43), value)) << "another ticket";
    EXPECT_FALSE(decode_group(make_key(Tag::group, 8, 42), value)) << "another workspace";
    EXPECT_FALSE(decode_group(key, std::string_view(value).substr(0, rng.below(value.size()))));
    std::string damaged = value;
    damaged[rng.below(damaged.size())] ^= static_cast<char>(1 << rng.below(8));
    EXPECT_FALSE(decode_group(key, damaged));
  }
}

TEST(Codec, SmallValuesComeOutAsTheyWentIn) {
  Rng rng(4);
  for (int round = 0; round < 200; ++round) {
    const Position position{.ticket = rng(),
                            .before = {.events = rng(), .keys = rng(), .payload_bytes = rng()}};
    const std::string low_key = make_key(Tag::low, 3);
    EXPECT_EQ(decode_position(low_key, encode_position(low_key, position)), position);
    EXPECT_FALSE(decode_position(make_key(Tag::low, 4), encode_position(low_key, position)));
    const std::string key = make_key(Tag::appended, 3);
    const auto appended =
        decode_appended(key, encode_appended(key, {.next = position, .name = "default"}));
    ASSERT_TRUE(appended);
    EXPECT_EQ(appended->next, position);
    EXPECT_EQ(appended->name, "default");
    const Group::Owner group = random_group(rng);
    const std::string keys_key = make_key(Tag::dedup, 3, 9);
    std::string value;
    encode_keys(keys_key, *group, value);
    const auto keys = decode_keys(keys_key, value);
    ASSERT_TRUE(keys);
    EXPECT_TRUE(std::ranges::equal(keys->keys, group->dedup_keys()));
    EXPECT_EQ(keys->answer, group->answer());
    EXPECT_EQ(keys->accepted_wall, group->accepted_wall());
  }
}

// The checksum is no secret: what has one and still makes no sense is refused as well.
TEST(Codec, NonsenseIsRefused) {
  Rng rng(5);
  const std::string key = make_key(Tag::group, 1, 1);
  for (int round = 0; round < 20'000; ++round) {
    std::string value(rng.below(80), '\0');
    for (char& byte : value) {
      byte = static_cast<char>(rng.below(4));
    }
    seal(key, value);
    if (const auto stored = decode_group(key, value)) {
      EXPECT_EQ(stored->records.size(), stored->head.events);
    }
    static_cast<void>(decode_keys(key, value));
    static_cast<void>(decode_appended(key, value));
    static_cast<void>(decode_position(key, value));
  }
}

// What a later format may say with a flag must not be taken for something of this one.
TEST(Codec, AFlagThatIsNotKnownIsRefusedAndNotMisread) {
  constexpr std::size_t checksum_bytes = 8;
  constexpr std::size_t answer_flag_of_group = 4 + 4 + 8 + 24;
  constexpr std::size_t answer_flag_of_keys = 8 + 4;
  constexpr std::size_t answer_bytes = 24;
  const std::string group_key = make_key(Tag::group, 1, 1);
  const std::string keys_key = make_key(Tag::dedup, 1, 1);
  for (const bool with_answer : {false, true}) {
    const Group::Owner group = numbered_group(7, test_clock, 0, with_answer);
    std::string stored_group;
    encode_group(group_key, *group, {}, stored_group);
    std::string stored_keys;
    encode_keys(keys_key, *group, stored_keys);
    const auto with_flag = [](const std::string& key, std::string value, std::size_t at, int flag) {
      value.resize(value.size() - checksum_bytes);
      value[at] = static_cast<char>(flag);
      seal(key, value);
      return value;
    };
    const std::size_t kind = answer_flag_of_group + 1 + (with_answer ? answer_bytes : 0) + 4;
    ASSERT_TRUE(decode_group(
        group_key, with_flag(group_key, stored_group, answer_flag_of_group, with_answer ? 1 : 0)));
    ASSERT_TRUE(decode_group(group_key, with_flag(group_key, stored_group, kind, 1)));
    ASSERT_TRUE(decode_keys(
        keys_key, with_flag(keys_key, stored_keys, answer_flag_of_keys, with_answer ? 1 : 0)));
    for (int flag = 2; flag < 256; ++flag) {
      EXPECT_FALSE(
          decode_group(group_key, with_flag(group_key, stored_group, answer_flag_of_group, flag)));
      EXPECT_FALSE(decode_group(group_key, with_flag(group_key, stored_group, kind, flag)));
      EXPECT_FALSE(
          decode_keys(keys_key, with_flag(keys_key, stored_keys, answer_flag_of_keys, flag)));
    }
  }
}

TEST(Codec, KeysSortByWorkspaceAndTicket) {
  EXPECT_LT(make_key(Tag::group, 1, 255), make_key(Tag::group, 1, 256));
  EXPECT_LT(make_key(Tag::group, 1, ticket_max), make_key(Tag::group, 2));
  EXPECT_LT(make_key(Tag::group, 2), make_key(Tag::group, 2, 0));
  EXPECT_LT(make_key(Tag::group, ~0U, ticket_max), key_above(Tag::group));
  EXPECT_EQ(workspace_of_key(make_key(Tag::group, 258, 7)), 258U);
  EXPECT_EQ(ticket_of_key(make_key(Tag::group, 258, 7)), 7U);
}

}  // namespace
}  // namespace sluice::store
