#include "quantity.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>

#include <fmt/format.h>

namespace sluice::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// In ascending order, as formatting takes the last one that fits.
constexpr std::array count_units{Unit{"", 1}};
constexpr std::array size_units{
    Unit{"", 1},
    Unit{"B", 1},
    Unit{"kB", 1'000},
    Unit{"KiB", 1U << 10},
    Unit{"MB", 1'000'000},
    Unit{"MiB", 1U << 20},
    Unit{"GB", 1'000'000'000},
    Unit{"GiB", 1U << 30},
    Unit{"TB", 1'000'000'000'000},
    Unit{"TiB", std::uint64_t{1} << 40},
};
constexpr std::array duration_units{Unit{"ms", 1}, Unit{"s", 1'000}, Unit{"m", 60'000},
                                    Unit{"h", 3'600'000}};
struct RateUnit {
  std::string_view name;
  double seconds;
};
constexpr std::array rate_units{RateUnit{"/s", 1}, RateUnit{"/m", 60}};

std::optional<std::uint64_t> parse_scaled(std::string_view text, std::span<const Unit> units) {
  constexpr auto largest = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t number = 0;
  const char* const end = std::to_address(text.end());
  const auto [rest, error] = std::from_chars(std::to_address(text.begin()), end, number);
  if (error == std::errc::invalid_argument) return std::nullopt;
  const auto unit = std::ranges::find(units, std::string_view(rest, end), &Unit::name);
  if (unit == units.end()) return std::nullopt;
  std::uint64_t scaled = 0;
  const bool overflow = error == std::errc::result_out_of_range ||
                        __builtin_mul_overflow(number, unit->factor, &scaled);
  return overflow ? largest : scaled;
}

std::string format_scaled(std::uint64_t value, std::span<const Unit> units) {
  if (value == 0) return "0";
  const auto fits = [&](const Unit& unit) { return value % unit.factor == 0 && unit.name != "B"; };
  const auto unit = std::find_if(units.rbegin(), units.rend(), fits);
  return fmt::format("{}{}", value / unit->factor, unit->name);
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  constexpr std::uint64_t largest = std::chrono::milliseconds::max().count();
  if (text == "0") return std::chrono::milliseconds{0};
  const auto number = parse_scaled(text, duration_units);
  if (!number) return std::nullopt;
  return std::chrono::milliseconds{static_cast<std::int64_t>(std::min(*number, largest))};
}

std::optional<double> parse_share(std::string_view text) {
  double number = 0;
  const char* const end = std::to_address(text.end());
  const auto [rest, error] = std::from_chars(std::to_address(text.begin()), end, number);
  if (error != std::errc{} || rest != end || !std::isfinite(number)) return std::nullopt;
  return number;
}

std::optional<double> parse_rate(std::string_view text) {
  if (text == "0") return 0;
  for (const RateUnit& unit : rate_units) {
    if (!text.ends_with(unit.name)) continue;
    const auto number = parse_share(text.substr(0, text.size() - unit.name.size()));
    return number ? std::optional(*number / unit.seconds) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

const Quantity<std::size_t> count{
    .name = "count",
    .description = "a whole number",
    .parse = [](std::string_view text) -> std::optional<std::size_t> {
      return parse_scaled(text, count_units);
    },
    .format = [](std::size_t value) { return format_scaled(value, count_units); }};

const Quantity<std::size_t> size{
    .name = "size",
    .description = "a size such as 16KiB, 8MiB or 1000000",
    .parse = [](std::string_view text) -> std::optional<std::size_t> {
      return parse_scaled(text, size_units);
    },
    .format = [](std::size_t value) { return format_scaled(value, size_units); }};

const Quantity<std::chrono::milliseconds> duration{
    .name = "duration",
    .description = "a duration such as 200ms, 10s, 10m or 1h",
    .parse = parse_duration,
    .format = [](std::chrono::milliseconds value) {
      return format_scaled(static_cast<std::uint64_t>(value.count()), duration_units);
    }};

const Quantity<double> rate{
    .name = "rate",
    .description = "a rate such as 5000/s or 100/m",
    .parse = parse_rate,
    .format = [](double value) { return value == 0 ? "0" : fmt::format("{}/s", value); }};

const Quantity<double> share{.name = "share",
                             .description = "a number such as 0.95",
                             .parse = parse_share,
                             .format = [](double value) { return fmt::format("{}", value); }};

}  // namespace sluice::config
