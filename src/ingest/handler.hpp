// What a request means: checks who may do what, makes events of the body and hands them to the
// buffer. No sockets; one per ingest thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/smart_ptr/local_shared_ptr.hpp>

#include <sluice/accept/acceptor.hpp>
#include <sluice/base/clock.hpp>
#include <sluice/base/rng.hpp>
#include <sluice/ingest/replay.hpp>
#include <sluice/ingest/tables.hpp>
#include <sluice/normalise/normaliser.hpp>
#include <sluice/tap/taps.hpp>

#include "answers.hpp"
#include "content_decoder.hpp"
#include "probe.hpp"
#include "problem.hpp"
#include "producers.hpp"
#include "request_head.hpp"
#include "routes.hpp"
#include "shares.hpp"
#include "tokens.hpp"

namespace sluice::ingest {

// More is no login. It is read before anybody is known.
inline constexpr std::size_t login_body_bytes_max = 8U << 10;

// A body that is no larger, decoded, is read where it comes in; others on a thread for such
// (bulk.hpp), as the connections of an ingest thread would wait for it.
inline constexpr std::size_t light_body_bytes_max = 64U << 10;
// One that is no larger is read where it comes in, whatever its producer has sent before: handing
// it over would take as long. But not if the one before was full of events that were refused, as
// only events without content are so many in so little: each of them takes as long as a whole one.
inline constexpr std::size_t slight_body_bytes_max = 1U << 10;
inline constexpr std::size_t slight_body_events_max = 16;

// What the handlers of all threads share. Immutable: a reload replaces it as a whole, and requests
// that are under way keep the one they began with.
struct HandlerOptions {
  const Clock* clock = nullptr;
  const Tables* tables = nullptr;
  const Producers* producers = nullptr;
  const Tokens* tokens = nullptr;  // none: nobody can log in
  const std::atomic<bool>* draining = nullptr;
  bool reject_request_on_invalid = false;
  std::size_t body_bytes_max = 0;
  std::size_t decompression_ratio_max = 0;  // 0: any
  tap::Taps* taps = nullptr;                // none: nobody can look at events
  KeepWhole keep_whole = KeepWhole::never;  // what may be passed through
};

// Counts references within one thread.
using HandlerOptionsPtr = boost::local_shared_ptr<const HandlerOptions>;

// The client of a connection that has shown a certificate.
struct Peer {
  std::vector<std::string> names;  // in the certificate
  // Whose it is: looked up once for each options that the handler adopts.
  std::uint64_t looked_up_in = 0;
  const Producer* producer = nullptr;
};

// The outcome of looking at a request's head.
struct Admitted {
  HandlerOptionsPtr options;  // holds what the rest points at
  Route route{};
  const Producer* producer = nullptr;  // nullptr: anonymous
  std::size_t workspace = 0;
  const SourceTarget* source = nullptr;
  normalise::Framing framing{};
  ContentCoding coding{};
  bool is_ping = false;            // of a webhook: acknowledged, if it is one
  std::size_t body_bytes_max = 0;  // after decompression
  // Where it is passed through to, and whether the workspace's credentials are put in.
  PassthroughTarget* passthrough = nullptr;
  bool with_credentials = false;

  // Whether its client may write: a login has yet to say who it is, and a probe never does.
  [[nodiscard]] bool is_known() const {
    return producer != nullptr || (options->producers->anonymous() && route.id != RouteId::login &&
                                   route.id != RouteId::livez && route.id != RouteId::readyz);
  }
};

// The body is larger than its producer, or anybody, may send.
[[nodiscard]] Problem body_too_large(const Admitted& admitted, bool is_decoded = false);

// A permission check that is under way; complete once it is acknowledged.
struct Inquiry {
  std::vector<std::string> names;
  PermissionAnswer answer;
};

// What has been handed to the buffer and is not settled yet.
struct Handed {
  RouteId route{};
  unsigned status = 202;  // of the answer
  std::size_t workspace = 0;
  std::uint32_t events = 0;
  std::shared_ptr<Inquiry> inquiry{};  // there are no events: the upstream is being asked
  std::uint32_t changed = 0;  // of the events: those that change one that was accepted before
};

class Handler {
 public:
  // `thread` is this handler's producer index in the buffers. The options outlive the handler.
  Handler(const HandlerOptions& options, std::size_t thread, Rng rng, Probe& probe);

