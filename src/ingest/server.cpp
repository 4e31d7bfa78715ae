#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/intrusive/list.hpp>
#include <unistd.h>

#include <sluice/base/assert.hpp>
#include <sluice/base/log.hpp>
#include <sluice/ingest/server.hpp>
#include <sluice/net/gate.hpp>
#include <sluice/net/lingering.hpp>
#include <sluice/net/listener.hpp>
#include <sluice/net/run.hpp>
#include <sluice/net/tls.hpp>
#include <sluice/transport/stream_pool.hpp>

#include "bulk.hpp"
#include "handler.hpp"
#include "peer_counts.hpp"
#include "probe.hpp"
#include "producers.hpp"
#include "relay.hpp"
#include "session.hpp"
#include "strangers.hpp"

namespace sluice::ingest {
namespace {

namespace asio = boost::asio;
using net::as_result;
using net::Task;
using TlsStream = asio::ssl::stream<net::Socket>;

// How often deadlines are looked at: time-outs are this much coarser than configured.
constexpr std::chrono::milliseconds sweep_interval{250};
// After the last answer a TLS client is given so long to end the session before the connection is.
constexpr std::chrono::seconds tls_end_time{2};
// When the process is out of descriptors, accepting rests for so long.
constexpr std::chrono::milliseconds accept_rest{100};
// Connections beyond the limit for the moment that it takes another thread to close one.
constexpr std::size_t connections_beyond_max = 16;

// What all threads share.
struct Shared {
  std::size_t threads;
  std::size_t producers_max;
  std::size_t connections_max;  // whatever the configuration says
  const Clock& clock;
  const std::atomic<bool>* hurried;  // none: nobody can be in a hurry
  Tokens tokens;
  tap::Taps* taps = nullptr;
  std::atomic<bool> draining{false};
  std::atomic<std::size_t> connections{0};
  PeerCounts peers{};
  Bulk* bulk = nullptr;
  // Each has a thread close a connection soon, unless it has none that may be closed.
  std::vector<std::function<bool()>> make_room{};

  [[nodiscard]] std::size_t limit(const config::Ingest& config) const {
    return std::min(config.max_connections, connections_max);
  }
};

// What requests go by. Immutable; a reload gives the threads another one.
struct Snapshot {
  config::Ingest config;
  Tables tables;
  Producers producers;
  std::vector<std::string> source_names;  // by slot from 1, those that were removed included
  SessionLimits limits;
  HandlerOptions handler;
  std::shared_ptr<asio::ssl::context> tls;  // none: connections are plain
};
using SnapshotPtr = std::shared_ptr<const Snapshot>;

// A place among the connections that are limited, of all and of one peer's; given back at its end.
class Place {
 public:
  // Nothing, and counted in the probe, where there is none and `make_room` makes none.
  template <class MakeRoom>
  static std::optional<Place> take(Shared& shared, const config::Ingest& config,
                                   const net::Socket& socket, Probe& probe, MakeRoom&& make_room) {
    const std::size_t before = shared.connections.fetch_add(1, std::memory_order_relaxed);
    Place place(shared);
    const std::optional<PeerAddress> peer = address_of_peer(socket);
    if (peer && !shared.peers.try_enter(*peer, config.limits.max_connections_per_peer)) {
      probe.connections_refused_of_peer.add();
      return std::nullopt;
    }
    place.peer_ = peer;
    const std::size_t max = shared.limit(config);
    if (before >= max && (before >= max + connections_beyond_max || !make_room())) {
      probe.connections_refused.add();
      return std::nullopt;
    }
    return place;
  }
  ~Place() { give_back(); }
  void give_back() {
    if (shared_ == nullptr) {
      return;
    }
    if (peer_) {
      shared_->peers.leave(*peer_);
    }
    shared_->connections.fetch_sub(1, std::memory_order_relaxed);
    shared_ = nullptr;
  }
  Place(Place&& other) noexcept
      : shared_(std::exchange(other.shared_, nullptr)), peer_(other.peer_) {}
  Place& operator=(Place&&) = delete;

