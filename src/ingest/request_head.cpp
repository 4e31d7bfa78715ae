#include "request_head.hpp"

#include <algorithm>
#include <limits>

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>

#include <sluice/base/ascii.hpp>
#include <sluice/base/authority.hpp>

#include "routes.hpp"

namespace sluice::ingest {

namespace http = boost::beast::http;

namespace {

bool is_kept_whole(KeepWhole which, std::string_view path) {
  const auto route = find_route(path);
  return !route || (is_about_key(route->id) && which == KeepWhole::unrouted_or_login);
}

// Whether the value does not follow its name on the same line: Beast has unfolded it.
bool is_folded(boost::beast::string_view name, boost::beast::string_view value) {
  const char* at = name.data() + name.size() + 1;  // behind the colon
  while (at != value.data() && (*at == ' ' || *at == '\t')) {
    ++at;
  }
  return at != value.data();
}

}  // namespace

void RequestHead::clear() {
  method = {};
  for (std::string* text : {&target, &content_type, &content_encoding, &authorization, &api_key,
                            &request_id, &idempotency_key, &prefer, &traceparent}) {
    text->clear();
  }
  expects_continue = false;
  repeated = false;
  whole = false;
}

std::string_view RequestHead::path() const {
  return std::string_view(target).substr(0, target.find('?'));
}

bool RequestHead::has_usable_request_id() const {
  return !request_id.empty() && request_id.size() <= 128 &&
         std::ranges::all_of(request_id, [](char c) { return c > 0x20 && c < 0x7F && c != '"'; });
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
  });
}

bool may_begin_chunked_end(std::span<const char> received) {
  constexpr std::size_t end_bytes = 5;
  return received.size() < end_bytes && (received.front() == '0' || received.front() == '\r');
}

RequestParser::RequestParser(RequestHead& head, std::string& body, std::size_t head_bytes_max,
                             std::size_t body_bytes_max, KeepWhole keep_whole)
    : head_(head), body_(body), body_bytes_max_(body_bytes_max), keep_whole_(keep_whole) {
  head_.clear();
  body_.clear();
  header_limit(static_cast<std::uint32_t>(
      std::min<std::size_t>(head_bytes_max, std::numeric_limits<std::uint32_t>::max())));
  body_limit(boost::none);  // lengths are checked where the answer can say so
}

void RequestParser::on_request_impl(verb method, string_view method_text, string_view target,
                                    int version, error_code& error) {
  is_http11_ = version >= 11;
  head_.method = method;  // an answer to HEAD has no body, whatever is wrong
  if (!set_target({target.data(), target.size()})) {
    error = http::error::bad_target;
    return;
  }
  if (keep_whole_ != KeepWhole::never && is_kept_whole(keep_whole_, head_.path())) {
    head_.whole = true;
    head_.http11 = is_http11_;
    head_.method_text.assign(method_text.data(), method_text.size());
    head_.fields.clear();
  }
}

bool RequestParser::set_target(std::string_view target) {
  // A fragment has no place here (RFC 9112, 3.2.1), and some servers cut it off.
  if (target.find('#') != std::string_view::npos) {
    return false;
  }
  if (target.front() == '/' || (target == "*" && head_.method == verb::options)) {
    head_.target = target;
    return true;
  }
  // As clients ask a proxy. Whatever authority it names, and whatever Host says: this is the server
  // (RFC 9112, 3.2.2).
  auto absolute = parse_absolute_target(target);
  if (absolute) {
    const bool is_server = head_.method == verb::options && absolute->origin_form == "/";
    head_.target = is_server ? "*" : std::move(absolute->origin_form);
  }
  return absolute.has_value();
}

void RequestParser::on_response_impl(int, string_view, int, error_code&) {}

void RequestParser::check_framing(field name, string_view value, error_code& error) {
  if (name == field::content_length) {
    if (has_length_ || !std::all_of(value.begin(), value.end(), sluice::is_digit)) {
      error = http::error::bad_content_length;
    }
    has_length_ = true;
  } else if (name == field::transfer_encoding) {
    if (!is_http11_ || !boost::beast::iequals(value, "chunked")) {
      error = http::error::bad_transfer_encoding;
    }
  } else if (name == field::host) {
    if (has_host_) {
      error = http::error::bad_value;
    }
    has_host_ = true;
  }
}

void RequestParser::on_field_impl(field name, string_view name_text, string_view value,
                                  error_code& error) {
  if (++fields_ > head_fields_max) {
    error = http::error::header_limit;
  } else if (is_folded(name_text, value)) {
    error = http::error::bad_value;
  } else if (!in_trailers_) {
    check_framing(name, value, error);
  }
  if (error || in_trailers_) {
    return;
  }
  if (head_.whole) {
    head_.fields.push_back({.name = std::string(name_text), .value = std::string(value)});
  }
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
      // Of a client of HTTP/1.0 it means nothing (RFC 9110, 10.1.1).
      head_.expects_continue = is_http11_ && boost::beast::iequals(value, "100-continue");
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
  } else if (boost::beast::iequals(name_text, "traceparent")) {
    // Two of them, joined as a list, are not a valid one: the request goes without.
    head_.traceparent += head_.traceparent.empty() ? "" : ",";
    head_.traceparent.append(value.data(), value.size());
  }
}

void RequestParser::on_header_impl(error_code&) {
  in_trailers_ = true;
  fields_ = 0;
}
void RequestParser::on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) {}

std::size_t RequestParser::on_body_impl(string_view bytes, error_code&) { return bytes.size(); }

void RequestParser::on_chunk_header_impl(std::uint64_t size, chunk_extensions extensions,
                                         error_code& error) {
  had_last_chunk_ = size == 0;
  if (has_control(extensions)) {
    error = http::error::bad_chunk_extension;
  } else if (size > body_bytes_max_ - body_.size()) {
    error = http::error::body_limit;
  }
}

std::size_t RequestParser::on_chunk_body_impl(std::uint64_t, string_view bytes, error_code&) {
  body_.append(bytes.data(), bytes.size());
  return bytes.size();
}

void RequestParser::on_finish_impl(error_code&) {}

}  // namespace sluice::ingest
