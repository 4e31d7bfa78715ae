#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <sluice/base/assert.hpp>
#include <sluice/net/asio.hpp>
#include <sluice/net/gate.hpp>
#include <sluice/net/listener.hpp>
#include <sluice/net/tls.hpp>
#include <sluice/simulator/simulator.hpp>

#include "api_model.hpp"
#include "session.hpp"

namespace sluice::simulator {
namespace {

namespace asio = net::asio;

// How long accepting pauses when the process is out of descriptors.
constexpr std::chrono::milliseconds accept_pause{20};

// One thread with its own io_context, acceptor and model: connections stay where they were
// accepted.
class Worker {
 public:
  Worker(World& world, asio::ssl::context* tls)
      : model_(world), host_{.world = world, .model = model_, .tls = tls, .live = {}} {}

  [[nodiscard]] Result<std::uint16_t> listen(const std::string& host, std::uint16_t port,
                                             bool shared) {
    auto acceptor =
        net::listen(context_.get_executor(), config::TcpAddress{.host = host, .port = port},
                    {.reuse_port = shared});
    if (!acceptor) {
      return std::unexpected(std::move(acceptor.error()));
    }
    acceptor_ = std::move(*acceptor);
    return std::get<config::TcpAddress>(net::local_address(acceptor_)).port;
  }

  void start() {
    net::spawn(context_.get_executor(), gate_, accept(*this));
    thread_ = std::thread(&Worker::run, this);
  }

  void stop() {
    asio::post(context_, Cut{this});
    thread_.join();
  }

 private:
  // Runs on the worker's thread: the context then runs out of work, and its run() returns.
  struct Cut {
    Worker* worker;
    void operator()() const {
      worker->acceptor_.close();
      worker->accept_timer_.cancel();
      cut_all(worker->host_);
    }
  };

  void run() { context_.run(); }

  static net::Task<> accept(Worker& worker) {
    while (!worker.host_.stopping) {
      auto [error, socket] = co_await worker.acceptor_.async_accept(net::as_result);
      if (!error) {
        net::spawn(worker.context_.get_executor(), worker.gate_,
                   serve(worker.host_, std::move(socket)));
      } else if (!worker.host_.stopping) {
        worker.accept_timer_.expires_after(accept_pause);
        co_await worker.accept_timer_.async_wait(net::as_result);
      }
    }
  }

  // The gate outlives the context's coroutines, which the context's destructor would destroy.
  net::Gate gate_{"simulator"};
  ApiModel model_;
  SessionHost host_;
  asio::io_context context_{1};
  net::Acceptor acceptor_{context_};
  asio::steady_timer accept_timer_{context_};
  std::thread thread_;
};

}  // namespace

class Simulator::Server {
 public:
  explicit Server(Options options) : world_(std::move(options)), port_(world_.options.port) {}
  ~Server() { stop(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  Result<void> start() {
    SLUICE_ASSERT(workers_.empty());
    const Options& options = world_.options;
    if (is_tls() && !tls_) {
      auto tls = net::make_server_tls({.cert_file = options.tls_cert_file,
                                       .key_file = options.tls_key_file,
                                       .client_ca_file = {}});
      if (!tls) {
        return std::unexpected(std::move(tls.error()));
      }
      tls_.emplace(std::move(*tls));
    }
    std::vector<std::unique_ptr<Worker>> workers;
    for (unsigned i = 0; i < options.threads; ++i) {
      workers.push_back(std::make_unique<Worker>(world_, tls_ ? &*tls_ : nullptr));
      const auto port = workers.back()->listen(options.host, port_, options.threads > 1);
      if (!port) {
        return std::unexpected(port.error());
      }
      port_ = *port;
    }
    workers_ = std::move(workers);
    for (const auto& worker : workers_) {
      worker->start();
    }
    return {};
  }

  void stop() {
    for (const auto& worker : workers_) {
      worker->stop();
    }
    workers_.clear();
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string base_url() const {
    return (is_tls() ? "https://" : "http://") +
           net::to_string(config::TcpAddress{.host = world_.options.host, .port = port_});
  }
  [[nodiscard]] World& world() { return world_; }

 private:
  [[nodiscard]] bool is_tls() const { return !world_.options.tls_cert_file.empty(); }

  World world_;
  std::uint16_t port_;
  std::optional<asio::ssl::context> tls_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

Simulator::Simulator(Options options) : server_(std::make_unique<Server>(std::move(options))) {}
Simulator::~Simulator() = default;

Result<void> Simulator::start() { return server_->start(); }
void Simulator::stop() { server_->stop(); }
std::uint16_t Simulator::port() const { return server_->port(); }
std::string Simulator::base_url() const { return server_->base_url(); }

Result<void> Simulator::set_faults(std::string_view text) {
  const std::string one(text);
  return set_faults(std::span(&one, 1));
}

Result<void> Simulator::set_faults(std::span<const std::string> texts) {
  std::vector<Fault> all;
  for (const std::string& text : texts) {
    Result<std::vector<Fault>> faults = parse_faults(text);
    if (!faults) {
      return std::unexpected(std::move(faults.error()));
    }
    std::ranges::move(*faults, std::back_inserter(all));
  }
  server_->world().faults.replace(std::move(all));
  return {};
}

const Ledger& Simulator::ledger() const { return server_->world().ledger; }
Stats Simulator::stats() const { return server_->world().stats(); }
void Simulator::reset() { server_->world().reset(); }

}  // namespace sluice::simulator
