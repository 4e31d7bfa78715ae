// Goal: any text is a configuration or a list of mistakes; no secret is in either's words, and what
// is printed of a configuration reads as the same one.
#include <cstdint>
#include <optional>

#include <sluice/config/load.hpp>

#include "fuzz_support.hpp"

namespace sluice::config {
namespace {

constexpr std::string_view secret = "n0-one-guesses-this";

Environment world() {
  return {.variable = [](const std::string& name) -> std::optional<std::string> {
            return name == "KEY" ? std::optional<std::string>(secret) : std::nullopt;
          },
          .read_file = [](const std::string& path) -> Result<std::string> {
            if (path.starts_with('/')) {
              return std::string(secret) + "\n";
            }
            return failure(std::errc::no_such_file_or_directory, "no such file");
          }};
}

// A variable may stand where no secret belongs; only what is told to be one is hidden.
void check_hidden(std::string_view text, bool by_variable) {
  if (!by_variable) {
    fuzz::check(text.find(secret) == std::string_view::npos, "a secret stays secret", text);
  }
}

}  // namespace
}  // namespace sluice::config

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  using namespace sluice::config;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const bool by_variable =
      text.find('$') != std::string_view::npos || text.find(secret) != std::string_view::npos;
  const auto config = parse(text, "f.yaml", world());
  if (!config) {
    fuzz::check(!config.error().empty(), "what is refused has a mistake");
    for (const Mistake& mistake : config.error()) {
      check_hidden(mistake.to_string(), by_variable);
    }
    return 0;
  }
  const std::string masked = to_yaml_masked(*config);
  check_hidden(masked, by_variable);
  const auto again = parse(masked, "f.yaml", world());
  fuzz::check(again.has_value(), "what is printed can be read",
              again ? masked : masked + again.error().front().to_string());
  fuzz::check(to_yaml_masked(*again) == masked, "what is printed reads as the same", masked);
  return 0;
}