 private:
  // Counted among all already.
  explicit Place(Shared& shared) : shared_(&shared) {}

  Shared* shared_;
  std::optional<PeerAddress> peer_;
};

// A connection as the sweeper sees it.
class Connection : public boost::intrusive::list_base_hook<>,
                   public Stranger,
                   public ClientStream,
                   public std::enable_shared_from_this<Connection> {
 public:
  Connection(Handler& handler, const SessionLimits& limits, asio::io_context& context, Place place)
      : session(handler, limits, [this](const Result<void>& outcome) { acknowledge(outcome); }),
        context_(context),
        place_(std::move(place)),
        news_(context, MonoTime::max()) {}
  ~Connection() override = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Waits until the buffer has acknowledged what the session asked it to.
  Task<> wait_for_acknowledgement() {
    while (!outcome_) {
      co_await news_.async_wait(as_result);
    }
    session.acknowledged(*std::exchange(outcome_, std::nullopt));
  }

  // Has the body examined elsewhere. The connection is there until that is done, whatever happens.
  Task<> wait_for_examination(Bulk& bulk) {
    bool done = false;
    std::exception_ptr trouble;
    bulk.add(session.producer(), [this, &done, &trouble](Handler& handler) noexcept {
      std::exception_ptr thrown;
      try {
        session.examine(handler);
      } catch (...) {
        thrown = std::current_exception();
      }
      asio::post(context_, [this, &done, &trouble, thrown] {
        trouble = thrown;
        done = true;
        news_.cancel();
      });
    });
    try {
      while (!done) {
        co_await news_.async_wait(as_result);
      }
    } catch (...) {
      std::terminate();  // out of memory: the thread would tell a connection that is none
    }
    if (trouble) {
      std::rethrow_exception(trouble);
    }
    session.examined();
  }

  void give_back_place() { place_.give_back(); }

  Session session;
  MonoTime deadline = MonoTime::max();
  bool expired = false;
  bool evicted = false;    // closed already
  Relay* relay = nullptr;  // while a request is passed through

 private:
  // On any thread. The connection outlives the call: its coroutine waits for it, whatever happens.
  void acknowledge(const Result<void>& outcome) {
    asio::post(context_, [this, outcome] {
      outcome_ = outcome;
      news_.cancel();
    });
  }

  asio::io_context& context_;
  Place place_;
  asio::steady_timer news_;  // of the buffer, or of whoever examines a body: cancelled by it
  std::optional<Result<void>> outcome_;
};

// Shows the sweeper what a connection is waiting for.
class Relaying {
 public:
  Relaying(Connection& connection, Relay& relay) : connection_(connection) {
    connection_.relay = &relay;
  }
  ~Relaying() { connection_.relay = nullptr; }
  Relaying(const Relaying&) = delete;
  Relaying& operator=(const Relaying&) = delete;

 private:
  Connection& connection_;
};

template <class Stream>
class StreamConnection final : public Connection {
 public:
  StreamConnection(Stream given, Handler& handler, const SessionLimits& limits,
                   asio::io_context& context, Place place)
      : Connection(handler, limits, context, std::move(place)), stream(std::move(given)) {}

  void cancel() override {
    boost::system::error_code ignored;
    stream.lowest_layer().cancel(ignored);
  }
  void reset() override {
    boost::system::error_code ignored;
    stream.lowest_layer().set_option(asio::socket_base::linger(true, 0), ignored);
    stream.lowest_layer().close(ignored);
  }
  void make_room() override {
    evicted = true;
    give_back_place();
    boost::system::error_code ignored;
    stream.lowest_layer().close(ignored);
  }
  Task<Read> read_some(std::span<char> space) override {
    const auto [error, bytes] =
        co_await stream.async_read_some(asio::buffer(space.data(), space.size()), as_result);
    co_return Read{.error = error, .bytes = bytes};
  }
  Task<boost::system::error_code> write(std::string_view bytes) override {
    const auto [error, written] =
        co_await asio::async_write(stream, asio::buffer(bytes.data(), bytes.size()), as_result);
    co_return error;
  }

