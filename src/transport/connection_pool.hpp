// The connections to one upstream that one thread has: opened on demand, reused last in, first out.
//
// One is closed when it was idle for idle_time, which must be below the server's own limit, or when
// it is older than age_max: each new connection looks the name up again and tries each address in
// turn, so a change in DNS is followed. Before reuse a connection is checked for having been closed
// meanwhile.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <sluice/base/clock.hpp>
#include <sluice/deliver/upstream.hpp>
#include <sluice/net/asio.hpp>

#include "connection.hpp"
#include "peer.hpp"

namespace sluice::transport {

// How far an attempt came, and why no further.
struct Broken {
  deliver::Failure failure;
  std::string detail;
  bool timed_out = false;
};
template <class T>
using Attempted = std::expected<T, Broken>;

// Used on its executor's thread. Its coroutines keep it alive; the owner calls stop() before it
// lets go of it.
class ConnectionPool : public std::enable_shared_from_this<ConnectionPool> {
 public:
  struct Options {
    std::shared_ptr<const UpstreamPeer> peer;
    std::chrono::milliseconds connect_timeout{};  // name look-up, TCP and TLS together
    std::chrono::milliseconds idle_time{};
    std::chrono::milliseconds age_max{};
    std::size_t idle_max = std::numeric_limits<std::size_t>::max();
  };
  struct Probe {
    std::size_t connections = 0;  // open or being opened now
    std::uint64_t lookups_total = 0;
    std::uint64_t opened_total = 0;
    std::uint64_t reused_total = 0;
    std::uint64_t tls_handshakes_total = 0;
  };

  // A connection in use, where stop() finds it. It is closed when the lease ends without
  // give_back().
  class Lease {
   public:
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    Connection& operator*() const { return *connection_; }
    Connection* operator->() const { return connection_.get(); }
    // Whether it has served before.
    [[nodiscard]] bool reused() const { return reused_; }
    // It is in order for another request. Ends the use of it.
    void give_back();

   private:
    friend class ConnectionPool;
    Lease(std::shared_ptr<ConnectionPool> pool, std::shared_ptr<Connection> connection,
          MonoTime opened_at, bool reused);

    std::shared_ptr<ConnectionPool> pool_;
    std::shared_ptr<Connection> connection_;
    MonoTime opened_at_;
    bool reused_;
  };

  ConnectionPool(const asio::any_io_executor& executor, const Clock& clock, Options options);

  // One that is connected, and has shaken hands. Unless `fresh`, one that waits is taken.
  static Task<Attempted<std::unique_ptr<Lease>>> acquire(std::shared_ptr<ConnectionPool> self,
                                                         bool fresh = false);
  // Closes what waits and ends what is under way; nothing is opened from now on.
  void stop();
  [[nodiscard]] Probe probe() const;

 private:
  struct Idle {
    std::shared_ptr<Connection> connection;
    MonoTime opened_at{};
    MonoTime since{};
  };
  struct Lookup;

  Task<Attempted<void>> open(Connection& connection);
  Task<Attempted<std::vector<asio::ip::tcp::endpoint>>> look_up(MonoTime deadline);
  [[nodiscard]] std::unexpected<Broken> broken(deliver::Failure failure, const std::string& what,
                                               bool timed_out = false) const;
  // The one used last that is still sound; without a connection when there is none.
  Idle take_idle();
  void give_back(Idle idle);
  void sweep_later();

  asio::any_io_executor executor_;
  const Clock& clock_;
  Options options_;
  asio::ip::tcp::resolver resolver_;
  std::shared_ptr<Lookup> lookup_;  // under way, if any
  std::vector<Idle> idle_;          // the one used last is at the back
  std::vector<Connection*> busy_;
  asio::steady_timer sweep_;
  bool sweeping_ = false;
  bool stopping_ = false;
  Probe probe_;
};

}  // namespace sluice::transport
