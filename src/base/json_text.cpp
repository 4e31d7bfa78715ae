#include <algorithm>
#include <cstddef>

#include <sluice/base/json_text.hpp>
#include <sluice/base/printable.hpp>

#include "utf8.hpp"

namespace sluice {
void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const char c = text.front();
    const auto [code_point, length] = first_character(text);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (is_unprintable(code_point)) {
      append_escaped(out, code_point);
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

NumberForm number_form(std::string_view text) {
  const auto take_digits = [&text] {
    const std::size_t count = std::min(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(count);
    return count > 0;
  };
  const auto take = [&text](std::string_view any) {
    const bool there = !text.empty() && any.find(text.front()) != any.npos;
    text.remove_prefix(there ? 1 : 0);
    return there;
  };
  take("-");
  if (!take("0") && !take_digits()) {
    return NumberForm::none;
  }
  if (text.empty()) {
    return NumberForm::integer;
  }
  if (take(".") && !take_digits()) {
    return NumberForm::none;
  }
  if (take("eE")) {
    take("+-");
    if (!take_digits()) {
      return NumberForm::none;
    }
  }
  return text.empty() ? NumberForm::decimal : NumberForm::none;
}

}  // namespace sluice
