// Goal: whatever bytes a disk gives back, a record of the buffer decodes to nothing, or to
// something that encodes to the same bytes; and of whatever file, only records come out.
#include <algorithm>
#include <cstdint>

#include "codec.hpp"
#include "fuzz_support.hpp"
#include "raw_records.hpp"

namespace sluice::store {
namespace {

void check_group(std::string_view key, const std::string& value) {
  const auto stored = decode_group(key, value);
  if (!stored) {
    return;
  }
  const Group::Owner group = Group::make(stored->parts());
  std::string again;
  const std::uint32_t format = encode_group(key, *group, stored->head.before, again);
  // What can be compressed may be stored as it stands, or as another block.
  if (format != format_version_compressed && stored->uncompressed.empty()) {
    fuzz::check(again == value, "a group encodes to what it was decoded from");
    return;
  }
  const auto second = decode_group(key, again);
  fuzz::check(second && second->bytes() == stored->bytes() && second->keys == stored->keys &&
                  second->answer == stored->answer && second->traceparent == stored->traceparent &&
                  second->head.before == stored->head.before &&
                  second->head.own == stored->head.own &&
                  second->head.accepted_wall == stored->head.accepted_wall &&
                  second->records == stored->records,
              "a compressed group encodes to one that stands for the same");
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

class InMemory final : public RawBytes {
 public:
  explicit InMemory(std::string_view bytes) : bytes_(bytes) {}
  [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
  void read(std::uint64_t at, std::size_t size, std::string& out) override {
    out = bytes_.substr(std::min<std::uint64_t>(at, bytes_.size()), size);
  }

 private:
  std::string_view bytes_;
};

void check_file(std::string_view bytes) {
  const auto check = [](const RawEntry& entry) {
    fuzz::check(entry.is_removal || is_sealed(entry.key, entry.value), "what is found is a record");
  };
  InMemory file(bytes);
  find_in_log(file, check);
  find_in_table(file, check);
}

}  // namespace
}  // namespace sluice::store

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string value(reinterpret_cast<const char*>(data), size);
  const std::string key = sluice::store::make_key(sluice::store::Tag::group, 1, 1);
  sluice::store::check_file(value);
  sluice::store::check_record(key, value);
  sluice::store::seal(key, value);
  sluice::store::check_record(key, value);
  return 0;
}
