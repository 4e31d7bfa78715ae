// What is asked of an event, rule by rule: what each level of validation does where an event breaks
// it, and who says so. The one table: the passes look up what they refuse or tell by it, and
// docs/validation.md is checked against it.
//
// The sources are named as in api_limits.hpp; further: [O] the vendor's OpenAPI models, [H]
// hub.synerise.com, [M], [W], [Y] the vendor's modules for Magento, WooCommerce and Sylius.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <sluice/normalise/reject_reason.hpp>

namespace sluice::normalise {

// Rules about which the public sources disagree, or that only the vendor's SDK makes: `strict`
// refuses the event, `api` lets it go on and tells. `rule` in warnings and in
// sluice_events_warned_total.
enum class Rule : std::uint8_t {
  params_missing,
  empty_list,
  param_missing,
  param_form,
  param_twice,
  source_unknown,
  number_as_string,
  string_as_number,
  custom_id_as_number,
  id_as_string,
  amount_negative,
  price_incomplete,
  currency_differs,
  transaction_field_missing,
  product_field_missing,
  products_empty,
  text_blank,
  time_without_zone,
  time_three_digit_seconds,
  uuid_form,
  email_form,
  email_differs,
  action_of_type,
  type_of_path,
  type_deprecated,
  salt_empty,
  salt_long,
  field_misnamed,
};
inline constexpr std::size_t rule_count = 28;

struct RuleInfo {
  Rule rule;
  std::string_view name;
  RejectReason reason;      // with which `strict` refuses it
  std::string_view breach;  // what the event has
  std::string_view api;     // what `api` does with it
  std::string_view source;
};

// All rules of this kind, indexed by the enumerator.
[[nodiscard]] const std::array<RuleInfo, rule_count>& validation_rules();
[[nodiscard]] inline const RuleInfo& info(Rule rule) {
  return validation_rules()[static_cast<std::size_t>(rule)];
}

// Rules that every level refuses an event by: what cannot be delivered, or what no reading of any
// source lets pass.
struct FixedRule {
  RejectReason reason;
  std::string_view breach;
  std::string_view source;
};
inline constexpr std::size_t fixed_rule_count = 25;
[[nodiscard]] const std::array<FixedRule, fixed_rule_count>& fixed_rules();

}  // namespace sluice::normalise
