#include <algorithm>
#include <atomic>
#include <future>
#include <iterator>
#include <optional>
#include <thread>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <fmt/format.h>

#include <sluice/admin/server.hpp>
#include <sluice/base/assert.hpp>
#include <sluice/base/json_text.hpp>
#include <sluice/base/log.hpp>
#include <sluice/config/load.hpp>
#include <sluice/deadletter/store.hpp>
#include <sluice/ingest/server.hpp>
#include <sluice/metrics/exposition.hpp>
#include <sluice/net/cpu.hpp>
#include <sluice/net/gate.hpp>
#include <sluice/normalise/mapper.hpp>
#include <sluice/runtime/gateway.hpp>

#include "pipeline.hpp"

namespace sluice::runtime {
namespace {

namespace asio = boost::asio;

// Requests that are under way when the drain begins are given so long to be answered.
constexpr std::chrono::seconds session_patience{2};
// What cannot be ended in time after everything was cancelled is a mistake of ours, not the
// upstream's.
constexpr std::chrono::seconds stop_patience{5};
// The share of the memory ceiling that a memory buffer may take; the rest is for everything else.
constexpr std::size_t memory_share_percent = 50;

// The limits of one workspace: the buffer's, in equal shares, so that one that is down cannot take
// the room of the others.
buffer::Admission::Limits limits_of(const config::Config& config) {
  std::uint64_t bytes = config.buffer.max_bytes;
  if (const auto ceiling = net::memory_ceiling_bytes()) {
    const std::uint64_t affordable = *ceiling * memory_share_percent / 100;
    bytes = bytes == 0 ? affordable : std::min(bytes, affordable);
  }
  const auto share = [&](std::uint64_t limit) {
    return limit == 0 ? 0 : std::max<std::uint64_t>(1, limit / config.workspaces.size());
  };
  return {.bytes_max = share(bytes),
          .events_max = share(config.buffer.max_events),
          .high_watermark = config.buffer.high_watermark,
          .low_watermark = config.buffer.low_watermark};
}

PipelineOptions pipeline_options(const config::Config& config, const config::Workspace& workspace,
                                 std::size_t producers) {
  PipelineOptions options{
      .workspace = workspace.name,
      .dispatcher = {},
      .limits = limits_of(config),
      .dedup = {.window = config.dedup.window, .entries_max = config.dedup.max_entries},
      .producers = producers};
  options.dispatcher.lanes = config.delivery.lanes;
  options.dispatcher.max_in_flight = config.delivery.max_in_flight;
  options.dispatcher.batch = {.events_max = config.batch.max_events,
                              .bytes_max = config.batch.max_bytes,
                              .linger = config.batch.linger};
  options.dispatcher.backoff = {.initial = config.delivery.backoff.initial,
                                .max = config.delivery.backoff.max};
  return options;
}

transport::UpstreamOptions upstream_options(const config::Config& config,
                                            const config::Workspace& workspace) {
  return {.workspace = workspace.name,
          .base_url = workspace.base_url,
          .ca_file = workspace.ca_file,
          .auth = workspace.auth,
          .connect_timeout = config.delivery.connect_timeout,
          .timeout = config.delivery.timeout};
}

class RunningGateway final : public Gateway {
 public:
  RunningGateway(const config::Config& config, const Clock& clock)
      : config_(config), clock_(clock), storage_thread_(1) {}
  ~RunningGateway() override { SLUICE_ASSERT(!delivery_thread_.joinable()); }

  Result<void> start() {
    auto started = build();
    if (!started) {
      abandon();
    }
    return started;
  }

  [[nodiscard]] std::vector<config::ListenAddress> ingest_addresses() const override {
    return ingest_->addresses();
  }
  [[nodiscard]] config::ListenAddress admin_address() const override { return admin_address_; }

  StopReport stop() override {
    draining_.store(true, std::memory_order_relaxed);
    const MonoTime deadline = clock_.mono_now() + config_.drain_timeout;
    ingest_->stop(std::min<std::chrono::nanoseconds>(session_patience, config_.drain_timeout));
    drain(deadline);
    StopReport report;
    for (const auto& pipeline : pipelines_) {
      report.undelivered_events += pipeline->admission().events();
    }
    abandon();
    return report;
  }
  void hurry() override {
    if (!hurried_.exchange(true, std::memory_order_relaxed)) {
      drained_.set_value();
    }
  }