  Stream stream;
};

class Thread {
 public:
  Thread(Shared& shared, SnapshotPtr snapshot, std::size_t index, Probe& probe)
      : shared_(shared),
        context_(1),
        handler_(snapshot->handler, index, Rng::from_system_entropy(), probe),
        probe_(probe),
        lingering_(shared.clock),
        sweep_timer_(context_) {
    adopt(std::move(snapshot));
  }

  Result<void> add_listener(const config::ListenAddress& address) {
    auto acceptor = net::listen(context_.get_executor(), address, {.reuse_port = true});
    if (!acceptor) {
      return std::unexpected(acceptor.error());
    }
    acceptors_.push_back(std::move(*acceptor));
    return {};
  }
  // Shares the listening socket of another thread: a Unix-domain socket has only one.
  Result<void> share_listener(net::Acceptor& other) {
    const int descriptor = ::dup(other.native_handle());
    if (descriptor < 0) {
      return failure(static_cast<std::errc>(errno),
                     "cannot share a listening socket between threads");
    }
    net::Acceptor& acceptor = acceptors_.emplace_back(context_);
    acceptor.assign(other.local_endpoint().protocol(), descriptor);
    return {};
  }
  std::vector<net::Acceptor>& acceptors() { return acceptors_; }

  void start() {
    for (net::Acceptor& acceptor : acceptors_) {
      net::spawn(context_.get_executor(), gate_, accept(acceptor));
    }
    net::spawn(context_.get_executor(), gate_, sweep());
    thread_ = std::thread([this] { net::run(context_, "ingest"); });
  }
  void replay(Replay replay, ReplayDone done) {
    auto job = std::make_shared<ReplayJob>(std::move(replay), std::move(done), context_);
    asio::post(context_, [this, job] {
      job->handed =
          handler_.replay(job->replay, job->outcome, [this, job](const Result<void>& kept) {
            asio::post(context_, [this, job, kept] { finish(*job, kept); });
          });
      if (!job->handed) {
        job->done(std::move(job->outcome));
      }
    });
  }
  void update(const SnapshotPtr& snapshot) {
    asio::post(context_, [this, snapshot] { adopt(snapshot); });
  }
  // Any thread. False: it has no connection that may be closed.
  bool make_room_soon() {
    if (!strangers_.try_claim()) {
      return false;
    }
    asio::post(context_, [this] { strangers_.redeem(); });
    return true;
  }
  void begin_drain() {
    asio::post(context_, [this] {
      for (net::Acceptor& acceptor : acceptors_) {
        boost::system::error_code ignored;
        acceptor.close(ignored);
      }
      for (Connection& connection : connections_) {
        if (connection.session.idle()) {
          connection.cancel();
        }
      }
    });
  }
  void begin_stop(MonoTime deadline, MonoTime relays_deadline) {
    asio::post(context_, [this, deadline, relays_deadline] {
      stop_at_ = deadline;
      stop_relays_at_ = relays_deadline;
      sweep_timer_.cancel();
    });
  }
  void join() { thread_.join(); }

 private:
  void adopt(SnapshotPtr snapshot) {
    snapshot_ = std::move(snapshot);
    limits_ = snapshot_->limits;
    // Requests count references within this thread; the last one lets the snapshot go.
    handler_.adopt(
        HandlerOptionsPtr(&snapshot_->handler, [keep = snapshot_](const HandlerOptions*) {}));
  }

  // Keeps the thread until it is done.
  struct ReplayJob {
    ReplayJob(Replay given, ReplayDone when_done, asio::io_context& context)
        : replay(std::move(given)), done(std::move(when_done)), work(context.get_executor()) {}

    Replay replay;
    ReplayDone done;
    ReplayOutcome outcome;
    std::optional<Handed> handed;
    asio::executor_work_guard<asio::io_context::executor_type> work;
  };

