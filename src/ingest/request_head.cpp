#include "request_head.hpp"

#include <limits>

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>

namespace sluice::ingest {

namespace http = boost::beast::http;

void RequestHead::clear() {
  method = {};
  for (std::string* text : {&target, &content_type, &content_encoding, &authorization, &api_key,
                            &request_id, &idempotency_key, &prefer}) {
    text->clear();
  }
  expects_continue = false;
  repeated = false;
}

std::string_view RequestHead::path() const {
  return std::string_view(target).substr(0, target.find('?'));
}

RequestParser::RequestParser(RequestHead& head, std::string& body, std::size_t head_bytes_max,
                             std::size_t body_bytes_max)
    : head_(head), body_(body), body_bytes_max_(body_bytes_max) {
  head_.clear();
  body_.clear();
  header_limit(static_cast<std::uint32_t>(
      std::min<std::size_t>(head_bytes_max, std::numeric_limits<std::uint32_t>::max())));
  body_limit(boost::none);  // lengths are checked where the answer can say so
}

void RequestParser::on_request_impl(verb method, string_view, string_view target, int,
                                    error_code&) {
  head_.method = method;
  head_.target.assign(target.data(), target.size());
}

void RequestParser::on_response_impl(int, string_view, int, error_code&) {}

void RequestParser::on_field_impl(field name, string_view name_text, string_view value,
                                  error_code&) {
  const auto keep = [&](std::string& text) {
    head_.repeated |= !text.empty();
    text.assign(value.data(), value.size());
  };
  switch (name) {
    case field::content_type:
      keep(head_.content_type);
      return;
    case field::content_encoding:
      keep(head_.content_encoding);
      return;
    case field::authorization:
      keep(head_.authorization);
      return;
    case field::prefer:
      keep(head_.prefer);
      return;
    case field::expect:
      head_.expects_continue = boost::beast::iequals(value, "100-continue");
      return;
    case field::unknown:
      break;
    default:
      return;
  }
  if (boost::beast::iequals(name_text, "x-request-id")) {
    keep(head_.request_id);
  } else if (boost::beast::iequals(name_text, "idempotency-key")) {
    keep(head_.idempotency_key);
  } else if (boost::beast::iequals(name_text, "x-api-key")) {
    keep(head_.api_key);
  }
}

void RequestParser::on_header_impl(error_code&) {}
void RequestParser::on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) {}

std::size_t RequestParser::on_body_impl(string_view bytes, error_code&) { return bytes.size(); }

void RequestParser::on_chunk_header_impl(std::uint64_t size, chunk_extensions, error_code& error) {
  if (size > body_bytes_max_ - body_.size()) {
    error = http::error::body_limit;
  }
}

std::size_t RequestParser::on_chunk_body_impl(std::uint64_t, string_view bytes, error_code&) {
  body_.append(bytes.data(), bytes.size());
  return bytes.size();
}

void RequestParser::on_finish_impl(error_code&) {}

}  // namespace sluice::ingest
