#include "text_checks.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>
#include <simdjson.h>

#include <sluice/base/ascii.hpp>
#include <sluice/event/api_limits.hpp>

namespace sluice::config {
namespace {

constexpr std::size_t name_length_max = 64;

// The letters, digits and signs that names and actions are made of.
bool is_name_character(char c) {
  return is_letter(c) || is_digit(c) || c == '.' || c == '_' || c == '-';
}

}  // namespace

bool is_utf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= name_length_max &&
         std::ranges::all_of(text, is_name_character);
}

bool is_host_name(std::string_view text) {
  constexpr std::size_t length_max = 253;
  return !text.empty() && text.size() <= length_max && std::ranges::all_of(text, is_name_character);
}

bool is_uuid(std::string_view text) {
  constexpr std::string_view shape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  return std::ranges::equal(text, shape, [](char c, char wanted) {
    return wanted == '-' ? c == '-' : std::isxdigit(static_cast<unsigned char>(c)) != 0;
  });
}

bool is_action(std::string_view text) {
  return !text.empty() && text.size() <= api::action_length_max &&
         std::ranges::all_of(text, is_name_character);
}

bool is_json_pointer(std::string_view text) {
  if (!text.empty() && !text.starts_with('/')) return false;
  for (std::size_t i = text.find('~'); i != std::string_view::npos; i = text.find('~', i + 1)) {
    const char escaped = i + 1 < text.size() ? text[i + 1] : '\0';
    if (escaped != '0' && escaped != '1') return false;
  }
  return true;
}

std::optional<std::string> template_fault(std::string_view text) {
  while (true) {
    const std::size_t brace = text.find_first_of("{}");
    if (brace == std::string_view::npos) return std::nullopt;
    const char kind = text[brace];
    text.remove_prefix(brace + 1);
    if (text.starts_with(kind)) {
      text.remove_prefix(1);
      continue;
    }
    if (kind == '}') return "has a } that closes nothing";
    const std::size_t end = text.find_first_of("{}");
    if (end == std::string_view::npos || text[end] == '{') return "has a { that is not closed";
    const std::string_view pointer = text.substr(0, end);
    if (!is_json_pointer(pointer)) {
      return fmt::format("has {{{}}}, which is not a JSON Pointer", pointer);
    }
    text.remove_prefix(end + 1);
  }
}

}  // namespace sluice::config