  // A connection among those that the sweeper sees, however its coroutine ends.
  class Presence {
   public:
    Presence(Thread& thread, Connection& connection) : thread_(thread), connection_(connection) {
      thread_.connections_.push_back(connection_);
      thread_.strangers_.add(connection_);
      thread_.probe_.connections_opened.add();
    }
    ~Presence() {
      thread_.strangers_.remove(connection_);
      thread_.connections_.erase(thread_.connections_.iterator_to(connection_));
      thread_.probe_.connections_closed.add();
    }
    Presence(const Presence&) = delete;
    Presence& operator=(const Presence&) = delete;

   private:
    Thread& thread_;
    Connection& connection_;
  };

  void finish(ReplayJob& job, const Result<void>& kept) {
    handler_.settle_events(*job.handed, kept.has_value());
    if (!kept) {
      job.outcome = {.refused = not_stored(kept.error().message).message};
    }
    job.done(std::move(job.outcome));
  }

  Task<> accept(net::Acceptor& acceptor) {
    asio::steady_timer rest(context_);
    while (acceptor.is_open()) {
      auto [error, socket] = co_await acceptor.async_accept(as_result);
      if (error == asio::error::operation_aborted || error == asio::error::bad_descriptor) {
        co_return;
      }
      if (error) {
        SLUICE_LOG(error, "cannot accept connections for the moment", {"error", error.message()});
        evict_oldest();  // if it is descriptors that are short
        rest.expires_after(accept_rest);
        co_await rest.async_wait(as_result);
        continue;
      }
      try {
        admit(std::move(socket));
      } catch (const std::exception& trouble) {
        SLUICE_LOG(error, "cannot serve a connection: it is closed", {"error", trouble.what()});
      }
    }
  }

  void admit(net::Socket socket) {
    std::optional<Place> place =
        Place::take(shared_, snapshot_->config, socket, probe_, [this] { return make_room(); });
    if (!place) {
      return;
    }
    boost::system::error_code ignored;  // not every kind of socket has the option
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    socket.non_blocking(true, ignored);
    if (snapshot_->tls && socket.local_endpoint(ignored).protocol().family() != AF_UNIX) {
      // OpenSSL counts references to what a stream needs of its context.
      TlsStream stream(std::move(socket), *snapshot_->tls);
      begin(std::move(stream), *std::move(place));
    } else {
      begin(std::move(socket), *std::move(place));
    }
  }

  bool evict_oldest() {
    if (!strangers_.evict_oldest()) {
      return false;
    }
    probe_.connections_evicted.add();
    return true;
  }
  // Whether a connection is closed, or will be in a moment, for one more.
  bool make_room() {
    if (evict_oldest()) {
      return true;
    }
    if (!std::ranges::any_of(shared_.make_room, [](const auto& make) { return make(); })) {
      return false;
    }
    probe_.connections_evicted.add();
    return true;
  }

  template <class Stream>
  void begin(Stream stream, Place place) {
    auto connection = std::make_shared<StreamConnection<Stream>>(
        std::move(stream), handler_, limits_, context_, std::move(place));
    net::spawn(context_.get_executor(), gate_, serve(std::move(connection)));
  }

  template <class Stream>
  Task<> serve(std::shared_ptr<StreamConnection<Stream>> connection) {
    const Presence presence(*this, *connection);
    std::exception_ptr trouble;
    try {
      bool ready = true;
      if constexpr (std::is_same_v<Stream, TlsStream>) {
        ready = co_await shake_hands(*connection);
      }
      if (ready) {
        co_await exchange(*connection);
        if (!connection->evicted) {
          co_await close(*connection);
        }
      }
    } catch (...) {
      trouble = std::current_exception();
    }
    // The client may be gone, but the buffer has events of its, and will say what became of them.
    if (connection->session.is_waiting()) {
      try {
        co_await connection->wait_for_acknowledgement();
      } catch (...) {
        std::terminate();  // out of memory: the buffer would tell a connection that is none
      }
    }
    if (trouble) {
      std::rethrow_exception(trouble);
    }
  }

