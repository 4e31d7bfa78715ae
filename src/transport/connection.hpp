// One connection to the upstream, plain or TLS: one request at a time, each step with a deadline.
//
// A connection is held by shared_ptr, by whoever uses it or by the pool. The coroutines below are
// awaited by a holder, one at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include <sluice/base/clock.hpp>
#include <sluice/base/result.hpp>
#include <sluice/deliver/upstream.hpp>
#include <sluice/net/asio.hpp>
#include <sluice/net/deadline.hpp>

namespace sluice::transport {

namespace asio = net::asio;
using net::Task;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // `tls` is null for a plain connection, and must outlive a TLS one.
  [[nodiscard]] static std::shared_ptr<Connection> make(const asio::any_io_executor& executor,
                                                        asio::ssl::context* tls);
  virtual ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Connects; may be tried again, with another address, after a failure.
  [[nodiscard]] Task<boost::system::error_code> connect(asio::ip::tcp::endpoint endpoint,
                                                        MonoTime deadline);
  // With TLS: shakes hands with a peer that proves to be `host`. Nothing otherwise.
  [[nodiscard]] virtual Task<Result<void>> handshake(std::string host, MonoTime deadline) = 0;
  // Sends head and body in one gathered write and reads the answer; its failure is one of none,
  // not_sent, no_answer, answer_timeout, malformed_answer, stopped (close() was called).
  [[nodiscard]] virtual Task<deliver::UpstreamAnswer> exchange(std::string head,
                                                               std::string_view body,
                                                               MonoTime deadline) = 0;

  // For whoever speaks HTTP himself: one read and one write may be under way at once, without a
  // deadline but the caller's, who calls close(). write() writes all of it.
  struct Read {
    boost::system::error_code error;
    std::size_t bytes = 0;
  };
  [[nodiscard]] virtual Task<Read> read_some(asio::mutable_buffer space) = 0;
  [[nodiscard]] virtual Task<boost::system::error_code> write(asio::const_buffer bytes) = 0;

  // Whether the last exchange left the connection in order for another.
  [[nodiscard]] bool reusable() const { return reusable_ && !closed_; }
  // Whether the peer of an idle connection has kept quiet: what comes unasked is its end, or
  // nothing that an answer can be told from.
  [[nodiscard]] bool quiet();
  // Whether there are bytes that have left the socket and nobody has read yet.
  [[nodiscard]] virtual bool has_read_ahead() = 0;
  // Ends it, and whatever step is under way.
  void close();

 protected:
  explicit Connection(const asio::any_io_executor& executor) : deadline_(executor) {}
  virtual asio::ip::tcp::socket& socket() = 0;

  // Awaits a step; at its deadline the connection is cut.
  template <class T>
  [[nodiscard]] Task<net::Timely<T>> cut_at(MonoTime deadline, Task<T> step) {
    return net::with_deadline(deadline_, deadline, std::move(step), [this] { cut(); });
  }
  [[nodiscard]] bool closed() const { return closed_; }

  bool reusable_ = false;

 private:
  void cut();

  net::Deadline deadline_;
  bool closed_ = false;
};

}  // namespace sluice::transport
