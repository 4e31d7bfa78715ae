// Goal: the table of kinds says what other parts of the product rely on. That each row stands where
// its enumerator says is checked where it is compiled.
#include <gtest/gtest.h>

#include <sluice/event/kind.hpp>

namespace sluice {
namespace {

TEST(Kinds, HaveTheNamesThatDocumentsAndStoresUse) {
  ASSERT_EQ(kinds().size(), 2U);
  EXPECT_EQ(info(EventKind::event).name, "event");
  EXPECT_EQ(info(EventKind::event).path, "/v4/events/batch");
  EXPECT_EQ(info(EventKind::transaction).name, "transaction");
  EXPECT_EQ(info(EventKind::transaction).path, "/v4/transactions/batch");
}

TEST(Kinds, AreFoundByTheirNames) {
  for (const KindInfo& row : kinds()) {
    EXPECT_EQ(kind_from_name(row.name), row.kind);
  }
  EXPECT_EQ(kind_from_name("made-up"), std::nullopt);
  EXPECT_EQ(kind_from_name(""), std::nullopt);
}

// Events of the first versions are stored with these numbers.
TEST(Kinds, KeepTheirNumbers) {
  EXPECT_EQ(static_cast<int>(EventKind::event), 0);
  EXPECT_EQ(static_cast<int>(EventKind::transaction), 1);
}

}  // namespace
}  // namespace sluice
