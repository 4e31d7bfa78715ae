// Variables in values: ${NAME}, ${NAME:-default}, and $$ for a dollar sign.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <sluice/config/load.hpp>

namespace sluice::config {

// Takes what is wrong ("uses ${X}, which is not set") and its mend.
using Complain = std::function<void(std::string what, std::string mend)>;

// `raw` with its variables replaced. The default is taken when the variable is not set or empty, as
// in a shell. Works on a value after the YAML is parsed, so that no variable can add keys or lists.
// The complaints name variables and never quote their values, which may be secret.
[[nodiscard]] std::string interpolate(std::string_view raw, const Environment& environment,
                                      const Complain& complain);

}  // namespace sluice::config
