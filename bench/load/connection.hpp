// One keep-alive connection, opened again whenever it ends. It does the I/O; the worker decides
// what is sent when. It belongs to its worker, lives as long as the worker's io_context, and is
// used on that context's thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/circular_buffer.hpp>

#include <sluice/base/clock.hpp>
#include <sluice/net/asio.hpp>
#include <sluice/net/bell.hpp>

#include "request_pool.hpp"
#include "tally.hpp"

namespace sluice::load {

class Worker;

class Connection {
 public:
  struct Options {
    std::vector<net::asio::ip::tcp::endpoint> endpoints;  // tried in this order
    std::string host;                                     // that the certificate must name
    net::asio::ssl::context* tls = nullptr;               // none: plain; outlives the connection
    std::size_t pipeline = 1;
  };

  virtual ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Opens the connection and reads its answers, and does so again until the worker is over.
  [[nodiscard]] net::Task<> run();

  [[nodiscard]] bool has_room() const { return open_ && !under_way_.full(); }
  [[nodiscard]] bool is_open() const { return open_; }
  // Queues a request, which must outlive the run; flush() writes it. There must be room.
  void enqueue(const Request& request, MonoTime due, MonoTime now);
  virtual void flush() = 0;
  // Gives up what has taken longer than the time-out.
  void give_up_stale(MonoTime now, std::chrono::nanoseconds timeout);
  // Ends the connection; run() then returns or opens it again.
  void close();

  // The worker's: whether it is in the worker's list of those with room.
  bool listed = false;

 protected:
  using error_code = boost::system::error_code;

  Connection(Worker& worker, Options options);

  [[nodiscard]] virtual net::Task<error_code> open() = 0;
  virtual void close_socket() = 0;
  [[nodiscard]] virtual net::Task<> read_answers() = 0;
  // Takes the parser's answers; whether the connection can be used on.
  [[nodiscard]] bool take_answers();
  void written(std::size_t bytes);

  Worker& worker_;
  const Options options_;
  ResponseParser parser_;
  std::vector<net::asio::const_buffer> unwritten_;
  bool writing_ = false;
  net::Bell write_ended_;

 private:
  struct UnderWay {
    MonoTime due;
    MonoTime sent;
    std::uint32_t events = 0;
  };

  [[nodiscard]] net::Task<> end_session();

  boost::circular_buffer<UnderWay> under_way_;
  bool open_ = false;
  bool answered_ = false;  // since it was opened
  std::optional<MonoTime> opening_since_;
  Loss loss_ = Loss::cut;  // what becomes of those under way when it ends
};

[[nodiscard]] std::unique_ptr<Connection> make_connection(Worker& worker,
                                                          Connection::Options options);

}  // namespace sluice::load
