#include <algorithm>

#include <sluice/event/traceparent.hpp>

namespace sluice {
namespace {

constexpr std::size_t version_digits = 2;
constexpr std::size_t trace_id_at = 3;
constexpr std::size_t trace_id_digits = 32;
constexpr std::size_t parent_id_at = 36;
constexpr std::size_t parent_id_digits = 16;
constexpr std::size_t flags_at = 53;
constexpr std::size_t flags_digits = 2;

bool is_lower_hex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_id(std::string_view text) {
  return is_lower_hex(text) && text.find_first_not_of('0') != std::string_view::npos;
}

// The one flag that version 00 knows is the last bit.
char sampled_only(char digit) {
  const int value = digit <= '9' ? digit - '0' : digit - 'a' + 10;
  return value % 2 == 1 ? '1' : '0';
}

}  // namespace

std::optional<Traceparent> parse_traceparent(std::string_view header) {
  if (header.size() < traceparent_size) {
    return std::nullopt;
  }
  const std::string_view version = header.substr(0, version_digits);
  const bool is_first = version == "00";
  const bool ends_well =
      header.size() == traceparent_size || (!is_first && header[traceparent_size] == '-');
  const bool has_dashes = header[trace_id_at - 1] == '-' && header[parent_id_at - 1] == '-' &&
                          header[flags_at - 1] == '-';
  if (!ends_well || !has_dashes || !is_lower_hex(version) || version == "ff" ||
      !is_id(header.substr(trace_id_at, trace_id_digits)) ||
      !is_id(header.substr(parent_id_at, parent_id_digits)) ||
      !is_lower_hex(header.substr(flags_at, flags_digits))) {
    return std::nullopt;
  }
  Traceparent parsed{};
  std::ranges::copy(header.substr(0, traceparent_size), parsed.begin());
  if (!is_first) {
    std::fill_n(parsed.begin(), version_digits, '0');
    parsed[flags_at] = '0';
    parsed[flags_at + 1] = sampled_only(parsed[flags_at + 1]);
  }
  return parsed;
}

std::string_view trace_id_of(std::string_view traceparent) {
  return traceparent.size() < parent_id_at ? std::string_view()
                                           : traceparent.substr(trace_id_at, trace_id_digits);
}

}  // namespace sluice
