// Reads HTTP/1.1 answers off a connection, as fast as it takes to measure a server: status,
// Content-Length, Connection, and the counts that a gateway's 202 tells. It holds the connection's
// read buffer, allocates nothing, and takes its input in any pieces.
//
//   read into parser.space(); parser.commit(bytes);
//   while (parser.next(answer) == Step::answer) { ... }
//
// Not supported, and malformed: chunked bodies, and bodies that only the end of the connection
// ends.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace sluice::load {

// The members of the same names of {"accepted":N,"rejected":M,"duplicates":D,...}.
struct Counts {
  std::uint64_t accepted = 0;
  std::uint64_t rejected = 0;
  std::uint64_t duplicates = 0;

  bool operator==(const Counts&) const = default;
};

struct Answer {
  unsigned status = 0;
  bool keep_alive = true;  // false: the server closes the connection after it
  Counts counts;           // of a 202; else zeros
};

class ResponseParser {
 public:
  enum class Step : std::uint8_t {
    answer,      // one more is complete
    incomplete,  // more bytes are needed
    malformed,   // not an answer that we read; the connection is of no more use
  };

  static constexpr std::size_t buffer_bytes = 8UL << 10;  // also the longest head
  static constexpr std::size_t counts_bytes_max = 256;    // the counts come first in a body

  // Where to read to; never empty after next() said `incomplete`.
  [[nodiscard]] std::span<char> space();
  void commit(std::size_t bytes);
  [[nodiscard]] Step next(Answer& answer);
  // As new, for another connection.
  void reset();

 private:
  enum class State : std::uint8_t {
    head,     // of the next answer
    counts,   // the part of a body that may hold the counts
    rest,     // the part of a body that nobody looks at
    refused,  // malformed, for good
  };

  [[nodiscard]] std::string_view unread() const { return {buffer_.data() + begin_, end_ - begin_}; }
  [[nodiscard]] Step read_head();
  [[nodiscard]] bool parse_head(std::string_view head);
  [[nodiscard]] bool read_body();

  std::array<char, buffer_bytes> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  State state_ = State::head;
  Answer answer_;
  std::uint64_t body_bytes_left_ = 0;
};

// The counts in the beginning of a gateway's 202 body; zeros where there are none.
[[nodiscard]] Counts find_counts(std::string_view body);

}  // namespace sluice::load