  // Whether the client may go on; the session then knows who it is, if it has shown a certificate.
  Task<bool> shake_hands(StreamConnection<TlsStream>& connection) {
    connection.deadline = shared_.clock.mono_now() + limits_.head_timeout;
    auto [error] = co_await connection.stream.async_handshake(TlsStream::server, as_result);
    SSL* const tls = connection.stream.native_handle();
    if (connection.evicted) {
      co_return false;
    }
    if (error && connection.expired) {
      probe_.count_timeout(Slow::handshake);
    } else if (error || net::has_peer_expired(tls)) {
      probe_.handshakes_failed.add();
      co_return false;
    } else if (auto names = net::names_of_peer(tls)) {
      connection.session.set_peer(*std::move(names));
      strangers_.remove(connection);
    }
    co_return !error;
  }

  // Requests and answers, until the connection has no more.
  template <class Stream>
  Task<> exchange(StreamConnection<Stream>& connection) {
    Session& session = connection.session;
    MonoTime now = shared_.clock.mono_now();
    while (!connection.evicted) {
      const Session::Next next = session.next(now);
      if (session.is_known()) {
        strangers_.remove(connection);
      }
      connection.deadline = session.deadline();
      connection.expired = false;
      boost::system::error_code error;
      switch (next) {
        case Session::Next::close:
          co_return;
        case Session::Next::acknowledge:
          co_await connection.wait_for_acknowledgement();
          break;
        case Session::Next::examine:
          co_await connection.wait_for_examination(*shared_.bulk);
          break;
        case Session::Next::relay:
          if (!co_await relay(connection)) {
            co_return;
          }
          break;
        case Session::Next::read: {
          const std::span<char> space = session.free_space();
          auto [read_error, bytes] = co_await connection.stream.async_read_some(
              asio::buffer(space.data(), space.size()), as_result);
          session.received(bytes);
          error = read_error;
          break;
        }
        case Session::Next::write: {
          const asio::const_buffer rest = write_at_once(connection.stream, session.output());
          if (rest.size() == 0) {
            session.written();
            continue;
          }
          auto [write_error, bytes] =
              co_await asio::async_write(connection.stream, rest, as_result);
          session.written();
          if (write_error) {
            if (connection.expired) {
              probe_.count_timeout(Slow::answer);
            }
            co_return;
          }
          break;
        }
      }
      now = shared_.clock.mono_now();
      if (error == asio::error::operation_aborted && connection.expired) {
        session.timed_out();
      } else if (error == asio::error::operation_aborted && session.idle()) {
        continue;  // drained: the session closes by itself
      } else if (error) {
        co_return;
      }
    }
  }

  // Whether the connection is in order for what the session wants next.
  Task<bool> relay(Connection& connection) {
    const Admitted& admitted = connection.session.admitted();
    const auto relay = std::make_shared<Relay>(
        Relay::Deps{.executor = context_.get_executor(),
                    .gate = gate_,
                    .clock = shared_.clock,
                    .handler = handler_,
                    .pool = pool_of(admitted.workspace, *admitted.passthrough),
                    .connection = connection.shared_from_this()},
        connection.session, connection);
    const Relaying relaying(connection, *relay);
    co_return co_await relay->run();
  }

  // Made when it is first needed; a workspace's address stays for the life of the process.
  transport::StreamPool& pool_of(std::size_t workspace, const PassthroughTarget& target) {
    pools_.resize(std::max(pools_.size(), workspace + 1));
    if (pools_[workspace] == nullptr) {
      pools_[workspace] =
          transport::make_stream_pool(context_.get_executor(), shared_.clock, target.peer,
                                      {.connect_timeout = target.connect_timeout});
    }
    return *pools_[workspace];
  }

  // Nearly every answer fits the socket's buffer: then there is nothing to wait for. Returns what
  // does not fit, or cannot be written; waiting to write it tells why.
  template <class Stream>
  static asio::const_buffer write_at_once(Stream& stream, const std::string& output) {
    const asio::const_buffer whole = asio::buffer(output);
    if constexpr (std::is_same_v<Stream, net::Socket>) {
      boost::system::error_code ignored;
      return whole + stream.write_some(whole, ignored);
    } else {
      return whole;
    }
  }

