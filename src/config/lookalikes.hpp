// Texts in a mapping that look as if something else was meant: a constant in the notation of
// another tool's templates or paths, a pointer that finds nothing. Pure functions over one text.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::config {

// What to write instead of a constant that looks like an expression: a placeholder in braces
// ({/id}, {{ id }}, ${id}), a template's tag, or a path ($.a.b, $a, #/a). Nothing for any other.
[[nodiscard]] std::optional<std::string> mend_of_expression(std::string_view text);
// Likewise for a constant that looks like a JSON Pointer (/a/b).
[[nodiscard]] std::optional<std::string> mend_of_pointer(std::string_view text);
// The pointer that a path in another notation stands for: $.a.b[0], a.b, #/a, /a[0]. Nothing when
// it cannot be told, as for a wildcard.
[[nodiscard]] std::optional<std::string> pointer_for(std::string_view path);

struct Fault {
  std::string what;
  std::string mend;
};
// Why a text that is a JSON Pointer by its syntax finds nothing in what producers send.
[[nodiscard]] std::optional<Fault> pointer_fault(std::string_view pointer);

struct TemplateParts {
  std::string literal;  // what stands between the placeholders
  std::vector<std::string_view> pointers;
};
// Of a template that template_fault() finds nothing wrong with.
[[nodiscard]] TemplateParts template_parts(std::string_view text);

}  // namespace sluice::config
