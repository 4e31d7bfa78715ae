// Goal: salts are well-formed UUIDs, generated ones never meet and derived ones never change.
#include "salt.hpp"

#include <array>
#include <set>
#include <string>
#include <unordered_set>

#include <gtest/gtest.h>

#include "identifiers.hpp"

namespace sluice::normalise {
namespace {

std::string derived(std::string_view key, std::uint32_t position) {
  std::string out(salt_length, '\0');
  EXPECT_EQ(write_derived_salt(out.data(), key, position), out.data() + out.size());
  return out;
}

TEST(Salt, RandomOnesAreUniqueVersion7AndSortByTime) {
  Rng rng(7);
  std::set<std::string> seen;
  std::string previous;
  for (int i = 0; i < 10'000; ++i) {
    std::string out(salt_length, '\0');
    write_random_salt(out.data(), WallTime(std::chrono::milliseconds(1'700'000'000'000 + i)), rng);
    EXPECT_TRUE(is_uuid(out));
    EXPECT_EQ(out[14], '7');
    EXPECT_NE(std::string("89ab").find(out[19]), std::string::npos);
    EXPECT_LT(previous.substr(0, 13), out.substr(0, 13));
    previous = out;
    EXPECT_TRUE(seen.insert(out).second);
  }
}

TEST(Salt, DerivedOnesDependOnKeyAndPositionOnly) {
  EXPECT_EQ(derived("order-1", 0), derived("order-1", 0));
  EXPECT_NE(derived("order-1", 0), derived("order-1", 1));
  EXPECT_NE(derived("order-1", 0), derived("order-2", 0));
  EXPECT_TRUE(is_uuid(derived("order-1", 0)));
  EXPECT_EQ(derived("order-1", 0)[14], '8');
}

// Producers number their requests: an event whose salt was another's would be taken for that one
// and never be delivered.
TEST(Salt, DerivedOnesOfNumberedKeysNeverMeet) {
  for (std::size_t length = 4; length <= 24; ++length) {
    for (std::size_t digits_at = 0; digits_at + 4 <= length; digits_at += 2) {
      std::unordered_set<std::string> seen;
      for (int number = 1'000; number < 1'100; ++number) {
        std::string key(length, 'k');
        key.replace(digits_at, 4, std::to_string(number));
        for (std::uint32_t position = 0; position < 20; ++position) {
          ASSERT_TRUE(seen.insert(derived(key, position)).second) << key << " " << position;
        }
      }
    }
  }
}

// A producer may retry after an upgrade: the derivation must stay as it is.
TEST(Salt, TheDerivationIsFrozen) {
  EXPECT_EQ(derived("order-1", 3), "5a8a4096-13f9-8ad0-a282-83892cea76e1");
}

}  // namespace
}  // namespace sluice::normalise
