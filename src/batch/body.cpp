#include <cstring>
#include <string_view>

#include <sluice/base/assert.hpp>
#include <sluice/batch/body.hpp>

namespace sluice::batch {

std::size_t array_bytes(std::span<const EventRef> events) {
  std::size_t bytes = array_overhead_bytes;
  for (const EventRef& event : events) {
    bytes += element_bytes(event.record().size);
  }
  return bytes;
}

void assemble(std::span<const EventRef> events, std::string& body) {
  SLUICE_ASSERT(!events.empty());
  const std::size_t bytes = array_bytes(events);
  // Unlike resize(), this does not write a megabyte of zeros first. The size that libstdc++ 12
  // hands to the function may be larger than what was asked for, so the one that is meant is
  // returned.
  body.resize_and_overwrite(bytes, [events, bytes](char* out, std::size_t) {
    char separator = '[';
    for (const EventRef& event : events) {
      const std::string_view json = event.json();
      *out++ = separator;
      std::memcpy(out, json.data(), json.size());
      out += json.size();
      separator = ',';
    }
    *out = ']';
    return bytes;
  });
}

}  // namespace sluice::batch