 private:
  Result<void> build() {
    if (auto supported = check_supported(config_); !supported) {
      return supported;
    }
    auto dead_letters =
        deadletter::open_store(config_.dead_letter.path, config_.dead_letter.max_bytes);
    if (!dead_letters) {
      return std::unexpected(dead_letters.error());
    }
    dead_letters_ = std::move(*dead_letters);
    const std::size_t threads =
        config_.ingest.threads == 0 ? net::usable_cpus() : config_.ingest.threads;
    if (auto pipelines = build_pipelines(threads); !pipelines) {
      return pipelines;
    }
    if (auto admin = build_admin(); !admin) {
      return admin;
    }
    auto tables = build_tables();
    if (!tables) {
      return std::unexpected(tables.error());
    }
    auto ingest = ingest::start_server({.config = config_.ingest,
                                        .threads = threads,
                                        .tables = std::move(*tables),
                                        .clock = &clock_});
    if (!ingest) {
      return std::unexpected(ingest.error());
    }
    ingest_ = std::move(*ingest);
    delivery_thread_ = std::thread([this] { run(); });
    return {};
  }

  Result<void> build_pipelines(std::size_t producers) {
    for (const config::Workspace& workspace : config_.workspaces) {
      auto pipeline = std::make_unique<Pipeline>(PipelineDeps{.context = context_,
                                                              .storage_thread = storage_thread_,
                                                              .dead_letters = *dead_letters_,
                                                              .clock = clock_},
                                                 pipeline_options(config_, workspace, producers));
      auto upstream =
          transport::make_http_upstream({.executor = context_.get_executor(),
                                         .gate = gate_,
                                         .clock = clock_,
                                         .rng = Rng::from_system_entropy(),
                                         .read_file = config::process_environment().read_file},
                                        upstream_options(config_, workspace));
      if (!upstream) {
        return std::unexpected(upstream.error());
      }
      pipeline->connect(std::move(*upstream));
      pipelines_.push_back(std::move(pipeline));
    }
    return {};
  }

  Result<void> build_admin() {
    auto admin = admin::start_server(context_.get_executor(), gate_, config_.admin.listen,
                                     {.metrics = [this] { return metrics_text(); },
                                      .status = [this] { return status_json(); },
                                      .not_ready = [this] { return not_ready(); }});
    if (!admin) {
      return std::unexpected(admin.error());
    }
    admin_ = std::move(*admin);
    admin_address_ = admin_->address();
    return {};
  }

  Result<ingest::Tables> build_tables() {
    ingest::Tables tables;
    for (std::size_t i = 0; i < pipelines_.size(); ++i) {
      const config::Workspace& workspace = config_.workspaces[i];
      Pipeline& pipeline = *pipelines_[i];
      tables.workspaces.push_back(
          {.name = workspace.name,
           .rules = {.strict = workspace.validation == config::Validation::strict,
                     .generated_salts = workspace.generated_salts,
                     .actions = workspace.actions,
                     .event_bytes_max = config_.ingest.max_event_bytes},
           .admission = &pipeline.admission(),
           .buffer = &pipeline.buffer(),
           .dedup = &pipeline.dedup(),
           .retry_after_s = &pipeline.retry_after_s()});
    }
    for (const auto& source : config_.sources) {
      auto mapper = mapping::Mapper::compile(*source);
      if (!mapper) {
        return std::unexpected(mapper.error());
      }
      const auto workspace =
          std::ranges::find(config_.workspaces, source->workspace, &config::Workspace::name);
      SLUICE_ASSERT(workspace != config_.workspaces.end());
      tables.sources.push_back(
          {.name = source->name,
           .workspace = static_cast<std::size_t>(workspace - config_.workspaces.begin()),
           .mapper = std::make_shared<const mapping::Mapper>(std::move(*mapper))});
    }
    return tables;
  }

  void run() {
    while (true) {
      try {
        context_.run();
        return;
      } catch (const std::exception& escaped) {
        SLUICE_LOG(error, "an exception escaped on the delivery thread", {"what", escaped.what()});
      }
    }
  }

  // Ingest has stopped: lets delivery go on until all has ended, the deadline, or hurry().
  void drain(MonoTime deadline) {
    asio::post(context_, [this] {
      pipelines_draining_ = pipelines_.size();
      for (const auto& pipeline : pipelines_) {
        pipeline->drain([this] {
          if (--pipelines_draining_ == 0) {
            hurry();
          }
        });
      }
    });
    drained_.get_future().wait_until(deadline);
  }

