// The part of the pass that is about transactions. Source of the rules: the models of Synerise's
// WooCommerce and Magento modules, and the doc comments of Synerise/php-sdk v0.5.1.
#include <sluice/event/api_limits.hpp>

#include "event_pass.hpp"
#include "name_table.hpp"

namespace sluice::normalise {
namespace {

enum Field : unsigned {
  client,
  order_id,
  product_list,
  revenue,
  value,
  payment,
  source,
  discount_amount,
  meta,
  recorded_at,
  event_salt,
};
constexpr NameTable fields(std::array<std::string_view, 11>{
    "client", "orderId", "products", "revenue", "value", "paymentInfo", "source", "discountAmount",
    "metadata", "recordedAt", "eventSalt"});

enum ProductField : unsigned { sku, name, quantity, final_unit_price, other_price };
constexpr NameTable product_fields(std::array<std::string_view, 7>{
    "sku", "name", "quantity", "finalUnitPrice", "regularPrice", "discountPrice", "netUnitPrice"});

constexpr NameTable payment_fields(std::array<std::string_view, 1>{"method"});
constexpr NameTable metadata_fields(std::array<std::string_view, 1>{"originalTime"});

constexpr std::uint32_t bit(unsigned field) { return 1U << field; }

}  // namespace

void EventPass::transaction() {
  *out_++ = '{';
  walker_.each_member([this](Text key_text) { transaction_member(key_text); });
  if (walker_.error == WalkError::none) {
    finish_transaction();
  }
}

void EventPass::transaction_member(Text key_text) {
  if (walker_.skip_null()) {
    return;
  }
  const int found = find_field(fields, key_text);
  if (found == decltype(fields)::not_found) {
    unknown_member(FieldOf::transaction, key_text);
    key(key_text);
    out_ = walker_.copy_value(out_, 1);
    return;
  }
  const auto field = static_cast<Field>(found);
  const std::string_view field_name = fields.name(found);
  if (!first_time(field, field_name)) {
    return;
  }
  switch (field) {
    case client:
      client_member();
      return;
    case recorded_at:
      time_member(field_name);
      return;
    case event_salt:
      salt_member();
      return;
    case discount_amount:
      discount();
      return;
    case payment:
      payment_info();
      return;
    case meta:
      metadata();
      return;
    default:
      break;
  }
  key(field_name);
  switch (field) {
    case order_id:
      text_value({.root = field_name});
      return;
    case product_list:
      products();
      return;
    case source:
      one_of({.root = field_name}, event_sources(), Rule::source_unknown, one_of_sources);
      return;
    default:
      money({.root = field_name}, 2);
      return;
  }
}

void EventPass::products() {
  if (walker_.peek() != '[') {
    refuse_value(RejectReason::field_invalid, {.root = "products"}, "must be an array of products");
    return;
  }
  *out_++ = '[';
  std::size_t position = 0;
  walker_.each_item([&] { product(position++); });
  *out_++ = ']';
  if (position == 0) {
    goes_on(Rule::products_empty, {.root = "products"}, "is empty: a transaction has at least one");
  }
}

// A product's identity upstream is its position, so none is ever left out or moved.
void EventPass::product(std::size_t position) {
  FieldPath field{.root = "products", .position = position};
  if (walker_.peek() != '{') {
    refuse_value(RejectReason::field_invalid, field, "must be an object");
    return;
  }
  out_ = comma(out_);
  *out_++ = '{';
  std::uint32_t given = 0;
  walker_.each_member([&](Text key_text) {
    if (walker_.skip_null()) {
      return;
    }
    if (const int found = find_field(product_fields, key_text); found >= 0) {
      given |= bit(static_cast<unsigned>(found));
    }
    product_member(field, key_text);
  });
  *out_++ = '}';
  if (walker_.error != WalkError::none) {
    return;
  }
  for (const ProductField required : {sku, name, quantity, final_unit_price}) {
    if ((given & bit(required)) == 0) {
      field.name = product_fields.name(static_cast<int>(required));
      goes_on(Rule::product_field_missing, field, "a product carries it");
    }
  }
}

void EventPass::product_member(FieldPath field, Text key_text) {
  key(key_text);
  const int found = product_fields.find(key_text.raw);
  if (found < 0) {
    unknown_product_member(field, key_text);
    out_ = walker_.copy_value(out_, 3);
    return;
  }
  field.name = product_fields.name(found);
  switch (static_cast<ProductField>(found)) {
    case sku:
    case name:
      text_value(field);
      return;
    case quantity:
      number_value(field);
      return;
    default:
      money(field, 4);
      return;
  }
}

void EventPass::payment_info() {
  const std::string_view field_name = fields.name(payment);
  if (walker_.peek() != '{') {
    if (!empty_list(field_name)) {
      refuse_value(RejectReason::field_invalid, {.root = field_name}, "must be an object {method}");
    }
    return;
  }
  key(field_name);
  bool has_method = false;
  *out_++ = '{';
  walker_.each_member([&](Text key_text) {
    if (walker_.skip_null()) {
      return;
    }
    key(key_text);
    if (is_same(key_text.raw, "method")) {
      has_method = true;
      text_value({.root = field_name, .name = "method"});
    } else {
      if (key_text.escaped) {
        find_field(payment_fields, key_text);
      }
      out_ = walker_.copy_value(out_, 2);
    }
  });
  *out_++ = '}';
  if (!has_method && walker_.error == WalkError::none) {
    goes_on(Rule::transaction_field_missing, {.root = field_name, .name = "method"},
            "must be there");
  }
}

// The API takes a discount above 0 or none at all, so one of 0 is left out.
void EventPass::discount() {
  char* const before = out_;
  const std::string_view currency_before = currency_;  // that of the discount goes with it
  key("discountAmount");
  if (!money({.root = "discountAmount"}, 2) && !rejected_) {
    out_ = before;
    currency_ = currency_before;
  }
}

void EventPass::metadata() {
  if (walker_.peek() != '{') {
    if (!empty_list("metadata")) {
      refuse_value(RejectReason::field_invalid, {.root = "metadata"}, "must be an object");
    }
    free_form_end_ = out_ - 1;
    return;
  }
  key("metadata");
  *out_++ = '{';
  walker_.each_member([this](Text key_text) {
    if (walker_.skip_null()) {
      return;
    }
    has_original_time_ |= find_field(metadata_fields, key_text) >= 0;
    key(key_text);
    out_ = walker_.copy_value(out_, 2);
  });
  free_form_end_ = out_;
  *out_++ = '}';
}

void EventPass::finish_transaction() {
  if (identities_ == 0 && !rejected_) {
    reject(RejectReason::client_missing, {.root = "client"}, [this] { return no_identifier(); });
  }
  for (const Field required : {order_id, product_list, revenue, value, payment, source}) {
    if ((seen_ & bit(required)) == 0) {
      goes_on(Rule::transaction_field_missing, {.root = fields.name(static_cast<int>(required))},
              "a transaction carries it");
    }
  }
  if (rejected_) {
    return;
  }
  action_ = "transaction.charge";
  finish("recordedAt");
}

}  // namespace sluice::normalise
