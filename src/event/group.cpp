#include <cstring>
#include <memory>
#include <new>

#include <sluice/base/assert.hpp>
#include <sluice/event/group.hpp>

namespace sluice {
namespace {

// Behind the header lie the records, then the keys, then the bytes, then the traceparent.
static_assert(alignof(Group) >= alignof(EventRecord) && alignof(EventRecord) >= alignof(DedupKey));
static_assert(sizeof(Group) % alignof(EventRecord) == 0);
static_assert(sizeof(EventRecord) % alignof(DedupKey) == 0);

std::size_t bytes_of(std::span<const EventRecord> records) {
  std::size_t bytes = 0;
  for (const EventRecord& record : records) {
    bytes += record.size;
  }
  return bytes;
}

template <class T>
const T* behind(const void* object, std::size_t distance) {
  return std::launder(reinterpret_cast<const T*>(static_cast<const std::byte*>(object) + distance));
}

// Copies the records and their slices, without what lies between those.
void copy_events(const Group::Parts& parts, EventRecord* records, char* bytes) {
  std::uint32_t offset = 0;
  for (const EventRecord& record : parts.records) {
    SLUICE_ASSERT(std::size_t{record.offset} + record.size <= parts.bytes.size());
    std::memcpy(bytes + offset, parts.bytes.data() + record.offset, record.size);
    EventRecord* const copy = new (records++) EventRecord(record);
    copy->offset = offset;
    offset += record.size;
  }
}

}  // namespace

Group::Group(const Parts& parts, std::size_t byte_count)
    : open_events(static_cast<std::uint32_t>(parts.records.size())),
      record_count_(static_cast<std::uint32_t>(parts.records.size())),
      byte_count_(static_cast<std::uint32_t>(byte_count)),
      key_count_(static_cast<std::uint32_t>(parts.dedup_keys.size())),
      producer_(parts.producer),
      traceparent_size_(static_cast<std::uint32_t>(parts.traceparent.size())),
      accepted_at_(parts.accepted_at),
      accepted_wall_(parts.accepted_wall),
      answer_(parts.answer) {}

Group::Owner Group::make(const Parts& parts) {
  SLUICE_ASSERT(!parts.records.empty() || parts.answer);
  const std::size_t byte_count = bytes_of(parts.records);
  void* block =
      ::operator new(sizeof(Group) + parts.records.size_bytes() + parts.dedup_keys.size_bytes() +
                     byte_count + parts.traceparent.size());
  Owner group(new (block) Group(parts, byte_count));
  std::byte* const records = static_cast<std::byte*>(block) + sizeof(Group);
  std::byte* const keys = records + parts.records.size_bytes();
  std::byte* const bytes = keys + parts.dedup_keys.size_bytes();
  copy_events(parts, reinterpret_cast<EventRecord*>(records), reinterpret_cast<char*>(bytes));
  std::ranges::uninitialized_copy(
      parts.dedup_keys, std::span(reinterpret_cast<DedupKey*>(keys), parts.dedup_keys.size()));
  if (!parts.traceparent.empty()) {
    std::memcpy(bytes + byte_count, parts.traceparent.data(), parts.traceparent.size());
  }
  return group;
}

void Group::Free::operator()(Group* group) const {
  group->~Group();
  ::operator delete(group);
}

std::span<const EventRecord> Group::records() const {
  return {behind<EventRecord>(this, sizeof(Group)), record_count_};
}

std::span<const DedupKey> Group::dedup_keys() const {
  return {behind<DedupKey>(this, sizeof(Group) + records().size_bytes()), key_count_};
}

std::string_view Group::bytes() const {
  return {behind<char>(this, sizeof(Group) + records().size_bytes() + dedup_keys().size_bytes()),
          byte_count_};
}

std::string_view Group::traceparent() const {
  const std::string_view before = bytes();
  return {before.data() + before.size(), traceparent_size_};
}

std::string_view Group::json(std::size_t index) const {
  const EventRecord& record = records()[index];
  return bytes().substr(record.offset, record.size);
}

std::size_t Group::footprint_bytes() const {
  return sizeof(Group) + records().size_bytes() + dedup_keys().size_bytes() + byte_count_ +
         traceparent_size_;
}

}  // namespace sluice
