#include "relay.hpp"

#include <algorithm>
#include <exception>
#include <mutex>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>

#include <sluice/base/assert.hpp>

namespace sluice::ingest {
namespace {

using boost::system::error_code;
using net::Task;

// Bodies are passed on in pieces of up to so many bytes.
constexpr std::size_t piece_bytes = 16U << 10;
// An upstream that sends interim answers without end is none.
constexpr unsigned interim_answers_max = 16;
constexpr std::chrono::seconds retry_after{1};

}  // namespace

// The other thread may let go of it last, and when ours has ended.
class Relay::Awaited : public std::enable_shared_from_this<Awaited> {
 public:
  explicit Awaited(Relay& waiting) : relay_(&waiting) {}

  // On any thread.
  void arrive(Result<std::string> given) {
    const std::lock_guard lock(mutex_);
    if (relay_ != nullptr) {
      value_ = std::move(given);
      net::asio::post(relay_->deps_.executor, [self = shared_from_this()] { self->wake(); });
    }
  }
  bool has_come() {
    const std::lock_guard lock(mutex_);
    return value_.has_value();
  }
  // Nothing of the relay's thread is touched after this.
  std::optional<Result<std::string>> let_go() {
    const std::lock_guard lock(mutex_);
    relay_ = nullptr;
    return std::exchange(value_, std::nullopt);
  }

 private:
  void wake() {
    const std::lock_guard lock(mutex_);
    if (relay_ != nullptr) {
      relay_->credential_came_.ring();
    }
  }

