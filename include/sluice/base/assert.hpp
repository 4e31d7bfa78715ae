// Assertions that stay on in release: a programmer's error stops the process at once, with its
// place. What comes from the network, a file or a user never trips one.
#pragma once

namespace sluice {

[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

}  // namespace sluice

#define SLUICE_ASSERT(expression)                       \
  (static_cast<bool>(expression) ? static_cast<void>(0) \
                                 : ::sluice::assertion_failed(#expression, __FILE__, __LINE__))
