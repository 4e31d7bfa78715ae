#include "wide_numbers.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <regex>

namespace sluice::simulator {
namespace {

constexpr std::size_t narrow_length_max = 18;
constexpr std::string_view number_characters = "0123456789+-.eE";

bool is_whole_of_64_bits(std::string_view token) {
  const char* const end = token.data() + token.size();
  std::int64_t number = 0;
  std::uint64_t positive = 0;
  const auto with_sign = std::from_chars(token.data(), end, number);
  const auto without = std::from_chars(token.data(), end, positive);
  return (with_sign.ec == std::errc{} && with_sign.ptr == end) ||
         (without.ec == std::errc{} && without.ptr == end);
}

bool is_wide(std::string_view token) {
  static const std::regex number(R"(-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?)");
  if (is_whole_of_64_bits(token)) {
    return false;  // it may be an identifier, whose digits matter
  }
  const bool wide =
      token.size() > narrow_length_max || token.find_first_of("eE") != std::string_view::npos;
  return wide && std::regex_match(token.begin(), token.end(), number);
}

}  // namespace

std::string with_narrow_numbers(std::string_view json) {
  std::string out(json);
  bool in_string = false;
  for (std::size_t at = 0; at < out.size(); ++at) {
    if (out[at] == '"') {
      in_string = !in_string;
    } else if (out[at] == '\\') {
      ++at;
    } else if (!in_string && (out[at] == '-' || (out[at] >= '0' && out[at] <= '9'))) {
      const std::size_t end = std::min(out.find_first_not_of(number_characters, at), out.size());
      const std::string_view token = std::string_view(out).substr(at, end - at);
      if (is_wide(token)) {
        // The shortest wide numbers are 1e1 and -1e1.
        std::string narrow = token.front() == '-' ? "-1.5" : "1.5";
        narrow.resize(end - at, ' ');
        out.replace(at, end - at, narrow);
      }
      at = end - 1;
    }
  }
  return out;
}

}  // namespace sluice::simulator
