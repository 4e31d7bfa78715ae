// Percent-encoding, for what stands in a request's target.
#pragma once

#include <string>
#include <string_view>

namespace sluice::cli {

[[nodiscard]] std::string encode_percent(std::string_view text);

}  // namespace sluice::cli