  template <class Stream>
  Task<> close(StreamConnection<Stream>& connection) {
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      // Says the end. It is not taken amiss if what comes is no answer to that.
      connection.deadline = shared_.clock.mono_now() + tls_end_time;
      co_await connection.stream.async_shutdown(as_result);
    }
    connection.deadline = MonoTime::max();
    co_await lingering_.close(static_cast<net::Socket&>(connection.stream.lowest_layer()));
  }

  // Cancels what is late; once stop() was called, sees the thread to its end.
  Task<> sweep() {
    while (!is_stopping() || !connections_.empty()) {
      sweep_timer_.expires_after(sweep_interval);
      co_await sweep_timer_.async_wait(as_result);
      try {
        cancel_what_is_late(shared_.clock.mono_now());
      } catch (const std::exception& trouble) {
        SLUICE_LOG(error, "cannot look at connections for the moment", {"error", trouble.what()});
      }
    }
    for (const auto& pool : pools_) {
      if (pool != nullptr) {
        pool->stop();
      }
    }
  }
  void cancel_what_is_late(MonoTime now) {
    for (Connection& connection : connections_) {
      if (connection.relay != nullptr) {
        connection.relay->sweep(now);
        if (is_stopping() && (now >= stop_relays_at_ || is_hurried())) {
          connection.relay->stop();
        }
      } else if (connection.deadline <= now || (is_stopping() && now >= stop_at_)) {
        connection.expired = true;
        connection.cancel();
      }
    }
  }
  [[nodiscard]] bool is_stopping() const { return stop_at_ != MonoTime::max(); }

  [[nodiscard]] bool is_hurried() const {
    return shared_.hurried != nullptr && shared_.hurried->load(std::memory_order_relaxed);
  }

  Shared& shared_;
  SnapshotPtr snapshot_;
  SessionLimits limits_;  // those of the snapshot; the sessions refer to them
  asio::io_context context_;
  net::Gate gate_{"ingest"};
  std::vector<net::Acceptor> acceptors_;
  Handler handler_;
  Probe& probe_;
  boost::intrusive::list<Connection> connections_;
  net::Lingering lingering_;
  Strangers strangers_;  // among the connections
  asio::steady_timer sweep_timer_;
  std::vector<std::unique_ptr<transport::StreamPool>> pools_;  // by workspace
  MonoTime stop_at_ = MonoTime::max();
  MonoTime stop_relays_at_ = MonoTime::max();
  std::thread thread_;
};

class ThreadedServer final : public Server {
 public:
  ThreadedServer(std::unique_ptr<Shared> shared, SnapshotPtr snapshot)
      : shared_(std::move(shared)), snapshot_(std::move(snapshot)) {}
  ~ThreadedServer() override { stop({}); }

  Result<void> listen() {
    for (std::size_t i = 0; i < handlers_of(shared_->threads); ++i) {
      probes_.push_back(std::make_unique<Probe>(snapshot_->tables));
    }
    for (std::size_t i = 0; i < shared_->threads; ++i) {
      threads_.push_back(std::make_unique<Thread>(*shared_, snapshot_, i, *probes_[i]));
    }
    bulk_ = std::make_unique<Bulk>(handler_options(snapshot_), shared_->threads,
                                   std::span(probes_).subspan(shared_->threads));
    shared_->bulk = bulk_.get();
    for (const config::ListenAddress& address : snapshot_->config.listen) {
      if (auto listening = listen_on(address); !listening) {
        threads_.clear();
        return listening;
      }
    }
    return {};
  }
  void start() {
    for (const auto& thread : threads_) {
      shared_->make_room.emplace_back([&thread = *thread] { return thread.make_room_soon(); });
    }
    bulk_->start();
    for (const auto& thread : threads_) {
      thread->start();
    }
  }

