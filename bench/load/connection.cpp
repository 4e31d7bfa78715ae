#include "connection.hpp"

#include <type_traits>
#include <utility>

#include <boost/asio/connect.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>

#include <sluice/base/assert.hpp>
#include <sluice/net/tls.hpp>

#include "worker.hpp"

namespace sluice::load {
namespace {

namespace asio = net::asio;
using asio::ip::tcp;
using TlsStream = asio::ssl::stream<tcp::socket>;

// Not to spin on a server that refuses connections or ends them unanswered.
constexpr std::chrono::milliseconds reconnect_pause{50};

template <class Stream>
class StreamConnection final : public Connection {
 public:
  StreamConnection(Worker& worker, Options options) : Connection(worker, std::move(options)) {}

  void flush() override {
    if (writing_ || unwritten_.empty()) {
      return;
    }
    if constexpr (!is_tls) {
      // Nearly always the socket takes it all at once, and no operation needs to be started.
      error_code error;
      // For a single buffer Asio calls send(), which is cheaper than sendmsg().
      written(unwritten_.size() == 1 ? stream_->write_some(asio::buffer(unwritten_.front()), error)
                                     : stream_->write_some(unwritten_, error));
      if (unwritten_.empty()) {
        return;
      }
      if (error && error != asio::error::would_block) {
        close();
        return;
      }
    }
    writing_ = true;
    stream_->async_write_some(Unwritten{this}, [this](error_code error, std::size_t bytes) {
      writing_ = false;
      if (error) {
        close();
        write_ended_.ring();
        return;
      }
      written(bytes);
      flush();
      if (!writing_) {
        write_ended_.ring();
      }
    });
  }

 private:
  static constexpr bool is_tls = std::is_same_v<Stream, TlsStream>;

  // The buffers to write, without copying their list; it only grows while a write is under way, and
  // never beyond what was reserved.
  struct Unwritten {
    using value_type = asio::const_buffer;
    using const_iterator = const asio::const_buffer*;
    const StreamConnection* connection;
    std::size_t count = connection->unwritten_.size();
    [[nodiscard]] const_iterator begin() const { return connection->unwritten_.data(); }
    [[nodiscard]] const_iterator end() const { return begin() + count; }
  };

  tcp::socket& socket() {
    if constexpr (is_tls) {
      return stream_->next_layer();
    } else {
      return *stream_;
    }
  }

  void close_socket() override {
    if (stream_) {
      error_code ignored;
      socket().close(ignored);
    }
  }

  net::Task<error_code> open() override {
    tcp::socket fresh(worker_.executor());
    if constexpr (is_tls) {
      stream_.emplace(std::move(fresh), *options_.tls);
      if (!net::expect_peer(stream_->native_handle(), options_.host)) {
        co_return asio::error::invalid_argument;
      }
    } else {
      stream_.emplace(std::move(fresh));
    }
    const auto [unconnected, endpoint] =
        co_await asio::async_connect(socket(), options_.endpoints, net::as_result);
    if (unconnected) {
      co_return unconnected;
    }
    error_code error;
    socket().set_option(tcp::no_delay(true), error);
    if constexpr (is_tls) {
      const auto [unshaken] =
          co_await stream_->async_handshake(asio::ssl::stream_base::client, net::as_result);
      co_return unshaken;
    } else {
      socket().non_blocking(true, error);
      co_return error;
    }
  }

  net::Task<> read_answers() override {
    bool usable = true;
    while (usable) {
      const auto space = parser_.space();
      const auto [error, bytes] = co_await stream_->async_read_some(
          asio::buffer(space.data(), space.size()), net::as_result);
      parser_.commit(bytes);
      usable = take_answers() && !error;
    }
  }

  std::optional<Stream> stream_;
};

}  // namespace

Connection::Connection(Worker& worker, Options options)
    : worker_(worker), options_(std::move(options)), under_way_(options_.pipeline) {
  unwritten_.reserve(options_.pipeline);
}

net::Task<> Connection::run() {
  asio::steady_timer timer(worker_.executor());
  while (!worker_.over()) {
    opening_since_ = system_clock().mono_now();
    const error_code error = co_await open();
    opening_since_.reset();
    if (error || worker_.over()) {
      worker_.connect_failed(error);
    } else {
      open_ = true;
      answered_ = false;
      loss_ = Loss::cut;
      worker_.opened(*this);
      co_await read_answers();
    }
    co_await end_session();
    if (!answered_ && !worker_.over()) {
      timer.expires_after(reconnect_pause);
      co_await timer.async_wait(net::as_result);
    }
  }
}

void Connection::close() {
  open_ = false;
  close_socket();
}

net::Task<> Connection::end_session() {
  close();
  while (writing_) {
    co_await write_ended_.wait_until(MonoTime::max());
  }
  unwritten_.clear();
  parser_.reset();
  worker_.lost(loss_, under_way_.size());
  under_way_.clear();
}

void Connection::enqueue(const Request& request, MonoTime due, MonoTime now) {
  SLUICE_ASSERT(has_room());
  under_way_.push_back({.due = due, .sent = now, .events = request.events});
  unwritten_.emplace_back(request.bytes.data(), request.bytes.size());
}

void Connection::written(std::size_t bytes) {
  std::size_t whole = 0;
  while (whole < unwritten_.size() && bytes >= unwritten_[whole].size()) {
    bytes -= unwritten_[whole].size();
    ++whole;
  }
  unwritten_.erase(unwritten_.begin(), unwritten_.begin() + static_cast<std::ptrdiff_t>(whole));
  if (bytes > 0) {
    unwritten_.front() += bytes;
  }
}

bool Connection::take_answers() {
  const MonoTime now = system_clock().mono_now();
  Answer answer;
  bool usable = true;
  while (usable) {
    const ResponseParser::Step step = parser_.next(answer);
    if (step == ResponseParser::Step::incomplete) {
      break;
    }
    if (step == ResponseParser::Step::malformed || under_way_.empty()) {
      loss_ = Loss::malformed;
      return false;
    }
    const UnderWay& request = under_way_.front();
    worker_.answered(request.due, now, request.events, answer);
    under_way_.pop_front();
    answered_ = true;
    usable = answer.keep_alive;
  }
  open_ = usable;
  worker_.offer(*this, now);
  return usable;
}

void Connection::give_up_stale(MonoTime now, std::chrono::nanoseconds timeout) {
  if (opening_since_ && now - *opening_since_ > timeout) {
    close();
  } else if (!under_way_.empty() && now - under_way_.front().sent > timeout) {
    loss_ = Loss::timed_out;
    close();
  }
}

std::unique_ptr<Connection> make_connection(Worker& worker, Connection::Options options) {
  if (options.tls != nullptr) {
    return std::make_unique<StreamConnection<TlsStream>>(worker, std::move(options));
  }
  return std::make_unique<StreamConnection<tcp::socket>>(worker, std::move(options));
}

}  // namespace sluice::load
