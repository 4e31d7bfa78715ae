// The one result type of Sluice: expected failures are values.
#pragma once

#include <expected>
#include <string>
#include <system_error>
#include <utility>

namespace sluice {

// A failure that somebody has to read: the code lets callers decide, the message says what is
// wrong, where, and what to do. Never built per event: the event path returns plain enumerators.
struct Error {
  std::error_code code;
  std::string message;
};

template <class T, class E = Error>
using Result = std::expected<T, E>;

// Shorthand for `return std::unexpected(Error{...})`.
[[nodiscard]] inline std::unexpected<Error> failure(std::error_code code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}
[[nodiscard]] inline std::unexpected<Error> failure(std::errc code, std::string message) {
  return failure(std::make_error_code(code), std::move(message));
}

}  // namespace sluice
