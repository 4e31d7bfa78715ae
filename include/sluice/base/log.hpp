// Structured logs: one line per message with named fields, as JSON or for people, on standard
// error.
//
//   SLUICE_LOG(warn, "upstream refused the credentials", {"workspace", name}, {"status", 401});
//
// Each place in the code writes at most `log_burst` lines per `log_window`; the next line after
// that says how many were held back. No event content and no secret is ever logged. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <variant>

namespace sluice::log {

enum class Level : std::uint8_t { debug, info, warn, error, off };
enum class Format : std::uint8_t { human, json };

// The lines that one place may write in one window before it is held back.
inline constexpr std::uint32_t log_burst = 10;
inline constexpr std::chrono::seconds log_window{10};

// A named value. Holds views: lives for the statement that logs it.
struct Field {
  std::string_view key;
  std::variant<std::int64_t, std::uint64_t, double, bool, std::string_view> value;

  template <std::signed_integral T>
  Field(std::string_view k, T v) : key(k), value(static_cast<std::int64_t>(v)) {}
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  Field(std::string_view k, T v) : key(k), value(static_cast<std::uint64_t>(v)) {}
  Field(std::string_view k, double v) : key(k), value(v) {}
  Field(std::string_view k, bool v) : key(k), value(v) {}
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
};

// One per place in the code; made by SLUICE_LOG.
struct Site {
  std::atomic<std::int64_t> window_start_ms{0};
  std::atomic<std::uint32_t> written{0};
  std::atomic<std::uint64_t> suppressed{0};
};

// Sets level and format; may be called again at run time.
void configure(Level level, Format format);
[[nodiscard]] bool enabled(Level level);
void write(Level level, Site& site, std::string_view message, std::initializer_list<Field> fields);

// From now on a thread of its own writes the lines, so that a standard error that takes none (a
// full pipe, a terminal that was stopped, a disk that hangs) holds up nobody who logs. 1 MiB of
// them wait; beyond that the oldest are dropped and counted, and a line says so in their place. For
// a process that serves: call it once, and flush() before it ends. Without it who logs writes, and
// waits.
void write_in_background();
// Waits until all is written; gives up when nothing was taken for a second, and after three.
void flush();
// The last words of a process, as they are, behind what was logged. Waits a little for a standard
// error that takes nothing, as flush() does, then goes without. Allocates nothing.
void write_last(std::string_view text) noexcept;
// Lines that standard error did not take.
[[nodiscard]] std::uint64_t lines_dropped();

}  // namespace sluice::log

#define SLUICE_LOG(level, message, ...)                                                           \
  do {                                                                                            \
    if (::sluice::log::enabled(::sluice::log::Level::level)) {                                    \
      static ::sluice::log::Site sluice_log_site;                                                 \
      ::sluice::log::write(::sluice::log::Level::level, sluice_log_site, message, {__VA_ARGS__}); \
    }                                                                                             \
  } while (false)
