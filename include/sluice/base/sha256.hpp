// The hash by which secrets are kept and compared: FIPS 180-4.
#pragma once

#include <array>
#include <string_view>

namespace sluice {

using Sha256 = std::array<unsigned char, 32>;

[[nodiscard]] Sha256 sha256(std::string_view text);

}  // namespace sluice
