#include "lookalikes.hpp"

#include <algorithm>

#include <fmt/format.h>

#include <sluice/base/ascii.hpp>

namespace sluice::config {
namespace {

bool is_word(char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '-'; }

std::string_view without_space_around(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// What stands in braces where other tools name a value: /id, id, order.id, $.id, items[0].
bool is_reference(std::string_view text) {
  constexpr std::string_view in_paths = ".[]$@/'*";
  if (text.starts_with('/')) return text.size() > 1;
  const bool starts_well =
      !text.empty() &&
      (is_letter(text.front()) || text.front() == '_' ||
       ((text.front() == '$' || text.front() == '.' || text.front() == '@') && text.size() > 1));
  return starts_well &&
         std::ranges::all_of(text, [&](char c) { return is_word(c) || in_paths.contains(c); });
}

// A value's name in braces, with the signs that belong to it: `${ id }`, `{{id}}`, `{/id}`.
struct Placeholder {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string_view reference;
};

std::optional<Placeholder> find_placeholder(std::string_view text, std::size_t from) {
  for (std::size_t open = text.find('{', from); open != std::string_view::npos;
       open = text.find('{', open)) {
    std::size_t begin = open;
    if (begin > from && std::string_view("$%#").contains(text[begin - 1])) --begin;
    const std::size_t inside = std::min(text.find_first_not_of('{', open), text.size());
    const std::size_t close = text.find('}', inside);
    if (close == std::string_view::npos) return std::nullopt;
    const std::string_view reference = without_space_around(text.substr(inside, close - inside));
    if (is_reference(reference)) {
      std::size_t end = close + 1;
      for (std::size_t opened = inside - open; opened > 1 && text.substr(end).starts_with('}');
           --opened) {
        ++end;
      }
      return Placeholder{.begin = begin, .end = end, .reference = reference};
    }
    open = inside;
  }
  return std::nullopt;
}

// The template that a text with placeholders of any kind stands for.
std::string template_for(std::string_view text) {
  std::string made;
  std::size_t at = 0;
  for (auto found = find_placeholder(text, 0); found; found = find_placeholder(text, at)) {
    made += text.substr(at, found->begin - at);
    made += fmt::format("{{{}}}", pointer_for(found->reference).value_or("/pointer"));
    at = found->end;
  }
  return made.append(text.substr(at));
}

bool is_path(std::string_view text) {
  if (text.starts_with("#/")) return true;
  if (!text.starts_with('$') && !text.starts_with('@')) return false;
  if (text.contains(' ') || text.size() < 2) return false;
  const char next = text[1];
  return next == '.' || next == '[' || (text.front() == '$' && (is_letter(next) || next == '_'));
}

// items[0], items[], items[*].
bool has_brackets(std::string_view token) {
  const std::size_t open = token.rfind('[');
  if (open == std::string_view::npos || !token.ends_with(']')) return false;
  const std::string_view index = token.substr(open + 1, token.size() - open - 2);
  return index == "*" || std::ranges::all_of(index, is_digit);
}

bool is_negative_index(std::string_view token) {
  return token.starts_with('-') && std::ranges::all_of(token.substr(1), is_digit);
}

}  // namespace

std::optional<std::string> pointer_for(std::string_view path) {
  path = without_space_around(path);
  if (path.starts_with('$') || path.starts_with('#') || path.starts_with('@')) {
    path.remove_prefix(1);
  }
  std::string pointer;
  while (!path.empty()) {
    const std::size_t length = std::min(path.find_first_of("./[]"), path.size());
    std::string_view token = path.substr(0, length);
    const bool is_open = length < path.size() && path[length] == '[';
    if (is_open && path.substr(length).starts_with("[]")) return std::nullopt;
    path.remove_prefix(std::min(length + 1, path.size()));
    if (token.size() > 2 && token.front() == token.back() &&
        (token.front() == '\'' || token.front() == '"')) {
      token = token.substr(1, token.size() - 2);
    }
    if (token.empty()) continue;
    if (!std::ranges::all_of(token, is_word) || is_negative_index(token)) return std::nullopt;
    pointer += '/';
    pointer += token;
  }
  return pointer.empty() ? std::nullopt : std::optional(pointer);
}

std::optional<std::string> mend_of_expression(std::string_view text) {
  if (text.contains("<%") || text.contains("{%")) {
    return "write {template: ...} with {/pointer} for each value";
  }
  if (const auto found = find_placeholder(text, 0)) {
    const auto pointer = pointer_for(found->reference);
    if (found->begin == 0 && found->end == text.size() && pointer) {
      return fmt::format("write {{from: {}}} for the raw value", *pointer);
    }
    return fmt::format("write {{template: \"{}\"}} for a text with the raw value in it",
                       template_for(text));
  }
  if (!is_path(text)) return std::nullopt;
  const auto pointer = pointer_for(text);
  return pointer ? fmt::format("write {{from: {}}} for the raw value", *pointer)
                 : "write {from: /pointer} for the raw value; arrays are addressed by number, or "
                   "gone through with each";
}

std::optional<std::string> mend_of_pointer(std::string_view text) {
  const bool is_pointer =
      text.size() > 1 && text.starts_with('/') && !text.starts_with("//") && !text.contains(' ');
  if (!is_pointer) return std::nullopt;
  return fmt::format("write {{from: {}}} for the raw value", text);
}

std::optional<Fault> pointer_fault(std::string_view pointer) {
  std::string_view rest = pointer;
  while (!rest.empty()) {
    rest.remove_prefix(1);  // the slash
    const std::string_view token = rest.substr(0, rest.find('/'));
    rest.remove_prefix(token.size());
    if (token.empty()) {
      return Fault{"names a member without a name", "leave out the slash that nothing follows"};
    }
    if (token.find_first_not_of('*') == std::string_view::npos || is_negative_index(token) ||
        has_brackets(token)) {
      return Fault{fmt::format("has \"{}\", which finds no element of an array", token),
                   "arrays are addressed by number, as in /items/0/sku, or gone through element by "
                   "element with each:"};
    }
    if (token.starts_with(' ') || token.ends_with(' ')) {
      return Fault{fmt::format("has \"{}\", a name with a space at its end", token),
                   "leave out the space"};
    }
  }
  return std::nullopt;
}

TemplateParts template_parts(std::string_view text) {
  TemplateParts parts;
  while (!text.empty()) {
    const char c = text.front();
    if (c != '{' && c != '}') {
      parts.literal += c;
      text.remove_prefix(1);
    } else if (text.substr(1).starts_with(c)) {
      parts.literal += c;
      text.remove_prefix(2);
    } else {
      const std::size_t close = std::min(text.find('}'), text.size() - 1);
      parts.pointers.push_back(text.substr(1, close - 1));
      parts.literal += '\n';  // so that what stands before and behind is not read as one
      text.remove_prefix(close + 1);
    }
  }
  return parts;
}

}  // namespace sluice::config
