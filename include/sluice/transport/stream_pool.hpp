// Connections to an upstream for whoever speaks HTTP over them himself: bytes out, bytes in, over a
// peer that has been verified as for delivery.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <string>

#include <boost/asio/buffer.hpp>

#include <sluice/base/clock.hpp>
#include <sluice/net/asio.hpp>

namespace sluice::transport {

// Where connections go, and whom they trust: that of an HttpUpstream. Immutable, shared by threads.
class Peer {
 public:
  virtual ~Peer() = default;
  // As HTTP wants it in `Host`.
  [[nodiscard]] virtual const std::string& host_header() const = 0;
};

// One connection in use. Destroying it closes it, once nothing is under way.
class ByteStream {
 public:
  struct Read {
    boost::system::error_code error;
    std::size_t bytes = 0;
  };

  virtual ~ByteStream() = default;
  // Whether it has served before, so that the peer may just be closing it.
  [[nodiscard]] virtual bool reused() const = 0;
  // One read and one write may be under way at once; nothing but close() ends them early.
  [[nodiscard]] virtual net::Task<Read> read_some(net::asio::mutable_buffer space) = 0;
  [[nodiscard]] virtual net::Task<boost::system::error_code> write(
      net::asio::const_buffer bytes) = 0;
  virtual void close() = 0;
  // It is in order for another request: all of the answer was read, and nothing beyond it.
  virtual void give_back() = 0;
};

// Why there is no connection.
struct NotConnected {
  std::string detail;
  bool timed_out = false;
};

// Of one thread. Stopped when it is destroyed; its connections may live on.
class StreamPool {
 public:
  struct Options {
    std::chrono::milliseconds connect_timeout{5'000};
    std::chrono::milliseconds idle_time{60'000};
    std::chrono::milliseconds connection_age_max{300'000};
    std::size_t idle_max = 8;
  };
  using Acquired = std::expected<std::unique_ptr<ByteStream>, NotConnected>;

  virtual ~StreamPool() = default;
  // Unless `fresh`, a connection that waits is taken.
  [[nodiscard]] virtual net::Task<Acquired> acquire(bool fresh) = 0;
  // Closes what waits; nothing is opened from now on.
  virtual void stop() = 0;
};

[[nodiscard]] std::unique_ptr<StreamPool> make_stream_pool(
    const net::asio::any_io_executor& executor, const Clock& clock,
    std::shared_ptr<const Peer> peer, const StreamPool::Options& options);

}  // namespace sluice::transport
