#include "number_text.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include <sluice/base/ascii.hpp>

namespace sluice::normalise {
namespace {

// Of what follows the e; beyond all that matters, when it is beyond an int.
std::int64_t exponent_of(std::string_view text) {
  text.remove_prefix(text.starts_with('+') ? 1 : 0);
  constexpr std::int64_t beyond = std::numeric_limits<std::int32_t>::max();
  std::int64_t exponent = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), exponent);
  if (read.ec == std::errc::result_out_of_range) return text.starts_with('-') ? -beyond : beyond;
  return std::clamp(exponent, -beyond, beyond);
}

}  // namespace

std::expected<std::string_view, NoInteger> integer_digits(std::string_view number,
                                                          std::string& scratch) {
  constexpr std::string_view largest_exact = "9007199254740992";  // 2^53
  if (number == "-0") return "0";
  const std::size_t mark = number.find_first_of(".eE");
  if (mark == std::string_view::npos) return number;

  const bool is_negative = number.starts_with('-');
  const std::string_view mantissa = number.substr(0, number.find_first_of("eE"));
  std::int64_t scale =
      mantissa.size() == number.size() ? 0 : exponent_of(number.substr(mantissa.size() + 1));
  scratch.clear();
  for (const char c : mantissa) {
    const bool is_leading_zero = c == '0' && scratch.empty();
    if (is_digit(c) && !is_leading_zero) scratch += c;
  }
  if (scratch.empty()) return "0";
  const std::size_t point = mantissa.find('.');
  if (point != std::string_view::npos) {
    scale -= static_cast<std::int64_t>(mantissa.size() - point - 1);
  }
  while (scratch.back() == '0') {
    scratch.pop_back();
    ++scale;
  }
  if (scale < 0) return std::unexpected(NoInteger::fraction);
  const auto zeros = static_cast<std::size_t>(scale);
  if (scratch.size() + zeros > largest_exact.size()) return std::unexpected(NoInteger::uncertain);
  scratch.append(zeros, '0');
  if (scratch.size() == largest_exact.size() && scratch > largest_exact) {
    return std::unexpected(NoInteger::uncertain);
  }
  if (is_negative) scratch.insert(0, 1, '-');
  return scratch;
}

}  // namespace sluice::normalise