  [[nodiscard]] std::vector<config::ListenAddress> addresses() const override { return addresses_; }
  void begin_drain() override {
    shared_->draining.store(true, std::memory_order_relaxed);
    for (const auto& thread : threads_) {
      thread->begin_drain();
    }
  }
  void stop(Patience patience) override {
    if (threads_.empty()) {
      return;
    }
    begin_drain();
    {
      const std::lock_guard lock(mutex_);
      running_ = false;
    }
    const MonoTime now = shared_->clock.mono_now();
    for (const auto& thread : threads_) {
      thread->begin_stop(now + patience.requests, now + patience.passthrough);
    }
    for (const auto& thread : threads_) {
      thread->join();
    }
    bulk_->stop();  // idle, as nobody waits for it any more
    threads_.clear();
  }
  void replay(Replay replay, ReplayDone done) override {
    std::unique_lock lock(mutex_);
    if (running_) {
      return threads_.front()->replay(std::move(replay), std::move(done));
    }
    lock.unlock();
    done({.refused = "the gateway is stopping"});
  }
  Result<void> update(config::Ingest config, Tables tables) override;
  void expose(metrics::Exposition& exposition) const override {
    const SnapshotPtr now = snapshot();
    ingest::expose(probes_, now->source_names, exposition);
    expose_passthrough(probes_, now->tables, exposition);
    exposition.gauge("ingest_connections_limit", "Connections that may be open at once.", {},
                     static_cast<double>(shared_->limit(now->config)));
  }
  [[nodiscard]] Totals totals() const override { return sum_totals(probes_); }

 private:
  // Every thread listens on the address; the first one finds out which it really is.
  Result<void> listen_on(const config::ListenAddress& address) {
    if (auto first = threads_.front()->add_listener(address); !first) {
      return first;
    }
    net::Acceptor& acceptor = threads_.front()->acceptors().back();
    addresses_.push_back(net::local_address(acceptor));
    for (std::size_t i = 1; i < threads_.size(); ++i) {
      const bool is_unix = std::holds_alternative<config::UnixAddress>(address);
      const auto joined = is_unix ? threads_[i]->share_listener(acceptor)
                                  : threads_[i]->add_listener(addresses_.back());
      if (!joined) {
        return joined;
      }
    }
    return {};
  }

  static std::shared_ptr<const HandlerOptions> handler_options(const SnapshotPtr& snapshot) {
    return {snapshot, &snapshot->handler};
  }

  [[nodiscard]] SnapshotPtr snapshot() const {
    const std::lock_guard lock(mutex_);
    return snapshot_;
  }

