#include "worker.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

#include <sluice/base/assert.hpp>

namespace sluice::load {
namespace {

namespace asio = net::asio;

constexpr std::chrono::milliseconds watch_interval{20};

void add(std::atomic<std::uint64_t>& counter, std::uint64_t amount) {
  // One thread writes: a plain addition does, and locks no bus.
  counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

}  // namespace

Worker::Worker(Options options) : options_(std::move(options)), with_room_(options_.connections) {
  SLUICE_ASSERT(options_.connections > 0 && !options_.pool->empty());
  for (std::size_t i = 0; i < options_.connections; ++i) {
    connections_.push_back(make_connection(*this, options_.connection));
  }
  to_flush_.reserve(options_.connections * options_.connection.pipeline);
}

void Worker::run() {
  for (const auto& connection : connections_) {
    net::spawn(executor(), gate_, connection->run());
  }
  net::spawn(executor(), gate_, watch());
  context_.run();
  options_.on_finished();
}

void Worker::begin(const Plan::Options& plan, MonoTime measured_from) {
  asio::post(context_, [this, plan, measured_from] {
    const MonoTime now = system_clock().mono_now();
    tally_.measure_from(measured_from);
    plan_options_ = plan;
    plan_.emplace(plan);
    last_open_ = now;
    next_request_ = plan.worker % options_.pool->size();
    pump(now);
  });
}

void Worker::stop() {
  asio::post(context_, [this] {
    if (plan_) {
      abandon(system_clock().mono_now());
    } else {
      finish();
    }
  });
}

Worker::Progress Worker::progress() const {
  return {.requests = shown_.requests.load(std::memory_order_relaxed),
          .events = shown_.events.load(std::memory_order_relaxed),
          .lost = shown_.lost.load(std::memory_order_relaxed)};
}

void Worker::opened(Connection& connection) {
  connection_settled({});
  offer(connection, system_clock().mono_now());
}

void Worker::connect_failed(error_code error) {
  if (plan_ && !over_) {
    tally_.connect_failed();
  }
  connection_settled(error);
}

void Worker::connection_settled(error_code error) {
  connect_error_ = error ? error : connect_error_;
  if (++connections_settled_ == connections_.size()) {
    options_.on_ready(connect_error_);
  }
}

void Worker::answered(MonoTime due, MonoTime now, std::uint32_t events, const Answer& answer) {
  --under_way_;
  tally_.answered(due, now, events, answer);
  add(shown_.requests, 1);
  add(shown_.events, events);
}

void Worker::lost(Loss loss, std::size_t requests) {
  under_way_ -= requests;
  tally_.lost(loss, requests);
  add(shown_.lost, requests);
}

void Worker::offer(Connection& connection, MonoTime now) {
  list(connection);
  pump(now);
}

void Worker::list(Connection& connection) {
  if (connection.has_room() && !connection.listed) {
    connection.listed = true;
    with_room_.push_back(&connection);
  }
}

void Worker::pump(MonoTime now) {
  if (!plan_) {
    return;
  }
  while (!with_room_.empty()) {
    Connection& connection = *with_room_.front();
    if (connection.has_room()) {
      const auto due = plan_->take(now);
      if (!due) {
        break;
      }
      connection.enqueue((*options_.pool)[next_request_], *due, now);
      next_request_ = (next_request_ + plan_options_.workers) % options_.pool->size();
      ++under_way_;
      to_flush_.push_back(&connection);
    }
    connection.listed = false;
    with_room_.pop_front();
    list(connection);
  }
  // What a connection got in one go leaves in one write.
  for (Connection* connection : to_flush_) {
    connection->flush();
  }
  to_flush_.clear();
  wake_for_next_due(now);
}

// When requests are due already and no connection has room, the next answer wakes us.
void Worker::wake_for_next_due(MonoTime now) {
  const auto due = plan_->next_due();
  if (!due || *due <= now || due == timer_set_for_) {
    return;
  }
  timer_set_for_ = due;
  due_timer_.expires_at(*due);
  due_timer_.async_wait([this](error_code error) {
    if (!error) {
      timer_set_for_.reset();
      pump(system_clock().mono_now());
    }
  });
}

// Gives up what takes too long, and notices the end.
net::Task<> Worker::watch() {
  while (!over_) {
    watch_timer_.expires_after(watch_interval);
    co_await watch_timer_.async_wait(net::as_result);
    const MonoTime now = system_clock().mono_now();
    for (const auto& connection : connections_) {
      connection->give_up_stale(now, options_.timeout);
      last_open_ = connection->is_open() ? now : last_open_;
    }
    if (plan_ && hopeless(now)) {
      abandon(now);
    }
    if (plan_ && plan_->exhausted(now) && under_way_ == 0) {
      finish();
    }
  }
}

// A run that has an end sits out any outage until then; one that has none would wait for ever.
bool Worker::hopeless(MonoTime now) const {
  return plan_options_.end ? now - *plan_options_.end > options_.timeout
                           : now - last_open_ > options_.timeout;
}

void Worker::abandon(MonoTime now) { tally_.never_sent(plan_->abandon(now)); }

void Worker::finish() {
  over_ = true;
  due_timer_.cancel();
  watch_timer_.cancel();
  for (const auto& connection : connections_) {
    connection->close();
  }
}

}  // namespace sluice::load
