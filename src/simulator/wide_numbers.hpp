// Numbers that the parser cannot hold: JSON has no limit on them, and an event may carry them
// through.
#pragma once

#include <string>
#include <string_view>

namespace sluice::simulator {

// The text with each number of more than 18 characters, or with an exponent, replaced by one that a
// double can hold and that is no integer, of the same sign and length: whatever is checked of such
// a number but its exact value is checked all the same. What is not a number is left for the parser
// to refuse.
[[nodiscard]] std::string with_narrow_numbers(std::string_view json);

}  // namespace sluice::simulator
