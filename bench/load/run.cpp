#include "run.hpp"

#include <csignal>
#include <memory>
#include <ostream>
#include <thread>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <sluice/net/gate.hpp>
#include <sluice/net/tls.hpp>

#include "payload.hpp"
#include "process.hpp"
#include "replay.hpp"
#include "worker.hpp"

namespace sluice::load {
namespace {

namespace asio = net::asio;
using asio::ip::tcp;
using boost::system::error_code;

// Starts the workers, tells all of them when to begin, shows how they get on, and gathers what they
// counted. Everything but the workers runs on the calling thread.
class Run {
 public:
  Run(const Settings& settings, const RequestPool& pool, const Connection::Options& connection,
      std::ostream& progress);

  [[nodiscard]] Result<Report> operator()();

 private:
  void worker_ready(error_code error);
  void worker_finished();
  void begin();
  void stop_workers();
  void stop_on_signal();
  void show_progress_at(MonoTime time);
  void show_progress(MonoTime now);
  [[nodiscard]] Worker::Progress progress() const;
  [[nodiscard]] std::optional<ProcessUse> server_use() const;
  [[nodiscard]] Report report() const;

  const Settings& settings_;
  const RequestPool& pool_;
  std::ostream& out_;
  asio::io_context context_{1};
  asio::signal_set signals_{context_, SIGINT, SIGTERM};
  asio::steady_timer warm_timer_{context_};
  asio::steady_timer progress_timer_{context_};
  std::vector<std::unique_ptr<Worker>> workers_;
  std::size_t workers_ready_ = 0;
  std::size_t workers_finished_ = 0;
  error_code connect_error_;
  MonoTime start_;
  MonoTime measured_from_;
  std::optional<MonoTime> end_;
  bool interrupted_ = false;
  Worker::Progress shown_;           // in the last line
  std::uint64_t events_before_ = 0;  // answered in the warm-up
  std::optional<ProcessUse> server_before_;
  std::optional<ProcessUse> server_after_;
  std::optional<ProcessUse> self_before_;
  std::optional<ProcessUse> self_after_;
};

Run::Run(const Settings& settings, const RequestPool& pool, const Connection::Options& connection,
         std::ostream& progress)
    : settings_(settings), pool_(pool), out_(progress) {
  for (std::size_t i = 0; i < settings.threads; ++i) {
    const std::size_t remainder = settings.connections % settings.threads;
    Worker::Options options{
        .pool = &pool_,
        .connection = connection,
        .connections = settings.connections / settings.threads + (i < remainder ? 1 : 0),
        .timeout = settings.timeout,
        .on_ready =
            [this](error_code error) {
              asio::post(context_, [this, error] { worker_ready(error); });
            },
        .on_finished = [this] { asio::post(context_, [this] { worker_finished(); }); }};
    workers_.push_back(std::make_unique<Worker>(std::move(options)));
  }
}

Result<Report> Run::operator()() {
  stop_on_signal();
  {
    const auto busy = asio::make_work_guard(context_);
    std::vector<std::jthread> threads;
    threads.reserve(workers_.size());
    for (const auto& worker : workers_) {
      threads.emplace_back([&worker] { worker->run(); });
    }
    context_.run();
  }
  if (connect_error_) {
    return failure(connect_error_,
                   fmt::format("cannot connect to {}: {}", settings_.target.authority(),
                               connect_error_.message()));
  }
  return report();
}

void Run::worker_ready(error_code error) {
  connect_error_ = error ? error : connect_error_;
  if (++workers_ready_ < workers_.size()) {
    return;
  }
  if (connect_error_) {
    stop_workers();
  } else {
    begin();
  }
}

void Run::begin() {
  constexpr std::chrono::milliseconds head_start{5};  // for the word to reach all workers
  start_ = system_clock().mono_now() + head_start;
  measured_from_ = start_ + settings_.warmup;
  if (settings_.duration) {
    end_ = measured_from_ + *settings_.duration;
  }
  // A file that is not looped is sent once.
  const bool once = !settings_.file.empty() && !settings_.loop;
  const std::uint64_t pool_size = pool_.size();
  const auto requests =
      once ? std::min(pool_size, settings_.requests.value_or(pool_size)) : settings_.requests;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->begin({.start = start_,
                        .end = end_,
                        .requests = requests,
                        .rate_per_s = settings_.rate_per_s,
                        .poisson = settings_.poisson,
                        .seed = settings_.seed,
                        .worker = i,
                        .workers = workers_.size()},
                       measured_from_);
  }
  warm_timer_.expires_at(measured_from_);
  warm_timer_.async_wait([this](error_code error) {
    if (!error) {
      events_before_ = progress().events;
      server_before_ = server_use();
      self_before_ = read_process_use(getpid());
    }
  });
  if (!settings_.quiet) {
    show_progress_at(start_ + std::chrono::seconds(1));
  }
}

void Run::worker_finished() {
  if (++workers_finished_ < workers_.size()) {
    return;
  }
  server_after_ = server_use();
  self_after_ = read_process_use(getpid());
  context_.stop();
}

void Run::stop_workers() {
  for (const auto& worker : workers_) {
    worker->stop();
  }
}

void Run::stop_on_signal() {
  signals_.async_wait([this](error_code error, int) {
    if (!error) {
      interrupted_ = true;
      stop_workers();
      // A second signal ends the process at once.
      signals_.clear(error);
    }
  });
}

void Run::show_progress_at(MonoTime time) {
  progress_timer_.expires_at(time);
  progress_timer_.async_wait([this, time](error_code error) {
    if (!error) {
      show_progress(time);
      show_progress_at(time + std::chrono::seconds(1));
    }
  });
}

void Run::show_progress(MonoTime now) {
  const Worker::Progress progress = this->progress();
  out_ << fmt::format("{:5} s  {:8} requests/s  {:9} events/s  {} lost{}\n",
                      std::chrono::floor<std::chrono::seconds>(now - start_).count(),
                      progress.requests - shown_.requests, progress.events - shown_.events,
                      progress.lost, now <= measured_from_ ? "  (warm-up)" : "")
       << std::flush;
  shown_ = progress;
}

Worker::Progress Run::progress() const {
  Worker::Progress sum;
  for (const auto& worker : workers_) {
    const Worker::Progress one = worker->progress();
    sum.requests += one.requests;
    sum.events += one.events;
    sum.lost += one.lost;
  }
  return sum;
}

std::optional<ProcessUse> Run::server_use() const {
  return settings_.server_pid ? read_process_use(*settings_.server_pid) : std::nullopt;
}

Report Run::report() const {
  Report report;
  report.settings = settings_;
  report.tally.measure_from(measured_from_);
  for (const auto& worker : workers_) {
    report.tally.merge(worker->tally());
  }
  // A server that went silent before the end of a timed run is not to look faster for it.
  const MonoTime last_answer = std::max(report.tally.last_answer(), measured_from_);
  const bool timed = end_ && !interrupted_;
  report.measured = (timed ? std::max(*end_, last_answer) : last_answer) - measured_from_;
  if (self_before_ && self_after_) {
    report.generator_cpu = self_after_->cpu - self_before_->cpu;
  }
  if (server_before_ && server_after_) {
    report.server = ServerUse{.cpu = server_after_->cpu - server_before_->cpu,
                              .events = progress().events - events_before_,
                              .resident_bytes = server_after_->resident_bytes,
                              .resident_bytes_max = server_after_->resident_bytes_max};
  }
  return report;
}

Result<RequestPool> prepare_requests(const Settings& settings) {
  Framing framing{.authority = settings.target.authority(),
                  .content_type = std::string(content_type_of(settings.shape)),
                  .gzip = settings.gzip,
                  .header_lines = settings.header_lines};
  if (!settings.file.empty()) {
    framing.content_type = content_type_of(Shape::single);
    return read_replay(settings.file, framing);
  }
  return generate_requests({.events = {.path = settings.target.path,
                                       .profiles = settings.profiles,
                                       .seed = settings.seed,
                                       .now = system_clock().wall_now()},
                            .shape = settings.shape,
                            .batch = settings.batch},
                           framing);
}

Result<std::vector<tcp::endpoint>> resolve(const Target& target) {
  asio::io_context context;
  error_code error;
  tcp::resolver resolver(context);
  const auto found = resolver.resolve(target.host, std::to_string(target.port),
                                      tcp::resolver::numeric_service, error);
  if (error) {
    return failure(error, fmt::format("cannot resolve {}: {}", target.host, error.message()));
  }
  std::vector<tcp::endpoint> endpoints;
  for (const auto& entry : found) {
    endpoints.push_back(entry.endpoint());
  }
  return endpoints;
}

}  // namespace

Result<Report> run(const Settings& settings, std::ostream& progress) {
  const Result<RequestPool> pool = prepare_requests(settings);
  if (!pool) {
    return std::unexpected(pool.error());
  }
  Result<std::vector<tcp::endpoint>> endpoints = resolve(settings.target);
  if (!endpoints) {
    return std::unexpected(std::move(endpoints.error()));
  }
  std::optional<asio::ssl::context> tls;
  if (settings.target.tls) {
    Result<asio::ssl::context> made = net::make_client_tls(settings.ca_file);
    if (!made) {
      return std::unexpected(std::move(made.error()));
    }
    tls = std::move(*made);
    if (settings.insecure) {
      tls->set_verify_mode(asio::ssl::verify_none);
    }
  }
  Run load(settings, *pool,
           {.endpoints = std::move(*endpoints),
            .host = settings.target.host,
            .tls = tls ? &*tls : nullptr,
            .pipeline = settings.pipeline},
           progress);
  return load();
}

}  // namespace sluice::load