  // For the requests that begin from now on.
  void adopt(HandlerOptionsPtr options);

  // Before the body is read: whether it is worth reading. Sets the request's id, route and
  // workspace. `peer`: who has shown a certificate, if anybody has.
  Result<Admitted, Problem> look_at(const RequestHead& head, Peer* peer = nullptr);

  // Whether the body would still be read.
  [[nodiscard]] Result<void, Problem> look_again(const Admitted& admitted) {
    return is_about_key(admitted.route.id) ? Result<void, Problem>() : check_capacity(admitted);
  }
  // Whether the body is for a thread for large ones: it is large itself, or its producer has had
  // its share of this thread. If not, handle() must follow, and charge_share().
  [[nodiscard]] bool is_bulky(const Admitted& admitted, std::span<const char> body, MonoTime now);
  // The time from `begun` until `now`, which handling the body has taken, is its producer's.
  void charge_share(const Admitted& admitted, std::span<const char> body, MonoTime begun,
                    MonoTime now);
  // With the whole body, behind which Normaliser::padding_bytes are writable. The answer is
  // appended to `out`. Nothing returned: it may be sent. Otherwise it may be sent once
  // `acknowledge` was called without an error; settle() follows in either case.
  std::optional<Handed> handle(const RequestHead& head, const Admitted& admitted,
                               std::span<char> body, bool keep_alive, std::string& out,
                               buffer::Buffer::Acknowledge acknowledge);
  // The buffer has acknowledged what it was handed, or failed to keep it.
  void settle(const Handed& handed, bool kept);

  // In the place of settle(), of an inquiry: appends its answer to `out`.
  void tell_permissions(const RequestHead& head, const Admitted& admitted, const Inquiry& inquiry,
                        bool keep_alive, std::string& out);

  // Hands events that have been accepted before to the buffer, though the deduplication window
  // knows them, unless it knows a newer version. Nothing returned: `outcome` is complete. Otherwise
  // it is once `acknowledge` was called without an error; settle_events() follows in either case.
  std::optional<Handed> replay(const Replay& replay, ReplayOutcome& outcome,
                               buffer::Buffer::Acknowledge acknowledge);
  void settle_events(const Handed& handed, bool kept);

  // Answers a request with a problem, and counts it.
  void refuse(const RequestHead& head, RouteId route, const Problem& problem, bool keep_alive,
              std::string& out);

  [[nodiscard]] bool draining() const {
    return options_->draining->load(std::memory_order_relaxed);
  }
  [[nodiscard]] const Clock& clock() const { return *options_->clock; }
  [[nodiscard]] std::size_t body_bytes_max() const { return options_->body_bytes_max; }
  [[nodiscard]] KeepWhole keep_whole() const { return options_->keep_whole; }
  // The caller's, or a new one; valid until the next call.
  std::string_view request_id(const RequestHead& head);
  [[nodiscard]] Probe& probe() { return probe_; }

