// Checks of single fields, from which the rules of events and transactions are made. Each returns
// nothing when all is well; the field of a Violation is relative to what was checked, and `within`
// puts the outer name before it on the way out, so that a valid event costs no text.
#pragma once

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <simdjson.h>

#include "rules.hpp"

namespace sluice::simulator {

using Field = std::optional<simdjson::dom::element>;
using Verdict = std::optional<Violation>;

[[nodiscard]] Field field_of(simdjson::dom::object object, std::string_view name);
[[nodiscard]] std::string_view text_of(const Field& field);
[[nodiscard]] Verdict within(std::string_view outer, Verdict verdict);
[[nodiscard]] Verdict within(std::string_view array, std::size_t index, Verdict verdict);

// No null, not nested too deeply; when strict, no key twice in one object: a reader in Java takes
// the last.
[[nodiscard]] Verdict check_structure(simdjson::dom::element element, Validation validation);

[[nodiscard]] Verdict check_text(const Field& field);
// When strict, `uuid` and `email` have the form that the SDK asks for.
[[nodiscard]] Verdict check_client(const Field& field, Validation validation);
[[nodiscard]] Verdict check_time(const Field& field);
[[nodiscard]] Verdict check_salt(const Field& field);
// {amount, currency}; `amount` is at least 0.
[[nodiscard]] Verdict check_price(const Field& field);
// What may be absent, empty and of several currencies, but is of its kind of JSON where it is
// there; numbers may stand in strings.
[[nodiscard]] Verdict check_kind_of_text(const Field& field);
[[nodiscard]] Verdict check_kind_of_number(const Field& field);
[[nodiscard]] Verdict check_kind_of_price(const Field& field);
// Checks that the object has all these fields, each with the form that goes with its name.
[[nodiscard]] Verdict check_required(simdjson::dom::object object,
                                     std::span<const std::string_view> names);
// Checks those of the prices that are there.
[[nodiscard]] Verdict check_optional_prices(simdjson::dom::object object,
                                            std::initializer_list<std::string_view> names);

[[nodiscard]] ClientIdentity read_client(const Field& field);

}  // namespace sluice::simulator
