#include <ctime>
#include <iterator>
#include <string>

#include <fmt/format.h>

#include <sluice/base/clock.hpp>
#include <sluice/base/json_text.hpp>
#include <sluice/base/log.hpp>
#include <sluice/base/redactor.hpp>

#include "log_writer.hpp"

namespace sluice::log {
namespace {

std::atomic<Level> current_level{Level::info};
std::atomic<Format> current_format{Format::human};

std::string_view level_name(Level level) {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warn:
      return "warn";
    case Level::error:
      return "error";
    case Level::off:
      break;
  }
  return "off";
}

void append_value(std::string& out, const Field& field) {
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    append_json_string(out, *text);
    return;
  }
  std::visit([&](auto value) { fmt::format_to(std::back_inserter(out), "{}", value); },
             field.value);
}

std::string utc_now() {
  const std::int64_t ms = system_clock().wall_now().time_since_epoch().count();
  const std::time_t seconds = ms / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, ms % 1000);
}

// Whether this place may write now. Races between threads may let a line more or less through;
// a count held back is never lost.
bool admit(Site& site, std::uint64_t& held_back) {
  const auto now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                          std::chrono::steady_clock::now().time_since_epoch())
                          .count();
  const auto window_ms = std::chrono::milliseconds(log_window).count();
  std::int64_t start = site.window_start_ms.load(std::memory_order_relaxed);
  if (start == 0 || now_ms - start >= window_ms) {
    if (site.window_start_ms.compare_exchange_strong(start, now_ms, std::memory_order_relaxed)) {
      site.written.store(0, std::memory_order_relaxed);
      held_back = site.suppressed.exchange(0, std::memory_order_relaxed);
    }
  }
  if (site.written.fetch_add(1, std::memory_order_relaxed) < log_burst) {
    return true;
  }
  site.suppressed.fetch_add(1, std::memory_order_relaxed);
  return false;
}

std::string make_line(Level level, std::string_view message, std::initializer_list<Field> fields,
                      std::uint64_t held_back = 0) {
  const bool json = current_format.load(std::memory_order_relaxed) == Format::json;
  std::string line;
  line.reserve(256);
  if (json) {
    fmt::format_to(std::back_inserter(line), R"({{"time":"{}","level":"{}","message":)", utc_now(),
                   level_name(level));
    append_json_string(line, message);
  } else {
    fmt::format_to(std::back_inserter(line), "{} {:<5} {}", utc_now(), level_name(level), message);
  }
  const auto append_field = [&](const Field& field) {
    if (json) {
      line += ',';
      append_json_string(line, field.key);
      line += ':';
    } else {
      line += ' ';
      line += field.key;
      line += '=';
    }
    append_value(line, field);
  };
  for (const Field& field : fields) {
    append_field(field);
  }
  if (held_back > 0) {
    append_field({"suppressed", held_back});
  }
  line += json ? "}\n" : "\n";
  return line;
}

}  // namespace

void configure(Level level, Format format) {
  current_level.store(level, std::memory_order_relaxed);
  current_format.store(format, std::memory_order_relaxed);
}

bool enabled(Level level) { return level >= current_level.load(std::memory_order_relaxed); }

void write(Level level, Site& site, std::string_view message, std::initializer_list<Field> fields) {
  std::uint64_t held_back = 0;
  if (admit(site, held_back)) {
    Writer::instance().write(
        known_secrets().redacted(make_line(level, message, fields, held_back)));
  }
}

std::string make_dropped_line(std::uint64_t lines) {
  return make_line(Level::warn, "standard error took no lines for a while: some were dropped here",
                   {{"lines", lines}});
}

void write_in_background() { Writer::instance().start_thread(); }

void flush() { Writer::instance().flush(); }

void write_last(std::string_view text) noexcept {
  try {
    flush();
  } catch (...) {  // NOLINT(bugprone-empty-catch): the text is the reason
  }
  Writer::write_now(text);
}

std::uint64_t lines_dropped() { return Writer::instance().dropped(); }

}  // namespace sluice::log
