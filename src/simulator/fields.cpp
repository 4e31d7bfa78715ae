#include "fields.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include <sluice/base/assert.hpp>
#include <sluice/event/api_limits.hpp>

#include "syntax.hpp"

namespace sluice::simulator {
namespace {

namespace dom = simdjson::dom;
using enum ErrorCode;

Verdict violation(ErrorCode code, std::string message, const Field& value = {}) {
  return violation_of(code, std::move(message), value);
}

Verdict check_object(dom::object object, Validation validation, std::size_t depth);

Verdict check_value(dom::element element, Validation validation, std::size_t depth) {
  switch (element.type()) {
    case dom::element_type::NULL_VALUE:
      return violation(null_value, "null is not allowed: omit the field", element);
    case dom::element_type::OBJECT:
      return check_object(dom::object(element), validation, depth + 1);
    case dom::element_type::ARRAY: {
      if (depth == api::nesting_depth_max) {
        return violation(too_deep, "nested too deeply");
      }
      std::size_t index = 0;
      for (const dom::element item : dom::array(element)) {
        Verdict verdict = check_value(item, validation, depth + 1);
        if (verdict) {
          return within("", index, std::move(verdict));
        }
        ++index;
      }
      return {};
    }
    default:
      return {};
  }
}

bool has_earlier(dom::object object, std::size_t index) {
  auto field = object.begin();
  for (std::size_t i = 0; i < index; ++i) {
    ++field;
  }
  const std::string_view key = field.key();
  auto earlier = object.begin();
  for (std::size_t i = 0; i < index; ++i, ++earlier) {
    if (earlier.key_equals(key)) {
      return true;
    }
  }
  return false;
}

Verdict check_object(dom::object object, Validation validation, std::size_t depth) {
  if (depth > api::nesting_depth_max) {
    return violation(too_deep, "nested too deeply");
  }
  // A key is compared with the earlier ones only if its bit was set before: keys mostly differ in
  // it.
  std::uint64_t seen = 0;
  std::size_t index = 0;
  for (const auto [key, value] : object) {
    const std::size_t mix =
        key.empty() ? 0
                    : key.size() * 7 + std::size_t{5} * static_cast<unsigned char>(key.front()) +
                          static_cast<unsigned char>(key.back());
    const std::uint64_t bit = std::uint64_t{1} << (mix % 64);
    if (validation == Validation::strict && (seen & bit) != 0 && has_earlier(object, index)) {
      return within(key, violation(duplicate_key, "the key appears twice", value));
    }
    seen |= bit;
    ++index;
    Verdict verdict = check_value(value, validation, depth);
    if (verdict) {
      return within(key, std::move(verdict));
    }
  }
  return {};
}

Verdict check_number(const Field& field) {
  if (!field) {
    return violation(missing, "is required");
  }
  return field->is_number() ? Verdict() : violation(wrong_type, "must be a number", field);
}

Verdict check_position(const Field& field) {
  if (!field) {
    return violation(missing, "is required");
  }
  std::int64_t value = 0;
  if (field->get(value) != simdjson::SUCCESS) {
    return violation(wrong_type, "must be an integer", field);
  }
  return value >= 1 ? Verdict() : violation(invalid_value, "must be at least 1", field);
}

Verdict check_one_of(const Field& field, std::span<const std::string_view> values) {
  Verdict verdict = check_text(field);
  if (!verdict && std::ranges::find(values, text_of(field)) == values.end()) {
    verdict = violation(invalid_value, "is not one of the permitted values", field);
  }
  return verdict;
}

Verdict check_source(const Field& field) { return check_one_of(field, event_sources()); }

Verdict check_search_type(const Field& field) {
  static constexpr std::array<std::string_view, 2> values{"full-text-search", "autocomplete"};
  return check_one_of(field, values);
}

// The form of each required field: a name means the same wherever it is required [V, W, M].
struct Form {
  std::string_view name;
  Verdict (*check)(const Field&);
};
constexpr std::array<Form, 17> forms{{
    {"source", check_source},
    {"sku", check_text},
    {"name", check_text},
    {"quantity", check_number},
    {"finalUnitPrice", check_price},
    {"lat", check_number},
    {"lon", check_number},
    {"applicationName", check_text},
    {"version", check_text},
    {"companyId", check_number},
    {"orderId", check_text},
    {"correlationId", check_text},
    {"item", check_text},
    {"position", check_position},
    {"searchType", check_search_type},
    {"revenue", check_price},
    {"value", check_price},
}};

Verdict check_identifier(dom::element element) {
  if (!element.is_string()) {
    return violation(wrong_type, "must be a string", element);
  }
  const std::string_view text = text_of(element);
  if (text.empty()) {
    return violation(invalid_value, "must not be empty", element);
  }
  if (has_forbidden_character(text)) {
    return violation(invalid_value, "contains a forbidden character", element);
  }
  if (has_surrounding_space(text)) {
    return violation(invalid_value, "is surrounded by white space", element);
  }
  return {};
}

Verdict check_identifier(std::string_view name, dom::element value, Validation validation) {
  Verdict verdict = check_identifier(value);
  const bool strict = validation == Validation::strict;
  if (!verdict && strict && name == "uuid" && !is_uuid(text_of(value))) {
    verdict = violation(invalid_value, "is not a UUID", value);
  }
  const auto is_usable = [&](std::string_view email) {
    return strict ? is_email(email) : email.contains('@');
  };
  if (!verdict && name == "email" && !is_usable(text_of(value))) {
    verdict = violation(invalid_value, "is not an e-mail address", value);
  }
  return verdict;
}

}  // namespace

Violation violation_of(ErrorCode code, std::string message, const Field& value) {
  const bool shown = value && !value->is_object() && !value->is_array();
  return {.code = code,
          .field = {},
          .message = std::move(message),
          .rejected_value = shown ? simdjson::minify(*value) : std::string()};
}

Field field_of(dom::object object, std::string_view name) {
  dom::element value;
  return object.at_key(name).get(value) == simdjson::SUCCESS ? Field(value) : Field();
}

std::string_view text_of(const Field& field) {
  std::string_view text;
  return field && field->get(text) == simdjson::SUCCESS ? text : std::string_view();
}

Verdict within(std::string_view outer, Verdict verdict) {
  if (verdict) {
    const bool joined = outer.empty() || verdict->field.empty() || verdict->field.starts_with('[');
    verdict->field = std::string(outer) + (joined ? "" : ".") + verdict->field;
  }
  return verdict;
}

Verdict within(std::string_view array, std::size_t index, Verdict verdict) {
  if (verdict) {
    verdict = within("[" + std::to_string(index) + "]", std::move(verdict));
  }
  return within(array, std::move(verdict));
}

Verdict check_structure(dom::element element, Validation validation) {
  return check_value(element, validation, 0);
}

Verdict check_text(const Field& field) {
  if (!field) {
    return violation(missing, "is required");
  }
  if (!field->is_string()) {
    return violation(wrong_type, "must be a string", field);
  }
  return text_of(field).empty() ? violation(missing, "must not be empty", field) : Verdict();
}

Verdict check_client(const Field& field, Validation validation) {
  if (!field) {
    return violation(missing, "is required");
  }
  dom::object client;
  if (field->get(client) != simdjson::SUCCESS) {
    return violation(wrong_type, "must be an object", field);
  }
  bool identified = false;
  for (const auto [name, value] : client) {
    Verdict verdict;
    if (name == "id") {
      if (!value.is_int64()) {
        verdict = violation(wrong_type, "must be an integer of 64 bits", value);
      }
    } else if (name == "customId" || name == "uuid" || name == "email") {
      verdict = check_identifier(name, value, validation);
    } else {
      continue;
    }
    if (verdict) {
      return within(name, std::move(verdict));
    }
    identified = true;
  }
  return identified ? Verdict() : violation(missing, "needs one of id, customId, uuid and email");
}

Verdict check_time(const Field& field) {
  if (!field) {
    return {};
  }
  if (!field->is_string()) {
    return violation(wrong_type, "must be a string", field);
  }
  return parse_time(text_of(field))
             ? Verdict()
             : violation(invalid_value, "is not an ISO 8601 time with a zone", field);
}

Verdict check_salt(const Field& field) {
  if (!field) {
    return {};
  }
  Verdict verdict = check_text(field);
  if (!verdict && text_of(field).size() > api::event_salt_length_max) {
    verdict = violation(invalid_value, "is too long", field);
  }
  return verdict;
}

Verdict check_price(const Field& field) {
  if (!field) {
    return violation(missing, "is required");
  }
  dom::object price;
  if (field->get(price) != simdjson::SUCCESS) {
    return violation(wrong_type, "must be an object of amount and currency", field);
  }
  const Field amount = field_of(price, "amount");
  Verdict verdict = check_number(amount);
  double value = 0;
  if (amount && amount->get(value) == simdjson::SUCCESS && value < 0) {
    verdict = violation(invalid_value, "must be at least 0", amount);
  }
  if (verdict) {
    return within("amount", std::move(verdict));
  }
  return within("currency", check_text(field_of(price, "currency")));
}

Verdict check_kind_of_text(const Field& field) {
  return field && !field->is_string() ? violation(wrong_type, "must be a string", field)
                                      : Verdict();
}

Verdict check_kind_of_number(const Field& field) {
  if (!field || field->is_number() || is_number(text_of(field))) {
    return {};
  }
  return violation(wrong_type, "must be a number", field);
}

Verdict check_kind_of_price(const Field& field) {
  dom::object price;
  if (!field) {
    return {};
  }
  if (field->get(price) != simdjson::SUCCESS) {
    return violation(wrong_type, "must be an object of amount and currency", field);
  }
  Verdict verdict = within("amount", check_kind_of_number(field_of(price, "amount")));
  return verdict ? verdict : within("currency", check_kind_of_text(field_of(price, "currency")));
}

Verdict check_required(dom::object object, std::span<const std::string_view> names) {
  for (const std::string_view name : names) {
    const auto form = std::ranges::find(forms, name, &Form::name);
    SLUICE_ASSERT(form != forms.end());
    Verdict verdict = form->check(field_of(object, name));
    if (verdict) {
      return within(name, std::move(verdict));
    }
  }
  return {};
}

Verdict check_optional_prices(dom::object object, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    const Field price = field_of(object, name);
    Verdict verdict = price ? check_price(price) : Verdict();
    if (verdict) {
      return within(name, std::move(verdict));
    }
  }
  return {};
}

ClientIdentity read_client(const Field& field) {
  ClientIdentity identity;
  dom::object client;
  if (!field || field->get(client) != simdjson::SUCCESS) {
    return identity;
  }
  for (const auto [name, value] : client) {
    std::int64_t id = 0;
    if (name == "id" && value.get(id) == simdjson::SUCCESS) {
      identity.id = id;
    } else if (name == "customId") {
      identity.custom_id = text_of(value);
    } else if (name == "uuid") {
      identity.uuid = text_of(value);
    } else if (name == "email") {
      identity.email = text_of(value);
    }
  }
  return identity;
}

}  // namespace sluice::simulator