  // Ends whatever has been started, in order.
  void abandon() {
    asio::post(context_, [this] {
      if (admin_ != nullptr) {
        admin_->stop();
      }
      for (const auto& pipeline : pipelines_) {
        pipeline->stop();
      }
      net::spawn(context_.get_executor(), closing_, watch_end());
    });
    if (delivery_thread_.joinable()) {
      delivery_thread_.join();
    } else {
      run();
    }
    storage_thread_.join();
    admin_.reset();
    ingest_.reset();
    pipelines_.clear();
  }

  // With everything stopped the delivery thread runs out of work and ends; what would not end is
  // left.
  net::Task<> watch_end() {
    const bool ended = co_await gate_.empty_by(clock_.mono_now() + stop_patience);
    if (!ended) {
      SLUICE_LOG(error, "some connections would not end", {"count", gate_.count()});
      context_.stop();
    }
  }

  std::string metrics_text() const {
    metrics::Exposition exposition;
    if (ingest_ != nullptr) {
      ingest_->expose(exposition);
    }
    for (const auto& pipeline : pipelines_) {
      pipeline->expose(exposition);
    }
    exposition.gauge("dead_letter_bytes", "Size of the dead-letter store.", {},
                     static_cast<double>(dead_letters_->size_bytes()));
    exposition.gauge("build_info", "1; the version is the label.", {{"version", SLUICE_VERSION}},
                     1);
    return exposition.to_text();
  }

  std::string status_json() const {
    std::string out = "{\"version\":\"" SLUICE_VERSION "\",\"ready\":";
    const std::string why = not_ready();
    out += why.empty() ? "true" : "false";
    out += ",\"not_ready\":";
    append_json_string(out, why);
    fmt::format_to(std::back_inserter(out), ",\"uptime_s\":{:.0f},\"accepted\":{},\"workspaces\":[",
                   std::chrono::duration<double>(clock_.mono_now() - started_at_).count(),
                   ingest_ == nullptr ? 0 : ingest_->accepted_events());
    for (const auto& pipeline : pipelines_) {
      out += out.back() == '[' ? "" : ",";
      pipeline->append_status(out);
    }
    return out + "]}\n";
  }

  std::string not_ready() const {
    if (draining_.load(std::memory_order_relaxed)) {
      return "draining";
    }
    std::string why;
    for (const auto& pipeline : pipelines_) {
      const std::string reason = pipeline->not_ready();
      why += why.empty() || reason.empty() ? reason : ", " + reason;
    }
    return why;
  }

  const config::Config config_;
  const Clock& clock_;
  const MonoTime started_at_ = clock_.mono_now();
  asio::io_context context_{1};
  net::Gate closing_{"closing"};
  net::Gate gate_{"delivery"};
  asio::thread_pool storage_thread_;
  std::unique_ptr<deadletter::Store> dead_letters_;
  std::vector<std::unique_ptr<Pipeline>> pipelines_;
  std::unique_ptr<admin::Server> admin_;
  config::ListenAddress admin_address_;
  std::unique_ptr<ingest::Server> ingest_;
  std::thread delivery_thread_;
  std::atomic<bool> draining_{false};
  std::size_t pipelines_draining_ = 0;
  std::atomic<bool> hurried_{false};
  std::promise<void> drained_;
};

}  // namespace

Result<void> check_supported(const config::Config& config) {
  if (config.buffer.type == config::BufferType::disk) {
    return failure(
        std::errc::not_supported,
        "buffer.type disk is not available in this version: write `buffer: {type: memory}`");
  }
  for (const config::Workspace& workspace : config.workspaces) {
    if (workspace.passthrough) {
      return failure(std::errc::not_supported,
                     "passthrough of workspace " + workspace.name +
                         " is not available in this version: leave it out");
    }
  }
  return {};
}

Result<std::unique_ptr<Gateway>> start_gateway(const config::Config& config, const Clock& clock) {
  auto gateway = std::make_unique<RunningGateway>(config, clock);
  if (auto started = gateway->start(); !started) {
    return std::unexpected(started.error());
  }
  return gateway;
}

}  // namespace sluice::runtime
