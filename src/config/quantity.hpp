// Numbers with their units, as the configuration writes them: counts, sizes, durations, rates,
// shares.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::config {

// How one kind of quantity is read and written; parse(format(x)) == x. A number too large for the
// type is read as the largest, so that the mistake is "above the limit" and not "no number".
template <class T>
struct Quantity {
  std::string_view name;         // of its definition in the JSON Schema
  std::string_view description;  // with an article: "a size such as 8MiB"
  std::optional<T> (*parse)(std::string_view text);
  std::string (*format)(T value);
};

extern const Quantity<std::size_t> count;                   // 1000
extern const Quantity<std::size_t> size;                    // 16KiB, 8MiB, 1GiB, 64kB, 1MB, 1000000
extern const Quantity<std::chrono::milliseconds> duration;  // 200ms, 10s, 10m, 1h, 0
extern const Quantity<double> rate;                         // 5000/s, 100/m, 0; per second
extern const Quantity<double> share;                        // 0.95

// What a quantity may be, both ends included.
template <class T>
struct Bounds {
  T min;
  T max;
  std::string_view limit = "the limit";  // whose limit `max` is, for the mistake's text
};

}  // namespace sluice::config
