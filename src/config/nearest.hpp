// What somebody may have meant who wrote a name that is not known.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace sluice::config {

// "did you mean lanes?" when one of the names is near, else "write one of a, b, c".
[[nodiscard]] std::string suggestion(std::string_view written,
                                     std::span<const std::string_view> names);

}  // namespace sluice::config
