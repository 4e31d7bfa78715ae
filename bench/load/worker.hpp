// One thread of the load: its io_context, its connections, its share of the plan, its tally.
// Nothing is shared with other workers but the requests, which nobody changes.
//
//   run() on the worker's thread; on_ready is called there once every connection is open or failed;
//   begin() starts the load; run() returns when all of it is answered, lost or given up.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/circular_buffer.hpp>

#include <sluice/base/clock.hpp>
#include <sluice/net/asio.hpp>
#include <sluice/net/gate.hpp>

#include "connection.hpp"
#include "plan.hpp"
#include "request_pool.hpp"
#include "tally.hpp"

namespace sluice::load {

class Worker {
 public:
  using error_code = boost::system::error_code;

  struct Options {
    const RequestPool* pool = nullptr;  // outlives the worker
    Connection::Options connection;
    std::size_t connections = 1;
    std::chrono::nanoseconds timeout{};
    // Called once, on the worker's thread, with the last error of those that could not connect.
    std::function<void(error_code)> on_ready;
    std::function<void()> on_finished;  // called last, on the worker's thread
  };

  // What has happened so far; any thread may look.
  struct Progress {
    std::uint64_t requests = 0;
    std::uint64_t events = 0;
    std::uint64_t lost = 0;
  };

  explicit Worker(Options options);

  void run();
  // Any thread. What was measured before then is warm-up.
  void begin(const Plan::Options& plan, MonoTime measured_from);
  // Any thread. Nothing more is sent; those under way are waited for.
  void stop();
  [[nodiscard]] Progress progress() const;
  // After run().
  [[nodiscard]] const Tally& tally() const { return tally_; }

  // For its connections, on its thread.
  [[nodiscard]] net::asio::any_io_executor executor() { return context_.get_executor(); }
  [[nodiscard]] bool over() const { return over_; }
  void opened(Connection& connection);
  void connect_failed(error_code error);
  void answered(MonoTime due, MonoTime now, std::uint32_t events, const Answer& answer);
  void lost(Loss loss, std::size_t requests);
  // The connection has room, if it has, and whatever is due is sent.
  void offer(Connection& connection, MonoTime now);

 private:
  [[nodiscard]] net::Task<> watch();
  void connection_settled(error_code error);
  void list(Connection& connection);
  void pump(MonoTime now);
  void wake_for_next_due(MonoTime now);
  void abandon(MonoTime now);
  [[nodiscard]] bool hopeless(MonoTime now) const;
  void finish();

  // Written by the worker's thread alone and read for show: each stands for itself, so relaxed.
  struct alignas(64) Shown {
    std::atomic<std::uint64_t> requests = 0;
    std::atomic<std::uint64_t> events = 0;
    std::atomic<std::uint64_t> lost = 0;
  };

  Options options_;
  net::asio::io_context context_{1};
  net::Gate gate_{"load"};
  net::asio::steady_timer due_timer_{context_};
  net::asio::steady_timer watch_timer_{context_};
  std::vector<std::unique_ptr<Connection>> connections_;
  boost::circular_buffer<Connection*> with_room_;  // in the order in which they got it
  std::vector<Connection*> to_flush_;
  std::size_t connections_settled_ = 0;  // open or failed, the first time
  std::size_t under_way_ = 0;
  error_code connect_error_;
  std::optional<Plan> plan_;  // none before begin()
  Plan::Options plan_options_;
  std::optional<MonoTime> timer_set_for_;
  MonoTime last_open_{};  // when a connection was last seen open
  std::size_t next_request_ = 0;
  bool over_ = false;
  Tally tally_;
  Shown shown_;
};

}  // namespace sluice::load
