// Numbers by their text, as JSON (RFC 8259) writes them: nothing goes through floating point.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace sluice::normalise {

enum class NoInteger : std::uint8_t {
  fraction,   // it has one
  uncertain,  // with fraction or exponent, and above 2^53: its writer may have rounded it
};
// The digits of the integer that a number is, however it is spelt: 17850 for 17850.0 and 1.785e4.
// An integer that is spelt as one keeps its digits, whatever their number; only -0 is 0. The view
// is of `number` or of `scratch`. `number` must be one.
[[nodiscard]] std::expected<std::string_view, NoInteger> integer_digits(std::string_view number,
                                                                        std::string& scratch);

}  // namespace sluice::normalise
