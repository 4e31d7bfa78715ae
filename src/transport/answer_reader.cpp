#include "answer_reader.hpp"

#include <algorithm>

#include <boost/beast/http/error.hpp>

namespace sluice::transport {

namespace http = boost::beast::http;
using boost::system::error_code;

AnswerReader::AnswerReader(deliver::UpstreamAnswer& answer) : answer_(answer) { begin(); }

void AnswerReader::begin() {
  parser_.emplace();
  parser_->header_limit(head_bytes_max);
  parser_->body_limit(boost::none);
  head_bytes_ = 0;
}

error_code AnswerReader::take(boost::beast::flat_buffer& received) {
  error_code error;
  while (!error && !parser_->is_done()) {
    if (received.size() == 0) {
      error = http::error::need_more;
      break;
    }
    const bool had_head = parser_->is_header_done();
    const std::size_t taken = parser_->put(received.data(), error);
    received.consume(taken);
    // Beast compares its limit with what it is given at once.
    head_bytes_ += had_head ? 0 : taken;
    if (!had_head && head_bytes_ > head_bytes_max) {
      error = http::error::header_limit;
    }
    if (error || had_head || !parser_->is_header_done()) {
      continue;
    }
    const unsigned status = parser_->get().result_int();
    if (status < 100) {
      error = http::error::bad_status;
    } else if (status < 200) {
      begin();  // the answer itself is still to come
    } else {
      take_head();
    }
  }
  if (error == http::error::need_more && received.size() == received_bytes_max) {
    error = http::error::buffer_overflow;
  }
  if (error != http::error::need_more) {
    end_body();
  }
  return error;
}

error_code AnswerReader::end() {
  error_code error = http::error::end_of_stream;
  if (parser_->got_some()) {
    parser_->put_eof(error);
  }
  end_body();
  return error;
}

void AnswerReader::take_head() {
  answer_.status = parser_->get().result_int();
  answer_.body_is_cut = true;
  answer_.retry_after = header("Retry-After");
  answer_.deprecated = header("X-API-DEPRECATED");
  answer_.date = header("Date");
  answer_.content_type = header("Content-Type").value_or("");
  const std::uint64_t announced_bytes =
      parser_->content_length().value_or(deliver::answer_body_bytes_max);
  answer_.body.resize(std::min<std::uint64_t>(parser_->is_done() ? 0 : announced_bytes,
                                              deliver::answer_body_bytes_max));
  auto& target = parser_->get().body();
  target.data = answer_.body.data();
  target.size = answer_.body.size();
  target.more = true;
  parser_->eager(true);
}

std::optional<std::string> AnswerReader::header(std::string_view name) const {
  const auto found = parser_->get().find({name.data(), name.size()});
  if (found == parser_->get().end()) {
    return std::nullopt;
  }
  return std::string(found->value().data(), found->value().size());
}

void AnswerReader::end_body() {
  if (answer_.status != 0) {
    answer_.body_is_cut = !parser_->is_done();
    answer_.body.resize(answer_.body.size() - parser_->get().body().size);
    parser_->get().body().size = 0;
  }
}

}  // namespace sluice::transport