 private:
  // No route of ours: it is passed through, or there is nothing here.
  Result<Admitted, Problem> look_past_routes(const RequestHead& head, Peer* peer);
  Result<Admitted, Problem> look_at_probe(const RequestHead& head, Admitted admitted) const;
  void answer_probe(const RequestHead& head, const Admitted& admitted, bool keep_alive,
                    std::string& out);
  // As the admin server's /readyz has it.
  [[nodiscard]] bool is_ready(const HandlerOptions& options) const;
  Result<void, Problem> identify(const RequestHead& head, Peer* peer, Admitted& admitted);
  // Whose certificate it is; nullptr: certificates say nothing here, or the client has none.
  Result<const Producer*, Problem> recognise_peer(Peer* peer);
  Result<const Producer*, Problem> find_producer(const RequestHead& head, Peer* peer);
  // Whose credentials these are; kept in last_...
  Result<void, Problem> recognise(const std::string& credentials);
  // Answers the login and the refresh of its token.
  void log_in(const RequestHead& head, const Admitted& admitted, std::span<char> body,
              bool keep_alive, std::string& out);
  Result<std::string, Problem> make_token(const RequestHead& head, const Admitted& admitted,
                                          std::span<char> body);
  std::optional<Handed> ask_permissions(const RequestHead& head, const Admitted& admitted,
                                        std::span<char> body, bool keep_alive, std::string& out,
                                        const buffer::Buffer::Acknowledge& acknowledge);
  static bool serves(const Admitted& admitted, std::string_view permission);
  Result<void, Problem> check_capacity(const Admitted& admitted);
  Result<void, Problem> read_events(const RequestHead& head, const Admitted& admitted,
                                    std::span<char> body);
  Result<std::span<char>, Problem> decode(const Admitted& admitted, std::span<char> body);
  // Charges the producer's rate with what was examined, whatever comes of it: `valid` events, those
  // that were rejected, and the body's bytes.
  void charge(const Admitted& admitted, std::size_t valid, std::size_t bytes);
  Result<void, Problem> normalise(const RequestHead& head, const Admitted& admitted,
                                  std::span<char> body);
  Result<void, Problem> judge(const Admitted& admitted);
  Result<void, Problem> map(const Admitted& admitted, std::span<char> body,
                            const normalise::Request& request, const normalise::Rules& rules);
  void take_mapped(const mapping::MappingOutcome& outcome, std::uint32_t index,
                   const normalise::Request& request, const normalise::Rules& rules);
  void count_mapped(const mapping::MappingOutcome& outcome, std::size_t slot);
  // Whether the media type is one that the route reads.
  Result<void, Problem> find_media(const RequestHead& head, Admitted& admitted);
  // Acknowledges what a webhook is tried out with.
  void acknowledge_ping(const RequestHead& head, const Admitted& admitted, std::string_view body,
                        bool keep_alive, std::string& out);
  void normalise_again(const Replay& replay, const normalise::Rules& rules);
  void reject_withheld(const accept::Withheld& event);
  void count_events(const Admitted& admitted);
  // One relaxed load while nobody looks.
  [[nodiscard]] bool is_tapped() const {
    return options_->taps != nullptr && options_->taps->any();
  }
  void show_accepted(const RequestHead& head, const Admitted& admitted, MonoTime now);
  void show_rejected(const RequestHead& head, const Admitted& admitted, std::string_view body);
  void show_unreadable(const RequestHead& head, const Admitted& admitted, const Problem& problem);
  tap::Sample sample_of(const RequestHead& head, const Admitted& admitted, tap::Outcome outcome);
  accept::Request request_of(const RequestHead& head, const Admitted& admitted);
  Problem not_taken(const accept::Refused& refused, const Admitted& admitted);
  Problem full(const WorkspaceTarget& workspace, std::size_t producer);
  AnswerHead answer_head(const RequestHead& head, WallTime now, double pressure, bool keep_alive);
  [[nodiscard]] DedupKey request_key(std::string_view path, std::span<const char> body) const;

  HandlerOptionsPtr options_;
  std::uint64_t adopted_ = 1;  // options so far
  std::size_t thread_;
  Rng rng_;
  Probe& probe_;
  normalise::Normaliser normaliser_;
  normalise::Normalised events_;
  accept::Acceptor acceptor_;
  mapping::Mapper::Scratch mapper_scratch_;
  ContentDecoder decoder_;
  AnswerWriter answers_;
  Shares shares_;                           // of this thread
  std::size_t in_vain_ = 0;                 // events of the body at hand that were refused
  std::optional<std::span<char>> decoded_;  // by is_bulky(), of the body that is handled next
  std::string idempotency_key_;             // with the producer's name; empty: the request has none
  std::optional<DedupKey> request_key_;     // of a request that has one
  std::string mapped_;                      // the event that a source's rules made last
  std::uint32_t ignored_ = 0;               // raw events of the request, by a source's rules
  std::string made_request_id_;
  bool id_is_made_ = false;  // for the request at hand
  std::string request_id_prefix_;
  std::uint64_t requests_ = 0;
  WallTime received_at_;
  // The key that was looked up last, so that a connection's next request costs no hash.
  std::string last_credentials_;
  const Producer* last_producer_ = nullptr;
  WallTime last_expires_at_ = WallTime::max();
};

}  // namespace sluice::ingest
