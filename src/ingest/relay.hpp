// Passes one request on to the upstream and the answer back, both as they come.
//
// Memory is bounded by a piece of each body and what is read ahead of it, less than 64 KiB each
// way: nothing is read from one side before the other has taken what was read last. Each wait for a
// byte has a deadline, which the thread's sweep looks at. While the body is still on its way the
// answer may already come: the body is then sent on until the answer has ended.
//
// Nothing is answered twice or taken for complete that is not: until the head of the answer is sent
// every failure is answered with a problem; after it, the client's connection is reset.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <sluice/ingest/passthrough.hpp>
#include <sluice/net/bell.hpp>
#include <sluice/net/gate.hpp>
#include <sluice/transport/stream_pool.hpp>

#include "answer_parser.hpp"
#include "probe.hpp"
#include "read_buffer.hpp"
#include "session.hpp"

namespace sluice::ingest {

// The client's side of a connection. One read and one write may be under way at once.
class ClientStream {
 public:
  struct Read {
    boost::system::error_code error;
    std::size_t bytes = 0;
  };

  virtual ~ClientStream() = default;
  [[nodiscard]] virtual net::Task<Read> read_some(std::span<char> space) = 0;
  [[nodiscard]] virtual net::Task<boost::system::error_code> write(std::string_view bytes) = 0;
  // Ends what is under way.
  virtual void cancel() = 0;
  // Resets the connection, so that nobody takes what was sent for complete.
  virtual void reset() = 0;
};

class Relay : public std::enable_shared_from_this<Relay> {
 public:
  struct Deps {
    net::asio::any_io_executor executor;  // of the thread that all of this runs on
    net::Gate& gate;
    const Clock& clock;
    Handler& handler;
    transport::StreamPool& pool;
    std::shared_ptr<void> connection;  // what session and client belong to
  };

  // The session has asked for a relay. Owned by a shared_ptr: its upload keeps it, and so the
  // connection, for as long as it runs, whatever becomes of run().
  Relay(const Deps& deps, Session& session, ClientStream& client);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // Ends with the request answered, or refused in the session's output. False: the client's
  // connection is of no use any more.
  [[nodiscard]] net::Task<bool> run();

  // Cancels what is late.
  void sweep(MonoTime now);
  // Cancels whatever is under way.
  void stop();

 private:
  // What stands in the way of an answer.
  struct Trouble {
    PassthroughFailure failure{};
    Refusal refusal{};
    std::string message;
  };
  using Outcome = std::optional<Trouble>;  // none: it went well
  // A credential on its way from the thread that has it.
  class Awaited;

  net::Task<Outcome> pass();
  // Sends the request and reads the head of its answer.
  net::Task<Outcome> attempt(bool fresh);
  net::Task<Outcome> authorize();
  net::Task<Outcome> read_head();
  // The answer of which the head has been read.
  net::Task<Outcome> send_back();
  net::Task<bool> send_interim();
  // Ends the upload when the pointer to its relay goes, be it that it never began.
  struct EndUpload {
    void operator()(Relay* relay) const { relay->end_upload(); }
  };
  using Uploading = std::unique_ptr<Relay, EndUpload>;
  static net::Task<> upload(std::shared_ptr<Relay> self, Uploading uploading);
  net::Task<> upload_pieces();
  net::Task<bool> upload_piece(Session::Piece piece, const std::string& body);
  void end_upload();
  net::Task<> wait_for_upload();
  [[nodiscard]] std::string head_to_client(BodyFraming framing);
  [[nodiscard]] BodyFraming answer_framing() const;

  net::Task<bool> write_to_client(std::string_view bytes);
  net::Task<bool> write_to_upstream(std::string_view bytes);
  // Whether something came; nothing, and no error: the upstream has closed in order.
  net::Task<boost::system::error_code> read_from_upstream(MonoTime deadline);
  [[nodiscard]] MonoTime idle_deadline() const;
  // What a step that did not work means.
  [[nodiscard]] Trouble trouble(PassthroughFailure failure, Refusal refusal, std::string message);
  [[nodiscard]] bool finish(const Outcome& outcome);

  Deps deps_;
  Session& session_;
  ClientStream& client_;
  PassthroughTarget& target_;
  PassthroughProbe& probe_;
  const config::Passthrough limits_;
  const bool has_body_;
  std::shared_ptr<Awaited> credential_;
  net::Bell credential_came_;
  std::string authorization_;
  std::unique_ptr<transport::ByteStream> upstream_;
  std::optional<AnswerParser> parser_;
  ReadBuffer received_;        // from the upstream
  bool answer_begun_ = false;  // a byte of it has been sent to the client
  bool any_received_ = false;  // from this connection

  // The body's way to the upstream
  enum class Upload : std::uint8_t { none, under_way, complete, failed, client_failed, refused };
  Upload upload_ = Upload::none;
  bool upload_abandoned_ = false;
  bool waiting_for_head_ = false;
  net::Bell upload_ended_;

  MonoTime client_read_by_ = MonoTime::max();
  MonoTime client_write_by_ = MonoTime::max();
  MonoTime upstream_read_by_ = MonoTime::max();
  MonoTime upstream_write_by_ = MonoTime::max();
  bool client_late_ = false;
  bool upstream_late_ = false;
  bool stopped_ = false;
};

}  // namespace sluice::ingest
