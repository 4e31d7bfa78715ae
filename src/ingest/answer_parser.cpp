#include "answer_parser.hpp"

#include <algorithm>

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>

namespace sluice::ingest {

namespace http = boost::beast::http;

AnswerParser::AnswerParser(bool to_head) {
  header_limit(static_cast<std::uint32_t>(answer_head_bytes_max));
  body_limit(boost::none);
  skip(to_head);
}

AnswerParser::Step AnswerParser::take(ReadBuffer& in) {
  bool stuck = false;
  while (!is_done()) {
    if (in.empty() || may_be_part_of_end(in)) {
      return body_.empty() ? Step::needs_more : Step::body;
    }
    error_code error;
    const bool had_head = is_header_done();
    const std::size_t taken = put(boost::asio::const_buffer(in.data().data(), in.size()), error);
    in.consume(taken);
    // Beast compares its limit with what it is given at once.
    head_bytes_ += had_head ? 0 : taken;
    if (!had_head && head_bytes_ > answer_head_bytes_max) {
      return Step::broken;
    }
    if (error == http::error::need_more) {
      if (in.size() >= answer_head_bytes_max) {
        return Step::broken;
      }
      return body_.empty() ? Step::needs_more : Step::body;
    }
    if (error || (taken == 0 && stuck)) {
      return Step::broken;
    }
    stuck = taken == 0;
    if (is_header_done() && !head_told_) {
      head_told_ = true;
      return Step::head;
    }
  }
  if (!head_told_) {
    head_told_ = true;
    return Step::head;
  }
  return Step::end;
}

bool AnswerParser::may_be_part_of_end(ReadBuffer& in) const {
  return is_header_done() && chunked() && chunk_left_bytes_ == 0 && !had_last_chunk_ &&
         may_begin_chunked_end(in.data());
}

AnswerParser::Step AnswerParser::take_end() {
  error_code error = http::error::partial_message;
  if (got_some()) {
    put_eof(error);
  }
  return error ? Step::broken : Step::end;
}

void AnswerParser::on_request_impl(http::verb, string_view, string_view, int, error_code&) {}

void AnswerParser::on_response_impl(int status, string_view reason, int version, error_code&) {
  head_.status = static_cast<unsigned>(status);
  head_.reason.assign(reason.data(), reason.size());
  head_.http11 = version >= 11;
}

void AnswerParser::on_field_impl(field name, string_view name_text, string_view value,
                                 error_code& error) {
  if (head_told_) {
    return;  // a trailer
  }
  if (name == field::transfer_encoding && !boost::beast::iequals(value, "chunked")) {
    error = http::error::bad_transfer_encoding;
  } else if (head_.fields.size() >= head_fields_max) {
    error = http::error::header_limit;
  } else if (has_control(value)) {
    error = http::error::bad_value;
  } else {
    head_.fields.push_back({.name = std::string(name_text), .value = std::string(value)});
  }
}

void AnswerParser::on_header_impl(error_code&) {}
void AnswerParser::on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) {}

std::size_t AnswerParser::on_body_impl(string_view bytes, error_code&) {
  body_.append(bytes.data(), bytes.size());
  return bytes.size();
}

void AnswerParser::on_chunk_header_impl(std::uint64_t size, string_view extensions,
                                        error_code& error) {
  if (has_control(extensions)) {
    error = http::error::bad_chunk_extension;
  }
  chunk_left_bytes_ = size;
  had_last_chunk_ = size == 0;
}

std::size_t AnswerParser::on_chunk_body_impl(std::uint64_t remain, string_view bytes, error_code&) {
  chunk_left_bytes_ = remain - bytes.size();
  body_.append(bytes.data(), bytes.size());
  return bytes.size();
}

void AnswerParser::on_finish_impl(error_code&) {}

}  // namespace sluice::ingest
