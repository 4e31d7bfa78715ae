// Undoing the content coding of a request body (RFC 9110, 8.4.1), within a limit.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <sluice/base/result.hpp>

namespace sluice::ingest {

enum class ContentCoding : std::uint8_t { identity, gzip, deflate, zstd };

// The coding that the field Content-Encoding names; nothing for one, or a chain, that is not
// supported.
[[nodiscard]] std::optional<ContentCoding> find_content_coding(std::string_view field);

enum class DecodeError : std::uint8_t {
  broken,     // not what the coding says, or cut off
  too_large,  // the limit was reached: a bomb, or simply too much
};

// One per ingest thread: the libraries' state and the output are reused. Not thread-safe.
class ContentDecoder {
 public:
  ContentDecoder();
  ~ContentDecoder();
  ContentDecoder(const ContentDecoder&) = delete;
  ContentDecoder& operator=(const ContentDecoder&) = delete;

  // The decoded bytes; valid until the next call. `padding_bytes` are writable behind them.
  Result<std::span<char>, DecodeError> decode(ContentCoding coding, std::span<const char> body,
                                              std::size_t bytes_max, std::size_t padding_bytes);
  // What the last call has made, whatever came of it.
  [[nodiscard]] std::size_t produced_bytes() const { return produced_bytes_; }

 private:
  class Inflate;
  class Unzstd;
  std::unique_ptr<Inflate> inflate_;
  std::unique_ptr<Unzstd> unzstd_;
  std::string output_;
  std::size_t produced_bytes_ = 0;
};

}  // namespace sluice::ingest
