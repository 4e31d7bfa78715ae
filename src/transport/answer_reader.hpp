// An answer of the upstream being read from bytes as they come, without I/O: everything about it is
// bounded, and its status counts as soon as its head is there.
#pragma once

#include <optional>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/system/error_code.hpp>

#include <sluice/deliver/upstream.hpp>

namespace sluice::transport {

class AnswerReader {
 public:
  // More than this has no answer that we could use: its head, and what may wait to be parsed.
  static constexpr std::uint32_t head_bytes_max = 16U << 10;
  static constexpr std::size_t received_bytes_max = 64U << 10;

  // Fills in `answer`, which must outlive the reader.
  explicit AnswerReader(deliver::UpstreamAnswer& answer);

  // Parses what has been received, and consumes it up to the answer's end. need_more: it has not
  // ended yet. Any other error ends it: what came so far is in the answer.
  [[nodiscard]] boost::system::error_code take(boost::beast::flat_buffer& received);
  // No more will come.
  [[nodiscard]] boost::system::error_code end();
  // Whether the answer came whole, and leaves its connection open.
  [[nodiscard]] bool keeps_alive() const { return parser_->is_done() && parser_->keep_alive(); }

 private:
  // The body is read into memory of ours: what does not fit is never held.
  using Parser = boost::beast::http::response_parser<boost::beast::http::buffer_body>;

  void begin();
  void take_head();
  [[nodiscard]] std::optional<std::string> header(std::string_view name) const;
  // The body ends where the parser has got to.
  void end_body();

  deliver::UpstreamAnswer& answer_;
  std::optional<Parser> parser_;
  std::size_t head_bytes_ = 0;  // taken so far
};

}  // namespace sluice::transport
