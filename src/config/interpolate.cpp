#include "interpolate.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "text_checks.hpp"

namespace sluice::config {
namespace {

bool is_variable_name(std::string_view name) {
  const auto is_word = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; };
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name.front())) == 0 &&
         std::ranges::all_of(name, is_word);
}

// The value of what stands between the braces of ${...}.
std::string expand(std::string_view inside, const Environment& environment,
                   const Complain& complain) {
  const std::size_t mark = inside.find(":-");
  const std::string name(inside.substr(0, mark));
  if (!is_variable_name(name)) {
    complain(fmt::format("has ${{{}}}, in which {} is not the name of a variable", inside,
                         name.empty() ? "nothing" : name),
             "write ${NAME} or ${NAME:-default}, or $$ for a dollar sign");
    return {};
  }
  std::optional<std::string> value = environment.variable(name);
  const bool has_default = mark != std::string_view::npos;
  if (has_default && (!value || value->empty())) return std::string(inside.substr(mark + 2));
  if (!value) {
    complain(fmt::format("uses ${{{}}}, which is not set", name),
             fmt::format("set {} in the environment, or write ${{{}:-default}}", name, name));
    return {};
  }
  if (!is_utf8(*value)) {
    complain(fmt::format("uses ${{{}}}, whose value is not UTF-8", name),
             fmt::format("set {} to UTF-8 text", name));
    return {};
  }
  return *std::move(value);
}

}  // namespace

std::string interpolate(std::string_view raw, const Environment& environment,
                        const Complain& complain) {
  std::string text;
  while (true) {
    const std::size_t dollar = raw.find('$');
    text += raw.substr(0, dollar);
    if (dollar == std::string_view::npos) return text;
    raw.remove_prefix(dollar + 1);
    if (raw.starts_with('$')) {
      text += '$';
      raw.remove_prefix(1);
    } else if (!raw.starts_with('{')) {
      text += '$';
    } else if (const std::size_t end = raw.find('}'); end != std::string_view::npos) {
      text += expand(raw.substr(1, end - 1), environment, complain);
      raw.remove_prefix(end + 1);
    } else {
      complain("has ${ without its }", "write ${NAME}, or $$ for a dollar sign");
      return text;
    }
  }
}

}  // namespace sluice::config
