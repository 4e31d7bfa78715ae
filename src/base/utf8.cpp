#include "utf8.hpp"

namespace sluice {

Utf8Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const auto low_bits = [&](std::size_t i) { return static_cast<char32_t>(byte(i) & 0x3FU); };
  const unsigned lead = byte(0);
  if (lead < 0x80) {
    return {lead, 1};
  }
  if (lead >= 0xC2 && lead <= 0xDF && continues(1)) {
    return {(lead & 0x1FU) << 6U | low_bits(1), 2};
  }
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool shortest = lead != 0xE0 || byte(1) >= 0xA0;
    const bool no_surrogate = lead != 0xED || byte(1) < 0xA0;
    if (continues(1) && continues(2) && shortest && no_surrogate) {
      return {(lead & 0xFU) << 12U | low_bits(1) << 6U | low_bits(2), 3};
    }
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool in_range = (lead != 0xF0 || byte(1) >= 0x90) && (lead != 0xF4 || byte(1) < 0x90);
    if (continues(1) && continues(2) && continues(3) && in_range) {
      return {(lead & 0x7U) << 18U | low_bits(1) << 12U | low_bits(2) << 6U | low_bits(3), 4};
    }
  }
  return {};
}

}  // namespace sluice
