#include "connection_pool.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <sluice/net/bell.hpp>

namespace sluice::transport {

using asio::ip::tcp;
using boost::system::error_code;
using deliver::Failure;
using std::chrono::steady_clock;

// A name being looked up. The system's resolver cannot be interrupted: who waits for it gives up at
// a deadline of its own, and the look-up, which all who need it share, ends by itself.
struct ConnectionPool::Lookup {
  net::Bell ended;
  std::optional<error_code> outcome;
  std::vector<tcp::endpoint> endpoints;
};

ConnectionPool::Lease::Lease(std::shared_ptr<ConnectionPool> pool,
                             std::shared_ptr<Connection> connection, MonoTime opened_at,
                             bool reused)
    : pool_(std::move(pool)),
      connection_(std::move(connection)),
      opened_at_(opened_at),
      reused_(reused) {
  pool_->busy_.push_back(connection_.get());
}

ConnectionPool::Lease::~Lease() { std::erase(pool_->busy_, connection_.get()); }

void ConnectionPool::Lease::give_back() {
  pool_->give_back({.connection = connection_, .opened_at = opened_at_});
}

ConnectionPool::ConnectionPool(const asio::any_io_executor& executor, const Clock& clock,
                               Options options)
    : executor_(executor),
      clock_(clock),
      options_(std::move(options)),
      resolver_(executor),
      sweep_(executor) {}

Task<Attempted<std::unique_ptr<ConnectionPool::Lease>>> ConnectionPool::acquire(
    std::shared_ptr<ConnectionPool> self, bool fresh) {
  Idle taken = fresh ? Idle() : self->take_idle();
  const bool reused = taken.connection != nullptr;
  if (!reused) {
    taken.connection = Connection::make(self->executor_, self->options_.peer->tls());
    taken.opened_at = self->clock_.mono_now();
  }
  std::unique_ptr<Lease> lease(
      new Lease(self, std::move(taken.connection), taken.opened_at, reused));
  if (reused) {
    ++self->probe_.reused_total;
  } else {
    const Attempted<void> opened = co_await self->open(**lease);
    if (!opened) {
      co_return std::unexpected(opened.error());
    }
  }
  co_return lease;
}

std::unexpected<Broken> ConnectionPool::broken(Failure failure, const std::string& what,
                                               bool timed_out) const {
  if (stopping_) {
    return std::unexpected(Broken{.failure = Failure::stopped, .detail = "stopped"});
  }
  return std::unexpected(Broken{.failure = failure,
                                .detail = options_.peer->host_header() + ": " + what,
                                .timed_out = timed_out});
}

Task<Attempted<void>> ConnectionPool::open(Connection& connection) {
  const MonoTime deadline = steady_clock::now() + options_.connect_timeout;
  const Attempted<std::vector<tcp::endpoint>> endpoints = co_await look_up(deadline);
  if (!endpoints) {
    co_return std::unexpected(endpoints.error());
  }
  error_code error = asio::error::host_not_found;
  std::size_t left = endpoints->size();
  for (const tcp::endpoint& endpoint : *endpoints) {
    // Each address gets its share of what time is left, so that one dead address costs no more.
    const MonoTime now = steady_clock::now();
    const auto share = std::max(deadline - now, MonoTime::duration::zero()) / left--;
    error = co_await connection.connect(endpoint, now + share);
    if (!error) {
      break;
    }
  }
  if (error) {
    co_return broken(Failure::connect, "cannot connect: " + error.message(),
                     error == asio::error::timed_out);
  }
  ++probe_.opened_total;
  if (options_.peer->tls() != nullptr) {
    ++probe_.tls_handshakes_total;
  }
  const Result<void> trusted = co_await connection.handshake(options_.peer->url().host, deadline);
  if (!trusted) {
    co_return broken(Failure::tls, trusted.error().message,
                     trusted.error().code == std::errc::timed_out);
  }
  co_return Attempted<void>{};
}

Task<Attempted<std::vector<tcp::endpoint>>> ConnectionPool::look_up(MonoTime deadline) {
  if (stopping_) {
    co_return broken(Failure::stopped, "");
  }
  if (!lookup_) {
    ++probe_.lookups_total;
    const auto started = std::make_shared<Lookup>();
    resolver_.async_resolve(
        options_.peer->url().host, options_.peer->url().port, tcp::resolver::numeric_service,
        [lookup = started, weak = weak_from_this()](const error_code& error,
                                                    const tcp::resolver::results_type& results) {
          // First: where memory runs out below, the next look-up begins anew.
          if (const auto self = weak.lock()) {
            self->lookup_.reset();
          }
          lookup->endpoints.assign(results.begin(), results.end());
          lookup->outcome = error;
          lookup->ended.ring();
        });
    lookup_ = started;
  }
  const std::shared_ptr<Lookup> lookup = lookup_;
  while (!lookup->outcome && !stopping_ && steady_clock::now() < deadline) {
    co_await lookup->ended.wait_until(deadline);
  }
  const std::optional<error_code> outcome = lookup->outcome;
  if (stopping_ || !outcome) {
    co_return broken(Failure::resolve, "the name could not be looked up in time", true);
  }
  if (*outcome) {
    co_return broken(Failure::resolve, outcome->message());
  }
  co_return lookup->endpoints;
}

ConnectionPool::Idle ConnectionPool::take_idle() {
  const MonoTime now = clock_.mono_now();
  while (!idle_.empty()) {
    Idle idle = std::move(idle_.back());
    idle_.pop_back();
    if (now - idle.since < options_.idle_time && now - idle.opened_at < options_.age_max &&
        idle.connection->quiet()) {
      return idle;
    }
  }
  return {};
}

void ConnectionPool::give_back(Idle idle) {
  const MonoTime now = clock_.mono_now();
  if (stopping_ || idle_.size() >= options_.idle_max || now - idle.opened_at >= options_.age_max ||
      idle.connection->has_read_ahead()) {
    return;
  }
  idle.since = now;
  idle_.push_back(std::move(idle));
  sweep_later();
}

void ConnectionPool::sweep_later() {
  if (sweeping_ || idle_.empty()) {
    return;
  }
  sweeping_ = true;
  sweep_.expires_after(options_.idle_time - (clock_.mono_now() - idle_.front().since));
  sweep_.async_wait([weak = weak_from_this()](const error_code&) {
    const auto self = weak.lock();
    if (!self || self->stopping_) {
      return;
    }
    self->sweeping_ = false;
    // Whoever was given back first has been idle for longest.
    const MonoTime too_long_since = self->clock_.mono_now() - self->options_.idle_time;
    std::erase_if(self->idle_, [&](const Idle& idle) { return idle.since <= too_long_since; });
    self->sweep_later();
  });
}

void ConnectionPool::stop() {
  stopping_ = true;
  resolver_.cancel();
  sweep_.cancel();
  idle_.clear();
  for (Connection* connection : busy_) {
    connection->close();
  }
  if (lookup_) {
    lookup_->ended.ring();
  }
}

ConnectionPool::Probe ConnectionPool::probe() const {
  Probe probe = probe_;
  probe.connections = busy_.size() + idle_.size();
  return probe;
}

}  // namespace sluice::transport