  std::unique_ptr<Shared> shared_;
  SnapshotPtr snapshot_;  // the latest
  std::vector<std::unique_ptr<Probe>> probes_;
  std::vector<config::ListenAddress> addresses_;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::unique_ptr<Bulk> bulk_;
  mutable std::mutex mutex_;  // guards what other threads ask of a server that may be stopping
  bool running_ = true;
};

std::vector<std::string> workspace_names(const Tables& tables) {
  std::vector<std::string> names;
  names.reserve(tables.workspaces.size());
  for (const WorkspaceTarget& workspace : tables.workspaces) {
    names.push_back(workspace.name);
  }
  return names;
}

// Gives each source the slot that one of its name has had, or a new one.
std::vector<std::string> give_slots(Tables& tables, const Snapshot* previous) {
  std::vector<std::string> names =
      previous == nullptr ? std::vector<std::string>() : previous->source_names;
  for (SourceTarget& source : tables.sources) {
    auto at = std::ranges::find(names, source.name);
    if (at == names.end()) {
      at = names.insert(names.end(), source.name);
    }
    source.slot = static_cast<std::size_t>(at - names.begin() + 1);
  }
  return names;
}

// Which requests may be passed through at all.
KeepWhole keep_whole(const config::Ingest& config, const Tables& tables) {
  if (std::ranges::all_of(tables.workspaces, [](const WorkspaceTarget& workspace) {
        return workspace.passthrough == nullptr;
      })) {
    return KeepWhole::never;
  }
  // Where the gateway has neither producers nor a key for tokens that somebody has chosen, its own
  // logins would be worth nothing upstream.
  const bool logins = config.producers.empty() && !config.token_key &&
                      tables.workspaces.front().passthrough != nullptr;
  return logins ? KeepWhole::unrouted_or_login : KeepWhole::unrouted;
}

Result<SnapshotPtr> make_snapshot(config::Ingest config, Tables tables, Shared& shared,
                                  const Snapshot* previous) {
  std::shared_ptr<asio::ssl::context> tls;
  if (config.tls) {
    auto made = net::make_server_tls(*config.tls);
    if (!made) {
      return std::unexpected(made.error());
    }
    tls = std::make_shared<asio::ssl::context>(std::move(*made));
  }
  Producers producers(config.producers, workspace_names(tables),
                      previous == nullptr ? nullptr : &previous->producers);
  std::vector<std::string> source_names = give_slots(tables, previous);
  auto snapshot = std::make_shared<Snapshot>(Snapshot{.config = std::move(config),
                                                      .tables = std::move(tables),
                                                      .producers = std::move(producers),
                                                      .source_names = std::move(source_names),
                                                      .limits = {},
                                                      .handler = {},
                                                      .tls = std::move(tls)});
  const config::Ingest& kept = snapshot->config;
  snapshot->limits = {.head_bytes_max = kept.max_header_bytes,
                      .head_timeout = kept.header_timeout,
                      .body_timeout = kept.body_timeout,
                      .idle_timeout = kept.idle_timeout,
                      .write_timeout = kept.write_timeout,
                      .requests_max = kept.limits.max_requests_per_connection};
  snapshot->handler = {
      .clock = &shared.clock,
      .tables = &snapshot->tables,
      .producers = &snapshot->producers,
      .tokens = &shared.tokens,
      .draining = &shared.draining,
      .reject_request_on_invalid = kept.on_invalid == config::OnInvalid::reject_request,
      .body_bytes_max = kept.max_body_bytes,
      .decompression_ratio_max = kept.limits.max_decompression_ratio,
      .taps = shared.taps,
      .keep_whole = keep_whole(kept, snapshot->tables)};
  return snapshot;
}

Result<void> ThreadedServer::update(config::Ingest config, Tables tables) {
  const SnapshotPtr previous = snapshot();
  auto next = make_snapshot(std::move(config), std::move(tables), *shared_, previous.get());
  if (!next) {
    return std::unexpected(next.error());
  }
  if ((*next)->producers.indexes() > shared_->producers_max ||
      (*next)->source_names.size() >= probes_.front()->received.size()) {
    return failure(std::errc::no_buffer_space,
                   "too many producers or sources have been added since the start: restart");
  }
  const std::lock_guard lock(mutex_);
  if (!running_) {
    return failure(std::errc::operation_canceled, "the gateway is stopping");
  }
  snapshot_ = *next;
  for (const auto& thread : threads_) {
    thread->update(snapshot_);
  }
  bulk_->update(handler_options(snapshot_));
  return {};
}

}  // namespace

Result<std::unique_ptr<Server>> start_server(Server::Options options) {
  Tokens tokens(options.config.token_key ? options.config.token_key->value : "");
  auto shared = std::unique_ptr<Shared>(new Shared{.threads = options.threads,
                                                   .producers_max = options.producers_max,
                                                   .connections_max = options.connections_max,
                                                   .clock = *options.clock,
                                                   .hurried = options.hurried,
                                                   .tokens = std::move(tokens),
                                                   .taps = options.taps});
  auto snapshot =
      make_snapshot(std::move(options.config), std::move(options.tables), *shared, nullptr);
  if (!snapshot) {
    return std::unexpected(snapshot.error());
  }
  auto server = std::make_unique<ThreadedServer>(std::move(shared), std::move(*snapshot));
  if (auto listening = server->listen(); !listening) {
    return std::unexpected(listening.error());
  }
  server->start();
  return server;
}

}  // namespace sluice::ingest
