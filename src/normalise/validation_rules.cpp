#include <sluice/normalise/validation_rules.hpp>

namespace sluice::normalise {
namespace {

using enum Rule;
using enum RejectReason;

constexpr std::string_view goes_on = "goes on as it is";

constexpr std::array<RuleInfo, rule_count> rules{{
    {params_missing, "params_missing", field_missing,
     "an event whose type asks for `params` has none", "sent with `\"params\":{}`",
     "SDK's validators; optional by the OpenAPI models and the hub"},
    {empty_list, "empty_list", field_invalid,
     "`params`, `metadata` or `paymentInfo` is `[]`, as PHP writes an empty object", "sent as `{}`",
     "the vendor's PHP modules"},
    {param_missing, "param_missing", field_missing, "a param that its type asks for is missing",
     goes_on, "SDK's validators; the OpenAPI models ask for fewer, the modules send fewer"},
    {param_form, "param_form", field_invalid,
     "a param that its type asks for, or a further price of a cart, has another form", goes_on,
     "SDK's validators; `params` are free form by the API's documents"},
    {param_twice, "param_twice", duplicate_field, "a param that its type asks for occurs twice",
     "both go on", "assumed"},
    {source_unknown, "source_unknown", field_invalid,
     "`source` is none of the six, or in lower case", goes_on,
     "SDK's validators; whether the API compares is not said"},
    {number_as_string, "number_as_string", field_invalid,
     "a number in a string: `quantity`, `amount`, `lat`, `lon`, `companyId`, `position`", goes_on,
     "OpenAPI models; older SDKs and shops send strings"},
    {string_as_number, "string_as_number", field_invalid,
     "a number where a string belongs: `orderId`, `sku`, `name`, `item`, `label`, `eventSalt` "
     "and "
     "the like",
     "written as a string, its digits untouched", "OpenAPI models; shops send numbers"},
    {custom_id_as_number, "custom_id_as_number", identifier_invalid, "`customId` is a number",
     "written as a string, its digits untouched", "OpenAPI models; WooCommerce module"},
    {id_as_string, "id_as_string", identifier_invalid, "`id` is an integer in a string",
     "written as a number", "OpenAPI models"},
    {amount_negative, "amount_negative", field_invalid, "an amount is below 0", goes_on,
     "SDK's documents; the Magento module sends negative discounts"},
    {price_incomplete, "price_incomplete", field_missing,
     "a price is without `amount` or `currency`", goes_on, "SDK's validators"},
    {currency_differs, "currency_differs", field_invalid,
     "the amounts of a transaction have several currencies", goes_on, "SDK's documents"},
    {transaction_field_missing, "transaction_field_missing", field_missing,
     "a transaction is without `orderId`, `products`, `revenue`, `value`, `source`, `paymentInfo` "
     "or its `method`",
     goes_on, "older models; SDK 1.0.0 asks for `client` alone, the modules leave some out"},
    {product_field_missing, "product_field_missing", field_missing,
     "a product is without `sku`, `name`, `quantity` or `finalUnitPrice`", goes_on, "SDK's models"},
    {products_empty, "products_empty", field_invalid, "`products` is empty", goes_on, "assumed"},
    {text_blank, "text_blank", field_invalid, "a text that is asked for is blank", goes_on,
     "SDK's validators"},
    {time_without_zone, "time_without_zone", time_invalid, "a time has no zone",
     "read in the workspace's `time_zone`",
     "SDK's validator of events; that of transactions takes it"},
    {time_three_digit_seconds, "time_three_digit_seconds", time_invalid,
     "a time ends in `:000` for its seconds, as one of the vendor's examples does",
     "read as second 0", "SDK's comments, against its validators"},
    {uuid_form, "uuid_form", identifier_invalid, "`uuid` is not 8-4-4-4-12 hexadecimal digits",
     goes_on, "SDK's validator; the API's documents forbid some characters only"},
    {email_form, "email_form", identifier_invalid,
     "`email` has an `@`, but not the usual form local@domain.tld", goes_on, "SDK's validator"},
    {email_differs, "email_differs", email_mismatch, "`params.email` is not `client.email`",
     goes_on, "API's documents; what becomes of it is not said"},
    {action_of_type, "action_of_type", action_invalid,
     "an event other than `custom` has an `action` that is not its type's", "left out",
     "API's documents: the backend sets it"},
    {type_of_path, "type_of_path", field_invalid, "`type` contradicts the path", "the path counts",
     "assumed"},
    {type_deprecated, "type_deprecated", type_unknown,
     "the type is one that older clients send: `recommendation-seen`, `recommendation-click`, "
     "`completed-transaction`",
     goes_on, "older SDKs, the Magento module's client"},
    {salt_empty, "salt_empty", field_invalid, "`eventSalt` is empty", "counts as absent",
     "assumed"},
    {salt_long, "salt_long", field_invalid, "`eventSalt` is longer than 256 bytes", goes_on,
     "assumed: no source has a limit"},
    {field_misnamed, "field_misnamed", field_invalid,
     "a field that the API does not know looks like one that it knows: `custom_id`, `customID`, "
     "`timestamp`, `discount_amount`",
     "goes on as it is, and says nothing to the API", "SDK's models"},
}};

constexpr bool indexed_by_enumerator() {
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (static_cast<std::size_t>(rules[i].rule) != i) {
      return false;
    }
  }
  return true;
}
static_assert(indexed_by_enumerator());

constexpr std::array<FixedRule, fixed_rule_count> fixed{{
    {not_an_object, "an event is no JSON object", "all"},
    {field_missing, "an event of a batch has no `type`", "SDK's models, a captured request"},
    {type_unknown, "`type` is none of the types below", "all"},
    {field_missing, "a custom event has no `action`", "all"},
    {action_invalid, "`action` is not 1 to 32 of `a-z A-Z 0-9 . - _`", "API's documents"},
    {action_not_allowed, "`action` is not in the workspace's `actions`", "the configuration"},
    {transaction_as_event, "a custom event has the action `transaction.charge`",
     "API's documents: it creates no purchases"},
    {client_missing, "no profile identifier, or blank ones only", "all"},
    {field_invalid, "`client` is no object", "all"},
    {identifier_invalid,
     "an identifier holds a line break, NUL, U+2028, U+2029, U+00AD, U+FE00 to U+FE0F, or a "
     "character beyond the basic plane such as an emoji",
     "API's documents"},
    {identifier_invalid, "`id` is no integer of 64 bits", "all"},
    {identifier_invalid, "`email` is without an `@` between two other characters",
     "API's documents"},
    {identifier_invalid, "`customId` is no string or number, `email` or `uuid` no string", "all"},
    {time_invalid, "a time is no time, or outside the years 1970 to 9999", "all"},
    {field_invalid, "`eventSalt` is no string or number", "assumed"},
    {field_invalid, "`label` is no string or number", "all"},
    {field_invalid, "`params`, `metadata` or `paymentInfo` is no object", "all"},
    {field_invalid,
     "a field of a transaction or product is of another kind of JSON than any model "
     "of it, such as a price that is no object",
     "all"},
    {duplicate_field,
     "a field at the top of an event or transaction, or an identifier, occurs twice",
     "assumed: two readers would read two events"},
    {field_invalid, "the name of a known field is written with escapes", "assumed: likewise"},
    {string_invalid, "a string holds a lone surrogate, or bytes that are not UTF-8",
     "RFC 8259, 8.2: its meaning is undefined"},
    {too_deep, "nested deeper than 64 levels, the event itself being the first", "assumed"},
    {too_many_keys, "more keys than `limits.max_event_keys`, at all depths", "the configuration"},
    {string_too_long, "a key or a string value longer than `limits.max_string_bytes`",
     "the configuration"},
    {event_too_large, "larger than `ingest.max_event_bytes`", "the configuration"},
}};

}  // namespace

const std::array<RuleInfo, rule_count>& validation_rules() { return rules; }
const std::array<FixedRule, fixed_rule_count>& fixed_rules() { return fixed; }

}  // namespace sluice::normalise
