// Goal: salts are well-formed UUIDs, generated ones never meet and derived ones never change.
#include "salt.hpp"

#include <array>
#include <set>
#include <string>

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

// A producer may retry after an upgrade: the derivation must stay as it is.
TEST(Salt, TheDerivationIsFrozen) {
  EXPECT_EQ(derived("order-1", 3), "5c0b7c7b-050d-8d1d-8d4c-2410ac7b0d93");
}

}  // namespace
}  // namespace sluice::normalise
