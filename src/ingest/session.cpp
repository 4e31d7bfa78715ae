#include "session.hpp"

#include <algorithm>
#include <utility>

#include <boost/beast/http/error.hpp>

#include <sluice/base/assert.hpp>

namespace sluice::ingest {
namespace {

namespace http = boost::beast::http;

// Answers to pipelined requests are written once so many bytes have come together.
constexpr std::size_t output_bytes_max = 64U << 10;
// The body of a refused request is read and dropped up to this size, so that the connection lives
// on.
constexpr std::size_t skipped_body_bytes_max = 256U << 10;
// A body that is passed through is read in pieces of up to this size.
constexpr std::size_t relay_read_bytes = 16U << 10;
// An output larger than this was an exception, and its memory is given back.
constexpr std::size_t output_bytes_kept = 16U << 10;
// A connection that waits for its next request keeps no more room for it.
constexpr std::size_t input_bytes_kept = 1U << 20;
// More of them before a request are no request.
constexpr std::size_t empty_lines_max = 4;

}  // namespace

Session::Session(Handler& handler, const SessionLimits& limits,
                 buffer::Buffer::Acknowledge acknowledge)
    : handler_(handler), limits_(limits), acknowledge_(std::move(acknowledge)) {}

Session::Next Session::next(MonoTime now) {
  now_ = now;
  bool progress = true;
  while (progress && out_.size() < output_bytes_max) {
    switch (phase_) {
      case Phase::head:
        progress = read_head(now);
        break;
      case Phase::body:
        progress = read_body();
        break;
      case Phase::chunked_body:
        progress = read_chunked_body();
        break;
      case Phase::examining:
      case Phase::waiting:
      case Phase::relaying:
      case Phase::closing:
        progress = false;
        break;
    }
  }
  if (!out_.empty()) {
    deadline_ = now + limits_.write_timeout;
    return Next::write;
  }
  switch (phase_) {
    case Phase::examining:
      deadline_ = MonoTime::max();
      return Next::examine;
    case Phase::waiting:
      deadline_ = MonoTime::max();
      return Next::acknowledge;
    case Phase::relaying:
      deadline_ = MonoTime::max();
      return Next::relay;
    case Phase::closing:
      return Next::close;
    case Phase::head:
      deadline_ = head_begun_ ? started_ + limits_.head_timeout : now + limits_.idle_timeout;
      return Next::read;
    default:
      deadline_ = started_ + limits_.body_timeout;
      return Next::read;
  }
}

// Clients that count wrongly send one behind a body (RFC 9112, 2.2).
bool Session::skip_empty_lines() {
  while (in_.size() >= 2 && in_.data()[0] == '\r' && in_.data()[1] == '\n' &&
         empty_lines_ < empty_lines_max) {
    in_.consume(2);
    ++empty_lines_;
  }
  return in_.size() != 1 || in_.data()[0] != '\r' || empty_lines_ == empty_lines_max;
}

bool Session::read_head(MonoTime now) {
  const bool complete = head_begun_ || skip_empty_lines();
  if (!complete) {
    return false;
  }
  if (!head_begun_) {
    if (in_.empty()) {
      if (handler_.draining()) {
        phase_ = Phase::closing;
      }
      return false;
    }
    head_begun_ = true;
    head_bytes_ = 0;
    started_ = now;
    parser_.emplace(head_, chunked_, limits_.head_bytes_max, handler_.body_bytes_max(),
                    handler_.keep_whole());
  }
  const Parsed parsed = parse();
  if (parsed == Parsed::needs_more) {
    return false;
  }
  if (parsed == Parsed::some && parser_->is_header_done()) {
    begin_request();
  }
  return true;
}

// Hands the parser what was received; what it cannot parse is refused here.
Session::Parsed Session::parse() {
  const bool chunked = phase_ != Phase::head;
  // Between a chunk's size and its data the parser takes no bytes for progress.
  if (in_.empty()) {
    return Parsed::needs_more;
  }
  const std::span<char> data = in_.data();
  if (chunked && !parser_->had_last_chunk() && may_begin_chunked_end(data)) {
    return Parsed::needs_more;
  }
  boost::beast::error_code error;
  const std::size_t body_bytes = chunked_.size();
  const std::size_t taken =
      parser_->put(boost::asio::const_buffer(data.data(), data.size()), error);
  in_.consume(taken);
  if (chunked && (!error || error == http::error::need_more)) {
    // Beast limits the head, but neither chunk extensions nor trailers.
    const std::size_t framing = error ? in_.size() : taken - (chunked_.size() - body_bytes);
    if (framing > limits_.head_bytes_max) {
      error = http::error::header_limit;
    }
  }
  if (!chunked && (!error || error == http::error::need_more)) {
    // Beast compares with its limit what it is given at once: a head can be paced.
    head_bytes_ += taken;
    if (head_bytes_ + (error ? in_.size() : 0) > limits_.head_bytes_max) {
      error = http::error::header_limit;
    }
  }
  if (error == http::error::need_more) {
    return Parsed::needs_more;
  }
  if (error) {
    refuse_unparsable(error);
    return Parsed::refused;
  }
  return Parsed::some;
}

void Session::begin_request() {
  body_bytes_ = static_cast<std::size_t>(parser_->content_length().value_or(0));
  const bool body_follows = parser_->chunked() || body_bytes_ > 0;
  close_after_answer_ = !parser_->keep_alive() || parser_->upgrade();
  if (limits_.requests_max != 0 && ++requests_ >= limits_.requests_max && !close_after_answer_) {
    close_after_answer_ = true;
    handler_.probe().connections_retired.add();
  }
  auto looked = handler_.look_at(head_, peer_.get());
  if (!looked) {
    const auto route = find_route(head_.path());
    refuse(looked.error(), route ? route->id : RouteId::unknown, body_follows);
    return;
  }
  admitted_ = *looked;
  is_known_ = is_known_ || admitted_->is_known();
  if (admitted_->passthrough != nullptr) {
    begin_relay();
    return;
  }
  if (body_bytes_ > admitted_->body_bytes_max) {
    refuse(body_too_large(*admitted_), admitted_->route.id, body_follows);
    return;
  }
  if (head_.expects_continue && body_follows &&
      in_.size() < std::max<std::size_t>(body_bytes_, 1)) {
    out_ += continue_answer;
  }
  if (parser_->chunked()) {
    parser_->limit_body(admitted_->body_bytes_max);
    phase_ = Phase::chunked_body;
    return;
  }
  phase_ = Phase::body;
  in_.reserve(body_bytes_, normalise::Normaliser::padding_bytes);
}

bool Session::read_body() {
  if (skip_body_) {
    const std::size_t skipped = std::min(body_bytes_, in_.size());
    in_.consume(skipped);
    body_bytes_ -= skipped;
    if (body_bytes_ > 0) {
      return false;
    }
    end_request();
    return true;
  }
  if (in_.size() < body_bytes_) {
    return false;
  }
  handle(in_.data().first(body_bytes_));
  return true;
}

bool Session::read_chunked_body() {
  while (!parser_->is_done()) {
    const Parsed parsed = parse();
    if (parsed != Parsed::some) {
      return parsed == Parsed::refused;
    }
  }
  const std::size_t size = chunked_.size();
  chunked_.resize(size + normalise::Normaliser::padding_bytes);
  handle(std::span(chunked_).first(size));
  return true;
}

void Session::begin_relay() {
  body_length_.reset();
  if (const auto length = parser_->content_length()) {
    body_length_ = *length;
  }
  relayed_bytes_ = 0;
  const std::size_t bytes_max = admitted_->options->tables->passthrough.max_body_bytes;
  if (body_bytes_ > bytes_max) {
    refuse(above_relay_limit(), admitted_->route.id, true);
    return;
  }
  if (parser_->chunked() || body_bytes_ > 0) {
    in_.reserve(relay_read_bytes, 0);
  }
  parser_->limit_body(bytes_max);
  phase_ = Phase::relaying;
}

Problem Session::above_relay_limit() const {
  return {.refusal = Refusal::body_too_large,
          .message = "the body is above passthrough.max_body_bytes (" +
                     std::to_string(admitted_->options->tables->passthrough.max_body_bytes) + ")",
          .limit = BodyLimit::passthrough};
}

Session::Piece Session::take_body(std::string& out, std::size_t bytes_max) {
  if (!parser_->chunked()) {
    const std::size_t taken = std::min({body_bytes_, in_.size(), bytes_max});
    out.append(in_.data().data(), taken);
    in_.consume(taken);
    body_bytes_ -= taken;
    if (body_bytes_ == 0) {
      return Piece::end;
    }
    return taken > 0 ? Piece::some : Piece::needs_more;
  }
  const std::size_t before = out.size();
  while (!parser_->is_done()) {
    const Parsed parsed = parse();
    if (parsed == Parsed::refused) {
      return Piece::refused;
    }
    relayed_bytes_ += chunked_.size();
    if (relayed_bytes_ > admitted_->options->tables->passthrough.max_body_bytes) {
      refuse(above_relay_limit(), admitted_->route.id, true);
      return Piece::refused;
    }
    out += chunked_;
    chunked_.clear();
    if (parsed == Parsed::needs_more) {
      return out.size() > before ? Piece::some : Piece::needs_more;
    }
    if (out.size() - before >= bytes_max) {
      return Piece::some;
    }
  }
  return Piece::end;
}

void Session::relayed(bool in_order) {
  close_after_answer_ = close_after_answer_ || !in_order;
  out_.clear();  // what was written of a body that came too late to be refused
  end_request();
}

void Session::refuse_relay(const Problem& problem, bool body_taken) {
  close_after_answer_ = close_after_answer_ || !body_taken;
  handler_.refuse(head_, admitted_->route.id, problem, keep_alive(), out_);
  end_request();
}

void Session::handle(std::span<char> body) {
  answer_.clear();
  body_ = body;
  if (handler_.is_bulky(*admitted_, body, now_)) {
    phase_ = Phase::examining;
    return;
  }
  examine(handler_);
  const MonoTime begun = std::exchange(now_, handler_.clock().mono_now());
  handler_.charge_share(*admitted_, body, begun, now_);
  conclude(now_);
}

void Session::examine(Handler& handler) {
  if (phase_ == Phase::examining) {
    // It has waited, and others of its producer's went before it.
    if (const auto still = handler.look_again(*admitted_); !still) {
      handler.refuse(head_, admitted_->route.id, still.error(), keep_alive(handler), answer_);
      return;
    }
  }
  handed_ = handler.handle(head_, *admitted_, body_, keep_alive(handler), answer_, acknowledge_);
}

void Session::examined() { conclude(handler_.clock().mono_now()); }

void Session::conclude(MonoTime now) {
  if (!handed_) {
    give_answer();
    handler_.probe().duration.observe(now - started_);
  }
  if (!parser_->chunked()) {
    in_.consume(body_bytes_);
  } else if (chunked_.capacity() > skipped_body_bytes_max) {
    chunked_ = {};
  }
  if (handed_) {
    phase_ = Phase::waiting;
  } else {
    end_request();
  }
}

std::uint32_t Session::producer() const {
  return admitted_->producer == nullptr ? 0 : admitted_->producer->index;
}

void Session::give_answer() {
  if (out_.empty()) {
    out_.swap(answer_);
  } else {
    out_ += answer_;
  }
}

void Session::acknowledged(const Result<void>& outcome) {
  SLUICE_ASSERT(phase_ == Phase::waiting);
  const Handed handed = *std::exchange(handed_, std::nullopt);
  if (handed.inquiry != nullptr) {
    handler_.tell_permissions(head_, *admitted_, *handed.inquiry, keep_alive(), out_);
    end_request();
    return;
  }
  handler_.settle(handed, outcome.has_value());
  if (outcome) {
    give_answer();
  } else {
    handler_.refuse(head_, admitted_->route.id, not_stored(outcome.error().message), keep_alive(),
                    out_);
  }
  handler_.probe().duration.observe(handler_.clock().mono_now() - started_);
  end_request();
}

void Session::refuse(const Problem& problem, RouteId route, bool body_follows) {
  // A client that waits for 100 (Continue) does not send the body after this answer, but may: RFC
  // 9110, 10.1.1. Only closing tells for certain where the next request begins.
  const bool can_skip = !body_follows || (!parser_->chunked() && !head_.expects_continue &&
                                          body_bytes_ <= skipped_body_bytes_max);
  close_after_answer_ = close_after_answer_ || !can_skip;
  handler_.refuse(head_, route, problem, keep_alive(), out_);
  if (!can_skip) {
    phase_ = Phase::closing;
    return;
  }
  phase_ = Phase::body;
  skip_body_ = true;
}

void Session::refuse_unparsable(const boost::beast::error_code& error) {
  Problem problem{.refusal = Refusal::bad_request,
                  .message = "the request is not valid HTTP/1.1: " + error.message()};
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    problem = {.refusal = Refusal::head_too_large,
               .message =
                   "the head, a chunk's extension or the trailers are above "
                   "ingest.max_header_bytes (" +
                   std::to_string(limits_.head_bytes_max) + "), or have more than " +
                   std::to_string(head_fields_max) + " fields"};
  } else if (error == http::error::body_limit && phase_ == Phase::relaying) {
    problem = above_relay_limit();
  } else if (error == http::error::body_limit) {
    problem = body_too_large(*admitted_);
  }
  close_after_answer_ = true;
  const auto route = find_route(head_.path());
  handler_.refuse(head_, route ? route->id : RouteId::unknown, problem, false, out_);
  phase_ = Phase::closing;
}

void Session::end_request() {
  admitted_.reset();
  parser_.reset();
  in_.trim(input_bytes_kept);
  skip_body_ = false;
  head_begun_ = false;
  empty_lines_ = 0;
  phase_ = keep_alive() ? Phase::head : Phase::closing;
}

bool Session::keep_alive(const Handler& handler) const {
  return !close_after_answer_ && !handler.draining();
}

void Session::written() {
  if (out_.capacity() > output_bytes_kept) {
    out_ = {};
  }
  out_.clear();
}

void Session::timed_out() {
  const bool in_body =
      phase_ == Phase::body || phase_ == Phase::chunked_body || phase_ == Phase::relaying;
  handler_.probe().count_timeout(in_body ? Slow::body : head_begun_ ? Slow::head : Slow::idle);
  out_.clear();
  if (head_begun_ && phase_ != Phase::closing && !skip_body_) {
    const auto route = find_route(head_.path());
    handler_.refuse(
        head_, route ? route->id : RouteId::unknown,
        {.refusal = Refusal::timed_out, .message = "the request took too long to arrive"}, false,
        out_);
  }
  phase_ = Phase::closing;
}

}  // namespace sluice::ingest
