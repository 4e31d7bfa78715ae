#include <utility>

#include <sluice/transport/stream_pool.hpp>

#include "connection_pool.hpp"

namespace sluice::transport {
namespace {

class LeasedStream final : public ByteStream {
 public:
  explicit LeasedStream(std::unique_ptr<ConnectionPool::Lease> lease) : lease_(std::move(lease)) {}
  [[nodiscard]] bool reused() const override { return lease_->reused(); }
  net::Task<Read> read_some(asio::mutable_buffer space) override {
    const Connection::Read read = co_await (*lease_)->read_some(space);
    co_return Read{.error = read.error, .bytes = read.bytes};
  }
  net::Task<boost::system::error_code> write(asio::const_buffer bytes) override {
    return (*lease_)->write(bytes);
  }
  void close() override { (*lease_)->close(); }
  void give_back() override { lease_->give_back(); }

 private:
  std::unique_ptr<ConnectionPool::Lease> lease_;
};

class LeasingPool final : public StreamPool {
 public:
  LeasingPool(const asio::any_io_executor& executor, const Clock& clock,
              std::shared_ptr<const UpstreamPeer> peer, const Options& options)
      : pool_(std::make_shared<ConnectionPool>(
            executor, clock,
            ConnectionPool::Options{.peer = std::move(peer),
                                    .connect_timeout = options.connect_timeout,
                                    .idle_time = options.idle_time,
                                    .age_max = options.connection_age_max,
                                    .idle_max = options.idle_max})) {}
  ~LeasingPool() override { pool_->stop(); }
  LeasingPool(const LeasingPool&) = delete;
  LeasingPool& operator=(const LeasingPool&) = delete;

  net::Task<Acquired> acquire(bool fresh) override {
    Attempted<std::unique_ptr<ConnectionPool::Lease>> lease =
        co_await ConnectionPool::acquire(pool_, fresh);
    if (!lease) {
      co_return std::unexpected(
          NotConnected{.detail = lease.error().detail, .timed_out = lease.error().timed_out});
    }
    co_return std::make_unique<LeasedStream>(std::move(*lease));
  }
  void stop() override { pool_->stop(); }

 private:
  std::shared_ptr<ConnectionPool> pool_;
};

}  // namespace

std::unique_ptr<StreamPool> make_stream_pool(const net::asio::any_io_executor& executor,
                                             const Clock& clock, std::shared_ptr<const Peer> peer,
                                             const StreamPool::Options& options) {
  return std::make_unique<LeasingPool>(
      executor, clock, std::dynamic_pointer_cast<const UpstreamPeer>(std::move(peer)), options);
}

}  // namespace sluice::transport
