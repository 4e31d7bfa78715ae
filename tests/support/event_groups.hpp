// Groups for tests: each event's JSON is its number, padded with spaces to a size.
#pragma once

#include <charconv>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <sluice/event/group.hpp>

namespace sluice::test {

struct EventSpec {
  std::uint64_t number;
  std::uint64_t profile = 0;
  EventKind kind = EventKind::event;
  std::size_t size = 0;  // at least the digits of the number
};

inline Group::Owner make_group(std::span<const EventSpec> specs, MonoTime accepted_at = {}) {
  std::string bytes;
  std::vector<EventRecord> records;
  for (const EventSpec& spec : specs) {
    std::string json = std::to_string(spec.number);
    json.resize(std::max(json.size(), spec.size), ' ');
    records.push_back({.offset = static_cast<std::uint32_t>(bytes.size()),
                       .size = static_cast<std::uint32_t>(json.size()),
                       .profile_hash = spec.profile,
                       .kind = spec.kind});
    bytes += json;
  }
  return Group::make({.records = records,
                      .bytes = bytes,
                      .dedup_keys = {},
                      .answer = {},
                      .accepted_at = accepted_at,
                      .accepted_wall = {}});
}

inline std::uint64_t number_of(EventRef event) {
  const std::string_view json = event.json();
  std::uint64_t number = 0;
  std::from_chars(json.data(), json.data() + json.size(), number);
  return number;
}

// "1 2 3"
inline std::string numbers_of(std::span<const EventRef> events) {
  std::string text;
  for (const EventRef event : events) {
    text += (text.empty() ? "" : " ") + std::to_string(number_of(event));
  }
  return text;
}

}  // namespace sluice::test
