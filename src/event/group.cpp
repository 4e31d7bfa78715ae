#include <cstring>
#include <new>

#include <sluice/base/assert.hpp>
#include <sluice/event/group.hpp>

namespace sluice {
namespace {

// The records begin right after the header, the bytes right after the records.
static_assert(alignof(Group) >= alignof(EventRecord));
static_assert(sizeof(Group) % alignof(EventRecord) == 0);

EventRecord* records_of(Group* group) {
  return std::launder(
      reinterpret_cast<EventRecord*>(reinterpret_cast<std::byte*>(group) + sizeof(Group)));
}

}  // namespace

Group::Group(std::uint32_t record_count, std::uint32_t byte_count, MonoTime accepted_at)
    : open_events(record_count),
      record_count_(record_count),
      byte_count_(byte_count),
      accepted_at_(accepted_at) {}

Group::Owner Group::make(std::span<const EventRecord> records, std::string_view bytes,
                         MonoTime accepted_at) {
  SLUICE_ASSERT(!records.empty());
  SLUICE_ASSERT(records.back().offset + records.back().size <= bytes.size());
  void* block = ::operator new(sizeof(Group) + records.size_bytes() + bytes.size());
  Owner group(new (block) Group(static_cast<std::uint32_t>(records.size()),
                                static_cast<std::uint32_t>(bytes.size()), accepted_at));
  std::byte* after_header = static_cast<std::byte*>(block) + sizeof(Group);
  std::memcpy(after_header, records.data(), records.size_bytes());
  std::memcpy(after_header + records.size_bytes(), bytes.data(), bytes.size());
  return group;
}

void Group::Free::operator()(Group* group) const {
  group->~Group();
  ::operator delete(group);
}

std::span<const EventRecord> Group::records() const {
  return {records_of(const_cast<Group*>(this)), record_count_};
}

std::string_view Group::json(std::size_t index) const {
  const std::span<const EventRecord> all = records();
  const EventRecord& record = all[index];
  const char* bytes = reinterpret_cast<const char*>(all.data() + all.size());
  return {bytes + record.offset, record.size};
}

std::size_t Group::footprint_bytes() const {
  return sizeof(Group) + record_count_ * sizeof(EventRecord) + byte_count_;
}

}  // namespace sluice
