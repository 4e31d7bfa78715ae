#include <array>

#include "fields.hpp"
#include "syntax.hpp"

namespace sluice::simulator {
namespace {

namespace dom = simdjson::dom;
using enum ErrorCode;

// What the backend calls the event that it makes of a transaction.
constexpr std::string_view charge_action = "transaction.charge";
constexpr std::array<std::string_view, 4> required_fields{"orderId", "revenue", "value", "source"};
constexpr std::array<std::string_view, 4> product_fields{"sku", "name", "quantity",
                                                         "finalUnitPrice"};
constexpr std::array<std::string_view, 4> product_prices{"finalUnitPrice", "regularPrice",
                                                         "discountPrice", "netUnitPrice"};

// The currency of a price that was checked before; empty: there is no price.
std::string_view currency_of(dom::object object, std::string_view price_name) {
  dom::object price;
  const Field field = field_of(object, price_name);
  return field && field->get(price) == simdjson::SUCCESS ? text_of(field_of(price, "currency"))
                                                         : std::string_view();
}

Verdict check_currency(dom::object object, std::string_view price_name, std::string_view currency) {
  const std::string_view found = currency_of(object, price_name);
  if (found.empty() || found == currency) {
    return {};
  }
  return within(price_name,
                within("currency", violation_of(invalid_value,
                                                "differs from the currency of the transaction")));
}

Verdict check_product(dom::element product, std::string_view currency) {
  dom::object object;
  if (product.get(object) != simdjson::SUCCESS) {
    return violation_of(wrong_type, "must be an object", product);
  }
  Verdict verdict = check_required(object, product_fields);
  if (!verdict) {
    verdict = check_optional_prices(object, {"regularPrice", "discountPrice", "netUnitPrice"});
  }
  for (const std::string_view name : product_prices) {
    if (!verdict) {
      verdict = check_currency(object, name, currency);
    }
  }
  return verdict;
}

Verdict check_products(const Field& field, std::string_view currency) {
  if (!field) {
    return violation_of(missing, "is required");
  }
  dom::array products;
  if (field->get(products) != simdjson::SUCCESS) {
    return violation_of(wrong_type, "must be an array", field);
  }
  if (products.size() == 0) {
    return violation_of(missing, "must not be empty");
  }
  std::size_t index = 0;
  for (const dom::element product : products) {
    Verdict verdict = check_product(product, currency);
    if (verdict) {
      return within("", index, std::move(verdict));
    }
    ++index;
  }
  return {};
}

Verdict check_payment(const Field& field) {
  if (!field) {
    return violation_of(missing, "is required");
  }
  dom::object payment;
  if (field->get(payment) != simdjson::SUCCESS) {
    return violation_of(wrong_type, "must be an object", field);
  }
  return within("method", check_text(field_of(payment, "method")));
}

// More than 0, or left out.
Verdict check_discount(dom::object transaction) {
  const Field field = field_of(transaction, "discountAmount");
  if (!field) {
    return {};
  }
  Verdict verdict = check_price(field);
  dom::object price;
  double amount = 0;
  if (!verdict && field->get(price) == simdjson::SUCCESS &&
      price["amount"].get(amount) == simdjson::SUCCESS && amount <= 0) {
    verdict = within("amount", violation_of(invalid_value, "must be more than 0, or left out"));
  }
  return verdict;
}

Verdict check_metadata(const Field& field) {
  return field && !field->is_object()
             ? Verdict(violation_of(wrong_type, "must be an object", field))
             : Verdict();
}

// Of a product, or of the transaction itself: what is there is of its kind.
Verdict check_kinds(dom::object object, std::initializer_list<std::string_view> texts,
                    std::initializer_list<std::string_view> prices) {
  Verdict verdict;
  for (const std::string_view name : texts) {
    verdict = verdict ? verdict : within(name, check_kind_of_text(field_of(object, name)));
  }
  for (const std::string_view name : prices) {
    verdict = verdict ? verdict : within(name, check_kind_of_price(field_of(object, name)));
  }
  return verdict;
}

Verdict check_kind_of_products(const Field& field) {
  dom::array products;
  if (!field) {
    return {};
  }
  if (field->get(products) != simdjson::SUCCESS) {
    return violation_of(wrong_type, "must be an array", field);
  }
  std::size_t index = 0;
  for (const dom::element product : products) {
    dom::object object;
    Verdict verdict;
    if (product.get(object) != simdjson::SUCCESS) {
      verdict = violation_of(wrong_type, "must be an object", product);
    } else {
      verdict = check_kinds(object, {"sku", "name"},
                            {"finalUnitPrice", "regularPrice", "discountPrice", "netUnitPrice"});
      verdict = verdict ? verdict
                        : within("quantity", check_kind_of_number(field_of(object, "quantity")));
    }
    if (verdict) {
      return within("", index, std::move(verdict));
    }
    ++index;
  }
  return {};
}

// The SDK's latest validator asks for `client` alone, and for the forms of what is there.
Verdict check_fields_that_are_there(dom::object transaction) {
  Verdict verdict =
      within("client", check_client(field_of(transaction, "client"), Validation::api));
  if (!verdict) {
    verdict =
        check_kinds(transaction, {"orderId", "source"}, {"revenue", "value", "discountAmount"});
  }
  if (!verdict) {
    verdict = within("products", check_kind_of_products(field_of(transaction, "products")));
  }
  for (const std::string_view name : {"paymentInfo", "metadata"}) {
    verdict = verdict ? verdict : within(name, check_metadata(field_of(transaction, name)));
  }
  if (!verdict) {
    verdict = within("recordedAt", check_time(field_of(transaction, "recordedAt")));
  }
  return verdict ? verdict : within("eventSalt", check_salt(field_of(transaction, "eventSalt")));
}

Verdict check_fields(dom::object transaction) {
  Verdict verdict =
      within("client", check_client(field_of(transaction, "client"), Validation::strict));
  if (!verdict) {
    verdict = check_required(transaction, required_fields);
  }
  const std::string_view currency = currency_of(transaction, "revenue");
  if (!verdict) {
    verdict = check_currency(transaction, "value", currency);
  }
  if (!verdict) {
    verdict = within("products", check_products(field_of(transaction, "products"), currency));
  }
  if (!verdict) {
    verdict = within("paymentInfo", check_payment(field_of(transaction, "paymentInfo")));
  }
  if (!verdict) {
    verdict = within("discountAmount", check_discount(transaction));
  }
  if (!verdict) {
    verdict = check_currency(transaction, "discountAmount", currency);
  }
  if (!verdict) {
    verdict = within("metadata", check_metadata(field_of(transaction, "metadata")));
  }
  if (!verdict) {
    verdict = within("recordedAt", check_time(field_of(transaction, "recordedAt")));
  }
  if (!verdict) {
    verdict = within("eventSalt", check_salt(field_of(transaction, "eventSalt")));
  }
  return verdict;
}

}  // namespace

std::expected<Arrival, Violation> check_transaction(dom::element transaction, Validation validation,
                                                    WallTime now) {
  dom::object object;
  if (transaction.get(object) != simdjson::SUCCESS) {
    return std::unexpected(violation_of(wrong_type, "must be an object", transaction));
  }
  Verdict verdict = check_structure(transaction, validation);
  if (!verdict) {
    verdict = validation == Validation::strict ? check_fields(object)
                                               : check_fields_that_are_there(object);
  }
  if (verdict) {
    return std::unexpected(std::move(*verdict));
  }
  return read_transaction(transaction, now);
}

Arrival read_transaction(dom::element transaction, WallTime now) {
  Arrival arrival{.time = now, .action = charge_action};
  dom::object object;
  if (transaction.get(object) != simdjson::SUCCESS) {
    return arrival;
  }
  arrival.salt = text_of(field_of(object, "eventSalt"));
  const std::optional<WallTime> time = parse_time(text_of(field_of(object, "recordedAt")));
  arrival.time_replaced = time && *time > now;
  arrival.time_is_own = time && !arrival.time_replaced;
  arrival.time = arrival.time_is_own ? *time : now;
  arrival.client = read_client(field_of(object, "client"));
  arrival.label = text_of(field_of(object, "orderId"));
  return arrival;
}

}  // namespace sluice::simulator