  std::mutex mutex_;
  Relay* relay_;
  std::optional<Result<std::string>> value_;
};

Relay::Relay(const Deps& deps, Session& session, ClientStream& client)
    : deps_(deps),
      session_(session),
      client_(client),
      target_(*session.admitted().passthrough),
      probe_(deps.handler.probe().passthrough[session.admitted().workspace]),
      limits_(session.admitted().options->tables->passthrough),
      has_body_(session.body_is_chunked() || session.body_length().value_or(0) > 0) {
  target_.in_flight.fetch_add(1, std::memory_order_relaxed);
}

Relay::~Relay() {
  if (credential_) {
    static_cast<void>(credential_->let_go());
  }
  target_.in_flight.fetch_sub(1, std::memory_order_relaxed);
}

void Relay::sweep(MonoTime now) {
  if (std::min(client_read_by_, client_write_by_) <= now) {
    client_late_ = true;
    client_.cancel();
  }
  if (upstream_ && std::min(upstream_read_by_, upstream_write_by_) <= now) {
    upstream_late_ = true;
    upstream_->close();
  }
}

void Relay::stop() {
  stopped_ = true;
  credential_came_.ring();
  client_.cancel();
  if (upstream_) {
    upstream_->close();
  }
}

Task<bool> Relay::run() {
  Outcome outcome;
  try {
    outcome = co_await pass();
  } catch (const std::exception&) {
    outcome = trouble(PassthroughFailure::no_answer, Refusal::internal, "out of memory");
  }
  if (upload_ == Upload::under_way) {
    // The upstream has answered without waiting for all of it, or cannot be used any more.
    upload_abandoned_ = true;
    client_.cancel();
    upstream_->close();
    co_await wait_for_upload();
  }
  co_return finish(outcome);
}

// Tells the session how it ended.
bool Relay::finish(const Outcome& outcome) {
  probe_.duration.observe(deps_.clock.mono_now() - session_.started());
  const bool body_taken = !has_body_ || upload_ == Upload::complete;
  if (!outcome) {
    session_.relayed(body_taken);
    return true;
  }
  probe_.failures[static_cast<std::size_t>(outcome->failure)].add();
  if (answer_begun_) {
    client_.reset();
    return false;
  }
  if (upload_ == Upload::refused) {
    return true;  // the session has written the answer
  }
  if (outcome->failure == PassthroughFailure::client && !client_late_) {
    return false;  // nobody is there
  }
  Problem problem{.refusal = outcome->refusal, .message = outcome->message};
  if (problem.refusal == Refusal::full || problem.refusal == Refusal::draining) {
    problem.retry_after = retry_after;
  }
  session_.refuse_relay(problem, body_taken);
  return true;
}

Task<Relay::Outcome> Relay::pass() {
  if (target_.in_flight.load(std::memory_order_relaxed) > limits_.max_in_flight) {
    co_return trouble(PassthroughFailure::full, Refusal::full,
                      "too many requests are being passed through: send this again later");
  }
  if (session_.admitted().with_credentials) {
    if (Outcome outcome = co_await authorize()) {
      co_return outcome;
    }
  }
  Outcome outcome = co_await attempt(false);
  // The upstream may close a connection that waits at any time, and so just when it is used again.
  const bool was_closed =
      outcome && upstream_ && upstream_->reused() && !any_received_ && !upstream_late_ && !stopped_;
  if (was_closed && may_repeat(session_.head().method_text, has_body_)) {
    outcome = co_await attempt(true);
  }
  if (!outcome) {
    outcome = co_await send_back();
  }
  co_return outcome;
}

Task<Relay::Outcome> Relay::authorize() {
  credential_ = std::make_shared<Awaited>(*this);
  target_.authorize(
      [awaited = credential_](Result<std::string> value) { awaited->arrive(std::move(value)); });
  // Where memory runs out, it may not come at all.
  const MonoTime deadline = std::chrono::steady_clock::now() + limits_.timeout;
  while (!credential_->has_come() && !stopped_ && std::chrono::steady_clock::now() < deadline) {
    co_await credential_came_.wait_until(deadline);
  }
  std::optional<Result<std::string>> value = credential_->let_go();
  if (!value) {
    co_return trouble(PassthroughFailure::no_credentials, Refusal::bad_upstream,
                      "the workspace's credentials do not come");
  }
  if (!*value) {
    co_return trouble(PassthroughFailure::no_credentials, Refusal::bad_upstream,
                      "the workspace's credentials cannot be had: " + value->error().message);
  }
  authorization_ = std::move(**value);
  co_return std::nullopt;
}

Task<Relay::Outcome> Relay::attempt(bool fresh) {
  any_received_ = false;
  received_ = {};
  upstream_.reset();
  auto acquired = co_await deps_.pool.acquire(fresh);
  if (!acquired) {
    const bool late = acquired.error().timed_out;
    co_return trouble(late ? PassthroughFailure::upstream_slow : PassthroughFailure::no_connection,
                      late ? Refusal::slow_upstream : Refusal::bad_upstream,
                      "the upstream cannot be reached: " + acquired.error().detail);
  }
  upstream_ = std::move(*acquired);
  received_.reserve(piece_bytes, 0);
  const RequestRewrite rewrite{
      .host = target_.peer->host_header(),
      .framing = request_framing(session_.body_is_chunked(), session_.body_length()),
      .authorization = session_.admitted().with_credentials
                           ? std::optional<std::string_view>(authorization_)
                           : std::nullopt};
  const std::string head = upstream_request_head(session_.head(), rewrite);
  const bool sent = co_await write_to_upstream(head);
  if (has_body_ && sent) {
    if (session_.client_waits() && !co_await write_to_client(continue_answer)) {
      co_return trouble(PassthroughFailure::client, Refusal::timed_out, "the client has gone");
    }
    // It begins later: not within the call.
    net::spawn(deps_.executor, deps_.gate, upload(shared_from_this(), Uploading(this)));
    upload_ = Upload::under_way;
  }
  // An upstream that refuses a request early answers and closes: its answer may be there although
  // the request could not be written to its end.
  co_return co_await read_head();
}

Task<Relay::Outcome> Relay::read_head() {
  for (unsigned interim = 0; interim <= interim_answers_max; ++interim) {
    parser_.emplace(session_.head().method_text == "HEAD");
    AnswerParser::Step step = parser_->take(received_);
    while (step == AnswerParser::Step::needs_more) {
      // While the body is on its way it is the upload's deadlines that count.
      const MonoTime deadline =
          upload_ == Upload::under_way ? MonoTime::max() : deps_.clock.mono_now() + limits_.timeout;
      waiting_for_head_ = true;
      const error_code error = co_await read_from_upstream(deadline);
      waiting_for_head_ = false;
      if (error) {
        co_return trouble(PassthroughFailure::no_answer, Refusal::bad_upstream,
                          "the upstream gave no answer: " + error.message());
      }
      step = parser_->take(received_);
    }
    const unsigned status = parser_->head().status;
    if (step != AnswerParser::Step::head || status < 100 || status > 599 || status == 101) {
      co_return trouble(PassthroughFailure::bad_answer, Refusal::bad_upstream,
                        "what the upstream sent is no answer");
    }
    if (status >= 200) {
      co_return std::nullopt;
    }
    if (!co_await send_interim()) {
      co_return trouble(PassthroughFailure::client, Refusal::timed_out, "the client has gone");
    }
  }
  co_return trouble(PassthroughFailure::bad_answer, Refusal::bad_upstream,
                    "the upstream sent interim answers only");
}

// 100 answers the upload's own question only; a client of HTTP/1.0 knows no interim answers.
Task<bool> Relay::send_interim() {
  if (parser_->head().status == 100 || !session_.head().http11) {
    co_return true;
  }
  const std::string head =
      client_answer_head(parser_->head(), {.hide_session = session_.admitted().with_credentials});
  co_return co_await write_to_client(head);
}

BodyFraming Relay::answer_framing() const {
  using Kind = BodyFraming::Kind;
  const auto length = parser_->content_length();
  const unsigned status = parser_->head().status;
  if (status == 204) {
    return {};
  }
  if (length) {
    return {.kind = Kind::length, .length = *length};
  }
  if (status == 304 || session_.head().method_text == "HEAD") {
    return {};
  }
  return {.kind = session_.head().http11 ? Kind::chunked : Kind::to_end};
}

Task<Relay::Outcome> Relay::send_back() {
  using Step = AnswerParser::Step;
  probe_.answers[parser_->head().status / 100 - 2].add();
  const BodyFraming framing = answer_framing();
  const bool chunked = framing.kind == BodyFraming::Kind::chunked;
  std::string out = head_to_client(framing);
  Step step = parser_->take(received_);
  while (true) {
    std::string& body = parser_->body();
    probe_.answer_bytes.add(body.size());
    if (!chunked) {
      out += body;
    } else if (!body.empty()) {
      append_chunk(out, body);
    }
    body.clear();
    if (step == Step::end && chunked) {
      append_chunk(out, "");
    }
    if (step == Step::broken) {
      co_return trouble(PassthroughFailure::cut, Refusal::bad_upstream, "the answer is cut off");
    }
    // What the client cannot take at once is not read from the upstream either.
    answer_begun_ = answer_begun_ || !out.empty();
    if (!out.empty() && !co_await write_to_client(out)) {
      co_return trouble(PassthroughFailure::client, Refusal::timed_out, "the client has gone");
    }
    out.clear();
    if (step == Step::end) {
      break;
    }
    step = parser_->take(received_);
    if (step == Step::needs_more) {
      const error_code error = co_await read_from_upstream(idle_deadline());
      if (error == net::asio::error::eof) {
        step = parser_->take_end();
      } else if (error) {
        step = Step::broken;
      } else {
        step = parser_->take(received_);
      }
    }
  }
  // Bytes beyond the answer belong to nothing that was asked for.
  if (parser_->keep_alive() && received_.empty() && (!has_body_ || upload_ == Upload::complete)) {
    upstream_->give_back();
  }
  co_return std::nullopt;
}

std::string Relay::head_to_client(BodyFraming framing) {
  const bool body_taken = !has_body_ || upload_ == Upload::complete;
  const bool close =
      !session_.stays_open() || !body_taken || framing.kind == BodyFraming::Kind::to_end;
  if (close) {
    session_.close_after_this();
  }
  return client_answer_head(parser_->head(),
                            {.framing = framing,
                             .request_id = deps_.handler.request_id(session_.head()),
                             .close = close,
                             .hide_session = session_.admitted().with_credentials});
}

// ---- the body's way to the upstream

Task<> Relay::upload(std::shared_ptr<Relay> self, [[maybe_unused]] Uploading uploading) {
  try {
    co_await self->upload_pieces();
  } catch (const std::exception&) {
    self->upload_ = Upload::failed;  // memory is exhausted
  }
}

Task<> Relay::upload_pieces() {
  std::string body;
  bool going_on = true;
  while (going_on && !upload_abandoned_) {
    body.clear();
    const Session::Piece piece = session_.take_body(body, piece_bytes);
    going_on = co_await upload_piece(piece, body);
  }
}

// Whether there is more to come.
Task<bool> Relay::upload_piece(Session::Piece piece, const std::string& body) {
  if (piece == Session::Piece::refused) {
    upload_ = Upload::refused;
    co_return false;
  }
  if (piece == Session::Piece::needs_more) {
    const std::span<char> space = session_.free_space();
    client_read_by_ = idle_deadline();
    const auto read = co_await client_.read_some(space.first(std::min(space.size(), piece_bytes)));
    client_read_by_ = MonoTime::max();
    session_.received(read.bytes);
    if (read.error) {
      upload_ = Upload::client_failed;
    }
    co_return !read.error;
  }
  probe_.request_bytes.add(body.size());
  std::string framed;
  if (session_.body_is_chunked()) {
    if (!body.empty()) {
      append_chunk(framed, body);
    }
    if (piece == Session::Piece::end) {
      append_chunk(framed, "");
    }
  }
  const bool written = co_await write_to_upstream(session_.body_is_chunked() ? framed : body);
  if (!written) {
    upload_ = Upload::failed;
  } else if (piece == Session::Piece::end) {
    upload_ = Upload::complete;
  }
  co_return written&& piece != Session::Piece::end;
}

void Relay::end_upload() {
  if (upload_ == Upload::under_way) {
    upload_ = Upload::client_failed;  // it is not waited for any longer
  }
  if (upload_ == Upload::client_failed || upload_ == Upload::refused) {
    upstream_->close();
  } else if (waiting_for_head_) {
    upstream_read_by_ = deps_.clock.mono_now() + limits_.timeout;
  }
  upload_ended_.ring();
}

Task<> Relay::wait_for_upload() {
  while (upload_ == Upload::under_way) {
    co_await upload_ended_.wait_until(MonoTime::max());
  }
}

// ---- bytes, each with a deadline

MonoTime Relay::idle_deadline() const { return deps_.clock.mono_now() + limits_.idle_timeout; }

Task<bool> Relay::write_to_client(std::string_view bytes) {
  client_write_by_ = idle_deadline();
  const error_code error = co_await client_.write(bytes);
  client_write_by_ = MonoTime::max();
  co_return !error;
}

Task<bool> Relay::write_to_upstream(std::string_view bytes) {
  upstream_write_by_ = idle_deadline();
  const error_code error = co_await upstream_->write(net::asio::buffer(bytes.data(), bytes.size()));
  upstream_write_by_ = MonoTime::max();
  co_return !error;
}

Task<error_code> Relay::read_from_upstream(MonoTime deadline) {
  const std::span<char> space = received_.free_space();
  upstream_read_by_ = deadline;
  const auto read = co_await upstream_->read_some(
      net::asio::buffer(space.data(), std::min(space.size(), piece_bytes)));
  upstream_read_by_ = MonoTime::max();
  received_.commit(read.bytes);
  any_received_ = any_received_ || read.bytes > 0;
  co_return read.error;
}

Relay::Trouble Relay::trouble(PassthroughFailure failure, Refusal refusal, std::string message) {
  if (stopped_) {
    return {.failure = PassthroughFailure::stopped,
            .refusal = Refusal::draining,
            .message = "the gateway is stopping: send this again, to another one"};
  }
  if (client_late_) {
    return {.failure = PassthroughFailure::client,
            .refusal = Refusal::timed_out,
            .message = "the request took too long to arrive"};
  }
  if (upload_ == Upload::client_failed || upload_ == Upload::refused) {
    failure = PassthroughFailure::client;
  } else if (upstream_late_ && failure != PassthroughFailure::client) {
    return {.failure = answer_begun_ ? PassthroughFailure::cut : PassthroughFailure::upstream_slow,
            .refusal = Refusal::slow_upstream,
            .message = "the upstream took too long"};
  }
  return {.failure = failure, .refusal = refusal, .message = std::move(message)};
}

}  // namespace sluice::ingest
