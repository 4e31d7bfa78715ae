// A set of known names, looked up in a few instructions: a perfect hash found at compile time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "text_bytes.hpp"

namespace sluice::normalise {

template <std::size_t count>
class NameTable {
 public:
  static constexpr int not_found = -1;

  // `names` are distinct and not empty; find() answers with the index into them.
  explicit constexpr NameTable(const std::array<std::string_view, count>& names) : names_(names) {
    while (!fill()) {
      ++multiplier_;
    }
  }

  [[nodiscard]] constexpr std::string_view name(int index) const {
    return names_[static_cast<std::size_t>(index)];
  }

  [[nodiscard]] int find(std::string_view name) const {
    if (name.empty()) {
      return not_found;
    }
    const int candidate = slots_[slot(name)];
    return candidate >= 0 && is_same(names_[static_cast<std::size_t>(candidate)], name) ? candidate
                                                                                        : not_found;
  }

 private:
  static constexpr std::size_t slot_count = 128;
  static_assert(count <= slot_count / 4, "a sparse table is found quickly");

  [[nodiscard]] constexpr std::size_t slot(std::string_view name) const {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(name[i]); };
    const std::uint32_t mixed =
        (byte(0) + 0x101U * byte(name.size() - 1) + 0x1003U * byte(name.size() / 2) +
         0x10007U * static_cast<std::uint32_t>(name.size())) *
        multiplier_;
    return mixed >> 25;
  }

  constexpr bool fill() {
    slots_.fill(not_found);
    for (std::size_t i = 0; i < count; ++i) {
      auto& entry = slots_[slot(names_[i])];
      if (entry != not_found) {
        return false;
      }
      entry = static_cast<std::int16_t>(i);
    }
    return true;
  }

  std::array<std::string_view, count> names_;
  std::array<std::int16_t, slot_count> slots_{};
  std::uint32_t multiplier_ = 0x9E3779B1U;
};
template <std::size_t count>
NameTable(const std::array<std::string_view, count>&) -> NameTable<count>;

}  // namespace sluice::normalise
