// Goal: a field that the API would ignore in silence is told by the name that was meant.
#include <gtest/gtest.h>

#include <sluice/event/field_hint.hpp>

namespace sluice {
namespace {

TEST(FieldHint, TellsTheNameThatWasMeant) {
  struct Case {
    const char* parent;
    const char* name;
    const char* meant;
  };
  for (const auto& [parent, name, meant] :
       {Case{"client", "custom_id", "customId"}, Case{"client", "customID", "customId"},
        Case{"client", "customid", "customId"}, Case{"client", "Custom-Id", "customId"},
        Case{"client", "customer_id", "customId"}, Case{"client", "Email", "email"},
        Case{"client", "e-mail", "email"}, Case{"client", "UUID", "uuid"},
        Case{"client", "clientId", "id"}, Case{"", "timestamp", "time"}, Case{"", "Time", "time"},
        Case{"", "event_salt", "eventSalt"}, Case{"", "properties", "params"}}) {
    EXPECT_EQ(hint_for(parent, name), meant) << parent << '.' << name;
  }
}

TEST(FieldHint, SaysNothingOfWhatIsRightOrUnknown) {
  for (const auto& [parent, name] :
       {std::pair("client", "customId"), std::pair("client", "email"), std::pair("client", ""),
        std::pair("client", "phone"), std::pair("client", "timestamp"), std::pair("", "custom_id"),
        std::pair("", "time"), std::pair("", "label"), std::pair("params", "timestamp"),
        std::pair("client", "a-name-that-is-longer-than-any-of-them")}) {
    EXPECT_EQ(hint_for(parent, name), "") << parent << '.' << name;
  }
}

}  // namespace
}  // namespace sluice
