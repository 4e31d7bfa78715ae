// Goal: a field that the API would ignore in silence is told by the name that was meant.
#include <gtest/gtest.h>

#include <sluice/event/field_hint.hpp>

namespace sluice {
namespace {

using enum FieldOf;

TEST(FieldHint, TellsTheNameThatWasMeant) {
  struct Case {
    FieldOf parent;
    const char* name;
    const char* meant;
  };
  for (const auto& [parent, name, meant] : {Case{client, "custom_id", "customId"},
                                            Case{client, "customID", "customId"},
                                            Case{client, "customid", "customId"},
                                            Case{client, "Custom-Id", "customId"},
                                            Case{client, "customer_id", "customId"},
                                            Case{client, "Email", "email"},
                                            Case{client, "e-mail", "email"},
                                            Case{client, "UUID", "uuid"},
                                            Case{client, "clientId", "id"},
                                            Case{event, "timestamp", "time"},
                                            Case{event, "Time", "time"},
                                            Case{event, "recordedAt", "time"},
                                            Case{event, "event_salt", "eventSalt"},
                                            Case{event, "properties", "params"},
                                            Case{transaction, "time", "recordedAt"},
                                            Case{transaction, "order_id", "orderId"},
                                            Case{transaction, "discount_amount", "discountAmount"},
                                            Case{transaction, "payment_info", "paymentInfo"},
                                            Case{transaction, "PaymentInfo", "paymentInfo"},
                                            Case{transaction, "Products", "products"},
                                            Case{product, "final_unit_price", "finalUnitPrice"},
                                            Case{product, "SKU", "sku"}}) {
    const FieldHint hint = hint_for(parent, name);
    EXPECT_EQ(hint.meant, meant) << name;
    EXPECT_NE(hint.message.find("did you mean `" + std::string(meant) + "`?"),
              std::string_view::npos);
  }
}

TEST(FieldHint, SaysNothingOfWhatIsRightOrUnknown) {
  for (const auto& [parent, name] :
       {std::pair(client, "customId"), std::pair(client, "email"), std::pair(client, ""),
        std::pair(client, "phone"), std::pair(client, "timestamp"), std::pair(event, "custom_id"),
        std::pair(event, "time"), std::pair(event, "label"), std::pair(transaction, "recordedAt"),
        std::pair(transaction, "value"), std::pair(transaction, "paymentInfo"),
        std::pair(product, "finalUnitPrice"), std::pair(product, "ean"),
        std::pair(client, "custom____________________________id"),
        std::pair(client, "a-name-that-is-longer-than-any-of-them")}) {
    EXPECT_EQ(hint_for(parent, name).meant, "") << name;
  }
}

}  // namespace
}  // namespace sluice
