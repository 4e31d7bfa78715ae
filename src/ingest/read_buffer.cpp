#include "read_buffer.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace sluice::ingest {

std::span<char> ReadBuffer::free_space() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
  }
  if (end_ == capacity_) {
    reserve(std::max(first_capacity_bytes, begin_ > 0 ? size() + 1 : 2 * size()), 0);
  }
  return {storage_.get() + end_, capacity_ - end_};
}

void ReadBuffer::reserve(std::size_t bytes, std::size_t padding_bytes) {
  const std::size_t needed = bytes + padding_bytes;
  if (begin_ + needed <= capacity_) {
    return;
  }
  const std::size_t kept = size();
  if (needed <= capacity_) {
    std::memmove(storage_.get(), storage_.get() + begin_, kept);
  } else {
    auto larger = std::make_unique_for_overwrite<char[]>(needed);
    if (kept > 0) {
      std::memcpy(larger.get(), storage_.get() + begin_, kept);
    }
    storage_ = std::move(larger);
    capacity_ = needed;
  }
  begin_ = 0;
  end_ = kept;
}

void ReadBuffer::trim(std::size_t bytes_kept) {
  if (capacity_ <= bytes_kept || size() > bytes_kept) {
    return;
  }
  ReadBuffer smaller;
  if (!empty()) {
    smaller.reserve(std::max(first_capacity_bytes, size()), 0);
    std::memcpy(smaller.storage_.get(), data().data(), size());
    smaller.commit(size());
  }
  *this = std::move(smaller);
}

}  // namespace sluice::ingest
