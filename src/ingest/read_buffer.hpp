// The bytes of a connection that were read and not consumed yet, contiguous, so that heads and
// bodies are parsed where they were received.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace sluice::ingest {

class ReadBuffer {
 public:
  // Small, as most connections of many are idle; it grows with what a request needs.
  static constexpr std::size_t first_capacity_bytes = 8U << 10;

  [[nodiscard]] std::span<char> data() { return {storage_.get() + begin_, end_ - begin_}; }
  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  // Where the next bytes go; never empty.
  [[nodiscard]] std::span<char> free_space();
  void commit(std::size_t bytes) { end_ += bytes; }
  void consume(std::size_t bytes) { begin_ += bytes; }
  // Makes room for `bytes` from the beginning of data() on, and for `padding_bytes` behind them.
  void reserve(std::size_t bytes, std::size_t padding_bytes);
  // Gives memory back where there is more than `bytes_kept` of it and it is not needed.
  void trim(std::size_t bytes_kept);

 private:
  std::unique_ptr<char[]> storage_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace sluice::ingest
