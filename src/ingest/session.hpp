// One connection's side of HTTP/1.1, without the connection: bytes in, bytes out, and what to do
// next.
//
// The loop around it (server.cpp) does what next() asks and decides nothing. Pipelined requests are
// answered together, in their order, with one write.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <sluice/base/clock.hpp>
#include <sluice/base/result.hpp>

#include "handler.hpp"
#include "read_buffer.hpp"
#include "request_head.hpp"

namespace sluice::ingest {

struct SessionLimits {
  std::size_t head_bytes_max = 0;
  std::chrono::nanoseconds head_timeout{};
  std::chrono::nanoseconds body_timeout{};
  std::chrono::nanoseconds idle_timeout{};
  std::chrono::nanoseconds write_timeout{};
  std::size_t requests_max = 0;  // of a connection; 0: any number
};

class Session {
 public:
  enum class Next : std::uint8_t {
    read,         // into free_space(), then received()
    write,        // output(), then written()
    examine,      // on a thread for large bodies, then examined()
    acknowledge,  // until the acknowledgement that was asked for came, then acknowledged()
    relay,        // the request to the upstream and the answer back, then relayed() or refused
    close,        // the output has been written; nothing more is read
  };

  // Both outlive the session. `acknowledge` is handed to the buffer when an answer has to wait for
  // it.
  Session(Handler& handler, const SessionLimits& limits, buffer::Buffer::Acknowledge acknowledge);

  // The client has shown a certificate with these names.
  void set_peer(std::vector<std::string> names) {
    peer_ = std::make_unique<Peer>(Peer{.names = std::move(names)});
  }

  [[nodiscard]] std::span<char> free_space() { return in_.free_space(); }
  void received(std::size_t bytes) { in_.commit(bytes); }
  [[nodiscard]] const std::string& output() const { return out_; }
  void written();
  void acknowledged(const Result<void>& outcome);
  // Reads the body; on another thread, while the session is left alone.
  void examine(Handler& handler);
  void examined();
  // Whose body it is that has to be examined; 0: nobody's in particular.
  [[nodiscard]] std::uint32_t producer() const;
  // The client took too long (see deadline()); a request that had begun is answered 408.
  void timed_out();

  // --- Once next() has asked for a relay, until it ends
  [[nodiscard]] const RequestHead& head() const { return head_; }
  [[nodiscard]] const Admitted& admitted() const { return *admitted_; }
  [[nodiscard]] bool body_is_chunked() const { return parser_->chunked(); }
  [[nodiscard]] std::optional<std::uint64_t> body_length() const { return body_length_; }
  // Whether none of the body has come, and the client waits to be told to send it.
  [[nodiscard]] bool client_waits() { return head_.expects_continue && in_.empty(); }
  enum class Piece : std::uint8_t {
    some,        // was appended
    needs_more,  // first
    end,         // of the body; some may have been appended
    refused,     // the answer to that is in output(), and the connection is to be closed
  };
  // Appends what has come of the body, up to about `bytes_max`.
  Piece take_body(std::string& out, std::size_t bytes_max);
  [[nodiscard]] bool stays_open() const { return keep_alive(); }
  void close_after_this() { close_after_answer_ = true; }
  [[nodiscard]] MonoTime started() const { return started_; }
  // The request has been answered, past the session; whether the connection is in order for more.
  void relayed(bool in_order);
  // Nothing of an answer has been sent yet. `body_taken`: all of it has been taken.
  void refuse_relay(const Problem& problem, bool body_taken);

  // Handles what can be handled, then says what to do.
  Next next(MonoTime now);
  // By when the operation that next() asked for must have made progress.
  [[nodiscard]] MonoTime deadline() const { return deadline_; }
  // Whether no request has begun: such a connection may be closed at any time.
  [[nodiscard]] bool idle() const {
    return phase_ == Phase::head && !head_begun_ && in_.empty() && out_.empty();
  }
  // Whether the client has shown who it is, or may write without that and has sent a request.
  [[nodiscard]] bool is_known() const { return is_known_; }
  // Whether the buffer still owes acknowledged(): until then the session must not end.
  [[nodiscard]] bool is_waiting() const { return handed_.has_value(); }

 private:
  enum class Phase : std::uint8_t {
    head,
    body,
    chunked_body,
    examining,
    waiting,
    relaying,
    closing
  };

  enum class Parsed : std::uint8_t { some, needs_more, refused };

  Parsed parse();
  // Takes empty lines before a request; false: what is there may be half of one.
  bool skip_empty_lines();
  // Each handles what it can of its phase; false: more bytes are needed first.
  bool read_head(MonoTime now);
  bool read_body();
  bool read_chunked_body();
  void begin_request();
  void begin_relay();
  [[nodiscard]] Problem above_relay_limit() const;
  void handle(std::span<char> body);
  // The request under way has been examined, and it is so late now.
  void conclude(MonoTime now);
  void give_answer();
  // Answers, and closes the connection when the rest of the request cannot be skipped cheaply.
  void refuse(const Problem& problem, RouteId route, bool body_follows);
  void refuse_unparsable(const boost::beast::error_code& error);
  void end_request();
  [[nodiscard]] bool keep_alive() const { return keep_alive(handler_); }
  // As seen by the handler of the thread that asks.
  [[nodiscard]] bool keep_alive(const Handler& handler) const;

  Handler& handler_;
  const SessionLimits& limits_;
  buffer::Buffer::Acknowledge acknowledge_;
  std::unique_ptr<Peer> peer_;  // most have none
  ReadBuffer in_;
  std::string out_;
  std::string answer_;    // to the request under way, perhaps waiting for its acknowledgement
  std::string chunked_;   // a chunked body
  std::span<char> body_;  // while it is examined
  RequestHead head_;
  std::optional<RequestParser> parser_;
  std::optional<Admitted> admitted_;
  std::optional<Handed> handed_;  // while waiting for its acknowledgement
  Phase phase_ = Phase::head;
  std::size_t head_bytes_ = 0;  // of the head, taken so far
  std::size_t body_bytes_ = 0;
  std::optional<std::uint64_t> body_length_;  // as the head says
  std::uint64_t relayed_bytes_ = 0;           // of the body
  std::size_t empty_lines_ = 0;               // taken before the request
  std::size_t requests_ = 0;                  // begun; counted where they are limited
  bool is_known_ = false;
  bool skip_body_ = false;
  bool close_after_answer_ = false;
  bool head_begun_ = false;
  MonoTime started_{};
  MonoTime now_{};  // since when the request at hand has been under way here, or another before it
  MonoTime deadline_{};
};

}  // namespace sluice::ingest
