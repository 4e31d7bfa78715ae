// Goal: what a permission check says is read as the vendor writes it, and nothing else is taken for
// one.
#include <vector>

#include <gtest/gtest.h>

#include <sluice/deliver/permissions.hpp>

namespace sluice::deliver {
namespace {

TEST(Permissions, AreAskedForAsAnArray) {
  EXPECT_EQ(permission_question({}), "[]");
  const std::vector<std::string> names{"A_B", "C\"D"};
  EXPECT_EQ(permission_question(names), R"(["A_B","C\"D"])");
}

TEST(Permissions, AreReadFromTheAnswer) {
  const auto read = parse_permissions(
      R"({"businessProfileName":"Shop","permissions":{"A":true,"B":false,"C":"true","D":null}})");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->business_profile, "Shop");
  EXPECT_EQ(read->granted,
            (decltype(read->granted){{"A", true}, {"B", false}, {"C", false}, {"D", false}}));
  ASSERT_TRUE(parse_permissions(R"({"permissions":{}})"));
  for (const char* body : {"", "null", "[]", "{}", R"({"permissions":[]})", "<html>", "{\"perm"}) {
    EXPECT_FALSE(parse_permissions(body)) << body;
  }
}

}  // namespace
}  // namespace sluice::deliver
