// The ingest server: one thread, one io_context and one acceptor per CPU; a connection stays on its
// thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <sluice/base/clock.hpp>
#include <sluice/base/result.hpp>
#include <sluice/config/config.hpp>
#include <sluice/ingest/replay.hpp>
#include <sluice/ingest/tables.hpp>
#include <sluice/metrics/cells.hpp>
#include <sluice/metrics/exposition.hpp>
#include <sluice/tap/taps.hpp>

namespace sluice::ingest {

// What all ingest threads have counted.
struct Totals {
  std::uint64_t received = 0;
  std::uint64_t accepted = 0;
  std::uint64_t duplicates = 0;
  std::vector<std::pair<std::string_view, std::uint64_t>> rejected;  // by reason, none at 0
  std::uint64_t connections = 0;                                     // open now
  metrics::HistogramSnapshot duration;                               // of requests, in seconds
};

// The threads that hand events to the buffers: for each ingest thread one for large bodies, too.
[[nodiscard]] constexpr std::size_t handlers_of(std::size_t threads) { return 2 * threads; }

class Server {
 public:
  struct Options {
    config::Ingest config;
    std::size_t threads = 1;        // the buffers were made for handlers_of() as many producers
    std::size_t producers_max = 0;  // indexes that the admissions tell apart
    // That the file descriptors allow; fewer if the configuration says so.
    std::size_t connections_max = std::numeric_limits<std::size_t>::max();
    Tables tables;  // what it points at outlives the server
    const Clock* clock = nullptr;
    // Set when a stop must not wait any longer; outlives the server. Looked at now and then.
    const std::atomic<bool>* hurried = nullptr;
    tap::Taps* taps = nullptr;  // outlives the server; none: nobody can look at events
  };
  // How long requests that are under way may go on.
  struct Patience {
    std::chrono::nanoseconds requests{};
    std::chrono::nanoseconds passthrough{};  // those that are passed through
  };

  virtual ~Server() = default;

  // Where it listens, with the ports that the kernel chose.
  [[nodiscard]] virtual std::vector<config::ListenAddress> addresses() const = 0;
  // From now on connections are refused, and requests answered 503 with `Connection: close`.
  virtual void begin_drain() = 0;
  // begin_drain(), then waits for the requests that are under way, at most so long; when it
  // returns, no thread of the server runs and nothing is appended to a buffer any more.
  virtual void stop(Patience patience) = 0;
  // Any thread, one at a time. From now on requests go by these: producers, sources, limits and
  // TLS files; addresses and threads stay. Connections stay, and requests that are under way end by
  // what they began with. After an error nothing has changed.
  [[nodiscard]] virtual Result<void> update(config::Ingest config, Tables tables) = 0;
  // Any thread. Accepts dead letters again, on an ingest thread, as if they came in a request, but
  // whatever the deduplication window says: it may still know them. Refused once stop() was called;
  // `done` is called before that returns.
  virtual void replay(Replay replay, ReplayDone done) = 0;
  // Any thread.
  virtual void expose(metrics::Exposition& exposition) const = 0;
  [[nodiscard]] virtual Totals totals() const = 0;
};

// Listens and starts the threads. Fails when an address or a TLS file cannot be had.
[[nodiscard]] Result<std::unique_ptr<Server>> start_server(Server::Options options);

}  // namespace sluice::ingest
