// The head of an HTTP request, as far as ingest reads it. Beast parses and checks; only the fields
// that matter are kept, in strings that are reused, so that a request allocates nothing in the
// steady state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/verb.hpp>

namespace sluice::ingest {

struct HeadField {
  std::string name;
  std::string value;
};

struct RequestHead {
  boost::beast::http::verb method{};
  std::string target;
  std::string content_type;
  std::string content_encoding;
  std::string authorization;
  std::string api_key;          // X-Api-Key
  std::string request_id;       // X-Request-Id
  std::string idempotency_key;  // Idempotency-Key
  std::string prefer;           // Prefer
  std::string traceparent;      // traceparent; one that came twice is none
  bool expects_continue = false;
  bool repeated = false;  // a field that may come once came twice
  // Of a request that may be passed through only (see KeepWhole): all of it.
  std::string method_text;
  std::vector<HeadField> fields;
  bool whole = false;
  bool http11 = true;

  void clear();
  // The target without its query.
  [[nodiscard]] std::string_view path() const;
  // Whether the caller's request id can stand in a header and a log as it is.
  [[nodiscard]] bool has_usable_request_id() const;
};

// Of which requests the head is kept as a whole, to be passed through.
enum class KeepWhole : std::uint8_t {
  never,
  unrouted,           // of those that are none of the gateway's own
  unrouted_or_login,  // of what is about the caller's key, too
};

// A head has at most so many fields, and so have trailers.
inline constexpr std::size_t head_fields_max = 128;

// Whether there is a control character but a tab, such as a line feed at which some end a line.
[[nodiscard]] bool has_control(std::string_view text);

// Whether this may be the beginning of a chunked body's end, `0 CRLF CRLF`, and not all of it.
// The Beast of Boost 1.81 relies on getting that in one piece: with less behind the size of a last
// chunk it trips an assertion. That of 1.88 takes the size by itself, and what comes then is no
// such end any more. `received` is not empty.
[[nodiscard]] bool may_begin_chunked_end(std::span<const char> received);

// Parses one request: the head as a whole, and a chunked body; a body of a stated length is for the
// caller to take from its buffer. Limits: `head_bytes_max` by header_limit(), `body_bytes_max`
// here.
//
// Stricter than Beast where proxies are known to disagree on where a request ends (RFC 9112, 5.2,
// 6.1, 6.3): one Content-Length of digits alone, no transfer coding but `chunked`, none in
// HTTP/1.0, no folded lines, one Host. Targets are in origin or absolute form, which is kept in
// origin form; `*` goes with OPTIONS. Trailers are read and ignored.
class RequestParser final : public boost::beast::http::basic_parser<true> {
 public:
  // Both must outlive the parser. `body` takes the data of a chunked body.
  RequestParser(RequestHead& head, std::string& body, std::size_t head_bytes_max,
                std::size_t body_bytes_max, KeepWhole keep_whole = KeepWhole::never);

  // Once the head has been parsed: a limit of the request's own, of what is in `body` and is
  // announced by a chunk.
  void limit_body(std::size_t bytes_max) { body_bytes_max_ = bytes_max; }
  // The size of the last chunk was taken: trailers and an empty line follow, or were taken as well.
  [[nodiscard]] bool had_last_chunk() const { return had_last_chunk_; }

 private:
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;
  using verb = boost::beast::http::verb;
  using field = boost::beast::http::field;
  using chunk_extensions = string_view;

  void on_request_impl(verb method, string_view method_text, string_view target, int version,
                       error_code& error) override;
  void on_response_impl(int status, string_view reason, int version, error_code& error) override;
  void on_field_impl(field name, string_view name_text, string_view value,
                     error_code& error) override;
  void on_header_impl(error_code& error) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>& content_length,
                         error_code& error) override;
  std::size_t on_body_impl(string_view bytes, error_code& error) override;
  void on_chunk_header_impl(std::uint64_t size, chunk_extensions extensions,
                            error_code& error) override;
  std::size_t on_chunk_body_impl(std::uint64_t remain, string_view bytes,
                                 error_code& error) override;
  void on_finish_impl(error_code& error) override;

  // False for what is no target that the gateway serves.
  bool set_target(std::string_view target);
  void check_framing(field name, string_view value, error_code& error);

  RequestHead& head_;
  std::string& body_;
  std::size_t body_bytes_max_;
  KeepWhole keep_whole_;
  std::size_t fields_ = 0;
  bool is_http11_ = true;
  bool in_trailers_ = false;
  bool had_last_chunk_ = false;
  bool has_length_ = false;
  bool has_host_ = false;
};

}  // namespace sluice::ingest
