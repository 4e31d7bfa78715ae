#include <iostream>

#include <sluice/base/printable.hpp>
#include <sluice/base/redactor.hpp>

#include "commands.hpp"

namespace sluice::cli {

void say(std::string_view text) { std::cout << printable(text, LineBreaks::kept) << std::flush; }

void complain(std::string_view text) {
  std::cerr << printable(known_secrets().redacted(text), LineBreaks::kept);
}

int fail(std::string_view command, std::string_view message, int exit_code) {
  complain("sluice " + std::string(command) + ": " + printable(message) + "\n");
  return exit_code;
}

}  // namespace sluice::cli
