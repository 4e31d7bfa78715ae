// Goal: whatever bytes a disk gives back, a record of the buffer decodes to nothing, or to
// something that encodes to the same bytes.
#include <cstdint>

#include "codec.hpp"
#include "fuzz_support.hpp"

namespace sluice::store {
namespace {

void check_group(std::string_view key, const std::string& value) {
  const auto stored = decode_group(key, value);
  if (!stored) {
    return;
  }
  const Group::Owner group = Group::make({.records = stored->records,
                                          .bytes = stored->bytes(),
                                          .dedup_keys = stored->keys,
                                          .answer = stored->answer,
                                          .accepted_at = {},
                                          .accepted_wall = stored->head.accepted_wall,
                                          .traceparent = stored->traceparent});
  std::string again;
  encode_group(key, *group, stored->head.before, again);
  // The same bytes can be compressed to others.
  const auto stored_again = decode_group(key, again);
  fuzz::check(stored_again && stored_again->bytes() == stored->bytes() &&
                  (again == value || again.size() != value.size() || value.size() > 1024),
              "a group encodes to what it was decoded from");
}

void check_keys(std::string_view key, const std::string& value) {
  const auto stored = decode_keys(key, value);
  if (!stored) {
    return;
  }
  const EventRecord record{};
  const Group::Owner group = Group::make({.records = std::span(&record, 1),
                                          .bytes = "",
                                          .dedup_keys = stored->keys,
                                          .answer = stored->answer,
                                          .accepted_at = {},
                                          .accepted_wall = stored->accepted_wall});
  std::string again;
  encode_keys(key, *group, again);
  fuzz::check(again == value, "keys encode to what they were decoded from");
}

void check_record(std::string_view key, const std::string& value) {
  check_group(key, value);
  check_keys(key, value);
  if (const auto appended = decode_appended(key, value)) {
    fuzz::check(encode_appended(key, *appended) == value, "a name encodes to what it was");
  }
  if (const auto position = decode_position(key, value)) {
    fuzz::check(encode_position(key, *position) == value, "a position encodes to what it was");
  }
}

}  // namespace
}  // namespace sluice::store

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string value(reinterpret_cast<const char*>(data), size);
  const std::string key = sluice::store::make_key(sluice::store::Tag::group, 1, 1);
  sluice::store::check_record(key, value);
  sluice::store::seal(key, value);
  sluice::store::check_record(key, value);
  return 0;
}
