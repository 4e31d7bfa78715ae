// The answer of an upstream as it comes in, piece by piece; no I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <boost/beast/http/basic_parser.hpp>

#include "passthrough.hpp"
#include "read_buffer.hpp"

namespace sluice::ingest {

// Beast parses and checks. Stricter than Beast where it matters to whoever passes the answer on: no
// transfer coding but `chunked` (none other was asked for), no control characters in fields.
// Trailers are read and ignored.
class AnswerParser final : public boost::beast::http::basic_parser<false> {
 public:
  enum class Step : std::uint8_t {
    needs_more,  // all that was received has been taken
    head,        // the head is complete; once per answer
    body,        // there is more in body()
    end,         // the answer is complete
    broken,      // what came is no answer
  };

  // `to_head`: of a HEAD request, which has no body whatever the head says.
  explicit AnswerParser(bool to_head);

  // Takes what it can of `in`; to be called again until it needs more.
  Step take(ReadBuffer& in);
  // The upstream has closed the connection in order: end or broken.
  Step take_end();

  [[nodiscard]] const UpstreamHead& head() const { return head_; }
  // The pieces of the body that have not been cleared.
  [[nodiscard]] std::string& body() { return body_; }

 private:
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;
  using field = boost::beast::http::field;

  void on_request_impl(boost::beast::http::verb method, string_view method_text, string_view target,
                       int version, error_code& error) override;
  void on_response_impl(int status, string_view reason, int version, error_code& error) override;
  void on_field_impl(field name, string_view name_text, string_view value,
                     error_code& error) override;
  void on_header_impl(error_code& error) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>& content_length,
                         error_code& error) override;
  std::size_t on_body_impl(string_view bytes, error_code& error) override;
  void on_chunk_header_impl(std::uint64_t size, string_view extensions, error_code& error) override;
  std::size_t on_chunk_body_impl(std::uint64_t remain, string_view bytes,
                                 error_code& error) override;
  void on_finish_impl(error_code& error) override;

  // Whether what comes next could be the end of a chunked body, and not all of it has come.
  [[nodiscard]] bool may_be_part_of_end(ReadBuffer& in) const;

  UpstreamHead head_;
  std::string body_;
  std::uint64_t chunk_left_bytes_ = 0;
  bool had_last_chunk_ = false;
  std::size_t head_bytes_ = 0;  // taken so far
  bool head_told_ = false;
};

// The head of an answer may have so many bytes, and so may what chunks have around them.
inline constexpr std::size_t answer_head_bytes_max = 32U << 10;

}  // namespace sluice::ingest
