// The way to Synerise over HTTP/1.1: a pool of keep-alive connections, TLS, time-outs, and
// credentials that renew themselves. It sends what it is told and says how far each attempt came;
// what to do about a failure is decided in deliver.
//
// Connections are opened on demand, one per concurrent post, and reused last in, first out. One is
// closed when it was idle for idle_time, which must be below the server's own limit, or when it is
// older than connection_age_max: each new connection looks the name up again and tries each address
// in turn, so a change in DNS is followed. Before reuse a connection is checked for having been
// closed meanwhile; what slips through that check is reported as it is: not_sent when the request
// was not written as a whole, no_answer when it was.
//
// An answer counts from its header on: when its body is cut, by the peer, by a time-out, by stop()
// or at deliver::answer_body_bytes_max, the answer has its status, Failure::none and the part of
// the body that came, marked as cut. Redirects are answers like any other; 1xx answers are skipped.
//
// With Auth jwt a token is fetched when the first post needs one, and again when it has lived for
// 80 to 90 percent of its time and a post uses it; that post does not wait. One login at a time
// serves all posts, and none starts within a second of the one before. Posts without a valid token
// wait for the login, at most for connect_timeout; after a failed login they end at once with
// Failure::credentials (or not_sent, when the upstream was down rather than unwilling) until the
// next one may start. Each login and each refresh_credentials() reads the key's file again, where
// it has one.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <sluice/base/clock.hpp>
#include <sluice/base/result.hpp>
#include <sluice/base/rng.hpp>
#include <sluice/config/config.hpp>
#include <sluice/deliver/upstream.hpp>
#include <sluice/net/gate.hpp>

namespace sluice::transport {

class Peer;

struct UpstreamOptions {
  std::string workspace;                              // for logs
  std::string base_url = "https://api.synerise.com";  // http:// or https://, a host, perhaps a port
  std::string ca_file;                                // empty: the system's store
  config::Auth auth;
  std::chrono::milliseconds connect_timeout{5'000};  // name look-up, TCP and TLS together
  std::chrono::milliseconds timeout{10'000};  // from a request's first byte to its answer's last
  std::chrono::milliseconds idle_time{60'000};
  std::chrono::milliseconds connection_age_max{300'000};
};

struct UpstreamDeps {
  net::asio::any_io_executor executor;  // of the one thread that everything runs on
  net::Gate& gate;                      // counts all work under way
  const Clock& clock;                   // for the age of tokens and connections
  Rng rng;
  std::function<Result<std::string>(const std::string& path)> read_file;
};

// What the connections did so far.
struct UpstreamProbe {
  std::size_t connections = 0;  // open or being opened now
  std::uint64_t lookups_total = 0;
  std::uint64_t connections_opened_total = 0;
  std::uint64_t connections_reused_total = 0;
  std::uint64_t tls_handshakes_total = 0;
  std::uint64_t logins_total = 0;
};

// Used from its executor's thread, as is the probe. Destroying it stops it; the work that is then
// still under way ends by itself and is counted by the gate, so wait for the gate before the
// io_context goes.
class HttpUpstream : public deliver::Upstream {
 public:
  [[nodiscard]] virtual UpstreamProbe probe() const = 0;
  // Another key for the same credentials: the next request carries it or, with jwt, the next login.
  virtual void set_api_key(config::Secret key) = 0;
  // The value of `Authorization` that a request must carry now; with jwt it may have to wait for a
  // login, as a post does. `done` is called as for a post.
  virtual void authorize(std::function<void(Result<std::string>)> done) = 0;
  // Where it posts to, for further pools of connections. Any thread.
  [[nodiscard]] virtual std::shared_ptr<const Peer> peer() const = 0;
};

// Opens no connection yet. The error is a base_url or a CA file that cannot be used.
[[nodiscard]] Result<std::unique_ptr<HttpUpstream>> make_http_upstream(UpstreamDeps deps,
                                                                       UpstreamOptions options);

}  // namespace sluice::transport
