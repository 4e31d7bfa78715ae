#include <algorithm>
#include <atomic>
#include <future>
#include <iterator>
#include <memory>
#include <mutex>
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
#include <sluice/base/thread_name.hpp>
#include <sluice/config/load.hpp>
#include <sluice/deadletter/store.hpp>
#include <sluice/ingest/passthrough.hpp>
#include <sluice/ingest/server.hpp>
#include <sluice/metrics/exposition.hpp>
#include <sluice/net/cpu.hpp>
#include <sluice/net/gate.hpp>
#include <sluice/normalise/mapper.hpp>
#include <sluice/runtime/descriptors.hpp>
#include <sluice/runtime/gateway.hpp>
#include <sluice/runtime/rules.hpp>
#include <sluice/runtime/service_manager.hpp>
#include <sluice/runtime/upstream.hpp>
#include <sluice/store/store.hpp>
#include <sluice/transport/http_upstream.hpp>

#include "dead_letter_desk.hpp"
#include "on_thread.hpp"
#include "permission_desk.hpp"
#include "pipeline.hpp"
#include "process_use.hpp"
#include "reload.hpp"
#include "secret_files.hpp"

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
// With a disk buffer, so much of the backlog of all workspaces is in memory at most, and no more
// than this share of the memory ceiling.
constexpr std::size_t backlog_memory_bytes_max = 64U << 20;
constexpr std::size_t backlog_memory_share_percent = 25;

// Each of the store's three write buffers, likewise.
constexpr std::size_t write_buffer_bytes_min = 4U << 20;
constexpr std::size_t write_buffer_bytes_max = 32U << 20;
constexpr std::size_t write_buffer_share_percent = 10;

// What waits may take this part of the room that the disk buffer has: while events are delivered,
// its files take up to about three times as much.
constexpr std::uint64_t volume_share = 3;

// While the store is being opened, and that goes on, the service manager is told to wait for so
// long again.
constexpr std::chrono::seconds start_patience{120};
constexpr std::chrono::seconds opening_log_interval{5};

// Producers that can be added by reloading, over the life of the process.
constexpr std::size_t spare_producers = 256;
// How often files with secrets are looked at.
constexpr std::chrono::seconds file_check_interval{2};

std::size_t backlog_memory_bytes() {
  const auto ceiling = net::memory_ceiling_bytes();
  return ceiling ? std::min(backlog_memory_bytes_max, *ceiling * backlog_memory_share_percent / 100)
                 : backlog_memory_bytes_max;
}

std::size_t write_buffer_bytes() {
  const auto ceiling = net::memory_ceiling_bytes();
  return ceiling ? std::clamp(*ceiling * write_buffer_share_percent / 100, write_buffer_bytes_min,
                              write_buffer_bytes_max)
                 : write_buffer_bytes_max;
}

std::ptrdiff_t producers_of(const config::Config& config, const config::Workspace& workspace) {
  return std::ranges::count(config.ingest.producers, workspace.name, &config::Producer::workspace);
}

// Where buffer.max_bytes is not given, it is no more than the disk has room for.
void fit_to_volume(config::Config& config, std::optional<std::uint64_t> room_bytes) {
  config::Buffer& buffer = config.buffer;
  if (room_bytes && !buffer.max_bytes_given && buffer.type == config::BufferType::disk) {
    buffer.max_bytes = std::clamp<std::uint64_t>(*room_bytes / volume_share,
                                                 config.ingest.max_event_bytes, buffer.max_bytes);
  }
}

void say_what_fits(const config::Buffer& buffer, std::optional<std::uint64_t> room_bytes) {
  if (buffer.type != config::BufferType::disk || !room_bytes) {
    return;
  }
  if (buffer.max_bytes > *room_bytes) {
    SLUICE_LOG(warn,
               "buffer.max_bytes is more than its file system has room for: events are refused "
               "when that is full; a third of the room is a value that fits",
               {"max_bytes", buffer.max_bytes}, {"room_bytes", *room_bytes});
    return;
  }
  SLUICE_LOG(info, "the disk buffer has room", {"max_bytes", buffer.max_bytes},
             {"room_bytes", *room_bytes});
}

// The limits of one workspace: the buffer's, in equal shares, so that one that is down cannot take
// the room of the others.
buffer::Admission::Limits limits_of(const config::Config& config,
                                    const config::Workspace& workspace) {
  std::uint64_t bytes = config.buffer.max_bytes;
  const auto ceiling = net::memory_ceiling_bytes();
  if (ceiling && config.buffer.type == config::BufferType::memory) {
    const std::uint64_t affordable = *ceiling * memory_share_percent / 100;
    bytes = bytes == 0 ? affordable : std::min(bytes, affordable);
  }
  const auto share = [&](std::uint64_t limit) {
    return limit == 0 ? 0 : std::max<std::uint64_t>(1, limit / config.workspaces.size());
  };
  // How many producers are told apart is decided at the start, and leaves room for new ones.
  return {.bytes_max = share(bytes),
          .events_max = share(config.buffer.max_events),
          .high_watermark = config.buffer.high_watermark,
          .low_watermark = config.buffer.low_watermark,
          .producer_share = producers_of(config, workspace) > 1 ? config.buffer.producer_share : 1,
          .producers = config.ingest.producers.size() + spare_producers};
}

PipelineOptions pipeline_options(const config::Config& config, const config::Workspace& workspace) {
  PipelineOptions options{
      .workspace = workspace.name,
      .dispatcher = {},
      .limits = limits_of(config, workspace),
      .dedup = {.window = config.dedup.window, .entries_max = config.dedup.max_entries}};
  if (config.buffer.type == config::BufferType::disk) {
    options.window_bytes_max = backlog_memory_bytes() / 2 / config.workspaces.size();
  }
  options.dispatcher.lanes = config.delivery.lanes;
  options.dispatcher.max_in_flight = config.delivery.max_in_flight;
  options.dispatcher.accept_statuses = config.delivery.accept_statuses;
  options.dispatcher.batch = {.events_max = config.batch.max_events,
                              .bytes_max = config.batch.max_bytes,
                              .linger = config.batch.linger};
  options.dispatcher.backoff = {.initial = config.delivery.backoff.initial,
                                .max = config.delivery.backoff.max};
  return options;
}

store::Options store_options(const config::Config& config, std::size_t producers,
                             const std::string& program) {
  const std::size_t share = backlog_memory_bytes() / config.workspaces.size();
  return {.path = config.buffer.path,
          .program = program,
          .sync = config.buffer.sync == config::BufferSync::always ? store::SyncPolicy::always
                                                                   : store::SyncPolicy::interval,
          .sync_interval = config.buffer.sync_interval,
          .producers = producers,
          .tail_bytes_max = share / 4,
          .read_ahead_bytes = share / 4,
          .write_buffer_bytes = write_buffer_bytes()};
}

std::string_view doing_in(store::OpeningProgress::Step step) {
  switch (step) {
    case store::OpeningProgress::Step::trying:
      return "trying the buffer's store";
    case store::OpeningProgress::Step::opening:
      return "reading the buffer's logs";
    case store::OpeningProgress::Step::rebuilding:
      return "building the buffer's store anew";
  }
  return "";
}

// Where a pipeline lives in the daemon: on the delivery thread's io_context.
class AsioHost final : public PipelineHost {
 public:
  AsioHost(asio::io_context& context, asio::thread_pool& storage_thread)
      : context_(context), storage_thread_(storage_thread), timer_(context) {}

  void post(std::function<void()> work) override { asio::post(context_, std::move(work)); }
  void post_blocking(std::function<void()> work) override {
    asio::post(storage_thread_, std::move(work));
  }
  void pump_at(MonoTime time) override {
    timer_.expires_at(time);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) {
        pump();
      }
    });
  }
  void stop() { timer_.cancel(); }

  std::function<void()> pump;

 private:
  asio::io_context& context_;
  asio::thread_pool& storage_thread_;
  asio::steady_timer timer_;
};

// One workspace, with all that works for it.
struct Tenant {
  Tenant(asio::io_context& context, asio::thread_pool& storage_thread,
         deadletter::Store& dead_letters, const Clock& clock, PipelineOptions options)
      : host(context, storage_thread),
        pipeline({.host = host,
                  .dead_letters = dead_letters,
                  .clock = clock,
                  .rng = Rng::from_system_entropy()},
                 std::move(options)) {
    host.pump = [this] { pipeline.pump(); };
  }

  AsioHost host;
  std::unique_ptr<buffer::Buffer> memory_buffer;  // with buffer.type memory
  buffer::Buffer* buffer = nullptr;               // that one, or the store's
  std::unique_ptr<transport::HttpUpstream> upstream;
  ingest::PassthroughTarget passthrough;
  std::unique_ptr<PermissionDesk> permissions;
  ingest::AskPermissions ask_permissions;  // of any thread
  Pipeline pipeline;
};

void tell(const DescriptorPlan& plan, const config::Ingest& ingest) {
  SLUICE_LOG(info, "sharing out file descriptors", {"limit", plan.limit},
             {"reserved", plan.reserved},
             {"ingest_connections", std::min(plan.ingest_connections_max, ingest.max_connections)},
             {"max_connections", ingest.max_connections},
             {"admin_connections", plan.admin_connections_max});
  if (plan.is_tight) {
    SLUICE_LOG(warn,
               "there are too few file descriptors for store, delivery and producers together: "
               "raise the limit of open files",
               {"limit", plan.limit}, {"reserved", plan.reserved});
  }
}

std::string joined(const std::vector<std::string>& keys) {
  std::string all;
  for (const std::string& key : keys) {
    all += (all.empty() ? "" : ", ") + key;
  }
  return all;
}

void expose_connections(const Tenant& tenant, metrics::Exposition& exposition) {
  const metrics::Labels labels{{"workspace", tenant.pipeline.name()}};
  const transport::UpstreamProbe connections = tenant.upstream->probe();
  exposition.gauge("upstream_connections", "Connections open to the upstream.", labels,
                   static_cast<double>(connections.connections));
  exposition.counter("upstream_connections_opened_total", "Connections opened to the upstream.",
                     labels, connections.connections_opened_total);
  exposition.counter("upstream_logins_total", "Tokens fetched from the upstream.", labels,
                     connections.logins_total);
}

// What the ingest threads have counted, as members of /status.
void append_totals(std::string& out, const ingest::Totals& totals) {
  fmt::format_to(std::back_inserter(out), R"(,"received":{},"duplicates":{},"connections":{},)",
                 totals.received, totals.duplicates, totals.connections);
  out += "\"rejected\":{";
  for (const auto& [reason, count] : totals.rejected) {
    fmt::format_to(std::back_inserter(out), R"({}"{}":{})", out.back() == '{' ? "" : ",", reason,
                   count);
  }
  out += '}';
  metrics::append_json(out, "request_seconds", totals.duration);
}

// One whose coroutines can be ended while what they refer to is still there.
class DeliveryContext : public asio::io_context {
 public:
  DeliveryContext() : asio::io_context(1) {}
  // Once its thread has ended: destroys the coroutines that are left.
  void drop_coroutines() { shutdown(); }
};

class RunningGateway final : public Gateway {
 public:
  RunningGateway(const config::Config& config, const Clock& clock, Controls controls)
      : controls_(std::move(controls)),
        clock_(clock),
        storage_thread_(1),
        room_bytes_(store::room_for_store(config.buffer.path)),
        tls_stamps_(stamps_of_tls(config)),
        secret_stamps_(stamps_as_read(config, config::process_environment())) {
    config::Config fitted = config;
    fit_to_volume(fitted, room_bytes_);
    running_ = std::make_shared<const config::Config>(std::move(fitted));
  }
  ~RunningGateway() override { SLUICE_ASSERT(!delivery_thread_.joinable()); }

  Result<void> start() {
    auto started = build();
    if (!started) {
      abandon();
    } else {
      service_manager_.ready();
    }
    return started;
  }

  [[nodiscard]] std::vector<config::ListenAddress> ingest_addresses() const override {
    return ingest_->addresses();
  }
  [[nodiscard]] config::ListenAddress admin_address() const override { return admin_address_; }

  void reload() override {
    asio::post(storage_thread_, [this] { static_cast<void>(reload_now()); });
  }
  StopReport stop() override {
    draining_.store(true, std::memory_order_relaxed);
    service_manager_.stopping();
    const std::chrono::milliseconds drain_timeout = running()->drain_timeout;
    const MonoTime now = clock_.mono_now();
    // What is passed through leaves delivery as much time as other requests may take.
    const std::chrono::nanoseconds patience =
        std::min<std::chrono::nanoseconds>(session_patience, drain_timeout);
    ingest_->stop({.requests = patience,
                   .passthrough = std::max<std::chrono::nanoseconds>(
                       patience, drain_timeout - session_patience)});
    drain(now + (all_is_safe() ? std::min(drain_timeout, running()->buffer.drain_timeout)
                               : drain_timeout));
    StopReport report;
    for (const auto& tenant : tenants_) {
      report.undelivered_events += tenant->pipeline.admission().events();
    }
    const bool on_disk = store_ != nullptr;
    const std::uint64_t given_up = abandon();
    report.lost_events = on_disk ? given_up : report.undelivered_events;
    return report;
  }
  void hurry() override {
    if (!hurried_.exchange(true, std::memory_order_relaxed)) {
      drained_.set_value();
    }
  }

 private:
  Result<void> build() {
    const config::Config& config = *running_;
    auto dead_letters =
        deadletter::open_store(config.dead_letter.path, config.dead_letter.max_bytes);
    if (!dead_letters) {
      return std::unexpected(dead_letters.error());
    }
    dead_letters_ = std::move(*dead_letters);
    desk_ = make_desk();
    const std::size_t threads =
        config.ingest.threads == 0 ? net::usable_cpus() : config.ingest.threads;
    const DescriptorPlan descriptors = plan_descriptors(config, threads, descriptor_limit());
    if (auto tenants = build_tenants(ingest::handlers_of(threads)); !tenants) {
      return tenants;
    }
    if (auto admin = build_admin(descriptors.admin_connections_max); !admin) {
      return admin;
    }
    auto tables = build_tables(config);
    if (!tables) {
      return std::unexpected(tables.error());
    }
    auto ingest =
        ingest::start_server({.config = config.ingest,
                              .threads = threads,
                              .producers_max = config.ingest.producers.size() + spare_producers,
                              .connections_max = descriptors.ingest_connections_max,
                              .tables = std::move(*tables),
                              .clock = &clock_,
                              .hurried = &hurried_,
                              .taps = &taps_});
    if (!ingest) {
      return std::unexpected(ingest.error());
    }
    ingest_ = std::move(*ingest);
    tell(descriptors, config.ingest);
    desk_->connect(*ingest_);
    net::spawn(context_.get_executor(), gate_, check_files());
    if (const auto interval = service_manager_.watchdog_interval()) {
      net::spawn(context_.get_executor(), gate_, tell_alive(*interval));
    }
    asio::post(storage_thread_, [] { name_this_thread("storage"); });
    delivery_thread_ = std::thread([this] {
      name_this_thread("delivery");
      run_delivery();
    });
    return {};
  }

  // What is half done for lack of memory would stay so, and its events with it: the process ends,
  // and the next one begins with what is on disk.
  void run_delivery() noexcept { context_.run(); }

  Result<void> build_tenants(std::size_t producers) {
    const config::Config& config = *running_;
    for (const config::Workspace& workspace : config.workspaces) {
      auto tenant = std::make_unique<Tenant>(context_, storage_thread_, *dead_letters_, clock_,
                                             pipeline_options(config, workspace));
      auto upstream =
          transport::make_http_upstream({.executor = context_.get_executor(),
                                         .gate = gate_,
                                         .clock = clock_,
                                         .rng = Rng::from_system_entropy(),
                                         .read_file = config::process_environment().read_file},
                                        upstream_options_of(config, workspace));
      if (!upstream) {
        return std::unexpected(upstream.error());
      }
      tenant->upstream = std::move(*upstream);
      connect_passthrough(*tenant);
      connect_permissions(*tenant);
      tenants_.push_back(std::move(tenant));
    }
    return connect_buffers(producers);
  }

  void connect_passthrough(Tenant& tenant) {
    tenant.passthrough.peer = tenant.upstream->peer();
    tenant.passthrough.connect_timeout = running_->delivery.connect_timeout;
    // The delivery thread has the credentials; it outlives the ingest threads.
    tenant.passthrough.authorize = [this, &tenant](std::function<void(Result<std::string>)> done) {
      asio::post(context_, [&tenant, done = std::move(done)] {
        try {
          tenant.upstream->authorize(done);
        } catch (const std::exception& e) {
          done(failure(std::errc::not_enough_memory, e.what()));
        }
      });
    };
  }

  void connect_permissions(Tenant& tenant) {
    tenant.permissions =
        std::make_unique<PermissionDesk>(context_.get_executor(), clock_, *tenant.upstream);
    tenant.ask_permissions = [this, &tenant](std::vector<std::string> names,
                                             std::function<void(ingest::PermissionAnswer)> done) {
      asio::post(context_, [&tenant, names = std::move(names), done = std::move(done)]() mutable {
        tenant.permissions->ask(std::move(names), std::move(done));
      });
    };
  }

  Result<void> connect_buffers(std::size_t producers) {
    const auto connected = running_->buffer.type == config::BufferType::disk
                               ? open_store(producers)
                               : make_memory_buffers(producers);
    if (!connected) {
      return connected;
    }
    for (const auto& tenant : tenants_) {
      tenant->pipeline.connect(*tenant->buffer, *tenant->upstream);
    }
    return {};
  }

  Result<void> make_memory_buffers(std::size_t producers) {
    for (const auto& tenant : tenants_) {
      tenant->memory_buffer =
          buffer::make_memory_buffer(producers, tenant->pipeline.settlement(), wake(*tenant));
      tenant->buffer = tenant->memory_buffer.get();
    }
    return {};
  }

  Result<void> open_store(std::size_t producers) {
    say_what_fits(running_->buffer, room_bytes_);
    std::vector<store::Workspace> workspaces;
    workspaces.reserve(tenants_.size());
    for (const auto& tenant : tenants_) {
      workspaces.push_back(
          {.name = tenant->pipeline.name(),
           .settlement = &tenant->pipeline.settlement(),
           .window = &tenant->pipeline.dedup(),
           .wake = wake(*tenant),
           .lost =
               [&pipeline = tenant->pipeline](const store::Backlog& lost, std::uint32_t producer) {
                 pipeline.forget_lost(lost.events, lost.bytes, producer);
               },
           .recovered =
               [&pipeline = tenant->pipeline](const store::Backlog& found) {
                 pipeline.restore(found.events, found.bytes);
               }});
    }
    store::Options options = store_options(*running_, producers, controls_.program);
    options.tell_opening = [this](const store::OpeningProgress& progress) {
      tell_opening(progress);
    };
    auto store = store::open(options, std::move(workspaces), clock_);
    if (!store) {
      return std::unexpected(store.error());
    }
    store_ = std::move(*store);
    if (opening_told_at_ != MonoTime{}) {
      service_manager_.started();
    }
    for (std::size_t i = 0; i < tenants_.size(); ++i) {
      tenants_[i]->buffer = &store_->buffer(i);
    }
    return {};
  }

  // What a start waits for is said while it goes on, so that nobody ends it: it would begin anew.
  void tell_opening(const store::OpeningProgress& progress) {
    const std::string_view doing = doing_in(progress.step);
    service_manager_.starting(
        progress.bytes == 0 ? fmt::format("{}: {} MiB so far", doing, progress.done_bytes >> 20)
                            : fmt::format("{}: {} of {} MiB", doing, progress.done_bytes >> 20,
                                          progress.bytes >> 20),
        start_patience);
    if (const MonoTime now = clock_.mono_now(); now >= opening_told_at_ + opening_log_interval) {
      opening_told_at_ = now;
      SLUICE_LOG(info, "starting takes a while", {"doing", doing},
                 {"done_bytes", progress.done_bytes}, {"bytes", progress.bytes});
    }
  }

  static std::function<void()> wake(Tenant& tenant) {
    return [&tenant] { tenant.host.post(tenant.host.pump); };
  }

  std::unique_ptr<DeadLetterDesk> make_desk() {
    DeadLetterDesk::Deps deps{.store = *dead_letters_,
                              .storage_thread = storage_thread_,
                              .clock = clock_,
                              .draining = draining_,
                              .workspaces = {}};
    for (const config::Workspace& workspace : running_->workspaces) {
      deps.workspaces.push_back(workspace.name);
    }
    return std::make_unique<DeadLetterDesk>(std::move(deps));
  }

  Result<void> build_admin(std::size_t connections_max) {
    auto admin = admin::start_server(
        context_.get_executor(), gate_, running_->admin.listen,
        {.metrics = [this] { return metrics_text(); },
         .status = [this] { return status_json(); },
         .not_ready = [this] { return not_ready(); },
         .config = [this] { return to_yaml_masked(*running()); },
         .dead_letters = desk_.get(),
         .reload = [this] { return reload_soon(); },
         .quit = controls_.quit,
         .open_tap = [this](tap::Wish wish) { return open_tap(std::move(wish)); }},
        {.connections_max = connections_max});
    if (!admin) {
      return std::unexpected(admin.error());
    }
    admin_ = std::move(*admin);
    admin_->set_token(running_->admin.token);
    admin_->set_hosts(running_->admin.hosts);
    admin_address_ = admin_->address();
    return {};
  }

  // A name that is not configured would show nothing, for ever.
  Result<std::unique_ptr<tap::Taps::Reader>> open_tap(tap::Wish wish) {
    const auto config = running();
    const auto is_known = [](const std::string& name, const auto& all, auto name_of) {
      return name.empty() || std::ranges::find(all, name, name_of) != all.end();
    };
    if (!is_known(wish.workspace, config->workspaces, &config::Workspace::name)) {
      return failure(std::errc::invalid_argument,
                     "no workspace `" + wish.workspace + "` is configured");
    }
    if (!is_known(wish.source, config->sources, [](const auto& source) { return source->name; })) {
      return failure(std::errc::invalid_argument, "no source `" + wish.source + "` is configured");
    }
    auto reader = taps_.open(std::move(wish));
    if (reader == nullptr) {
      return failure(std::errc::device_or_resource_busy,
                     "as many as can look at the events at once do so already");
    }
    return reader;
  }

  Result<ingest::Tables> build_tables(const config::Config& config) {
    ingest::Tables tables;
    for (std::size_t i = 0; i < tenants_.size(); ++i) {
      const config::Workspace& workspace = config.workspaces[i];
      Pipeline& pipeline = tenants_[i]->pipeline;
      tables.workspaces.push_back(
          {.name = workspace.name,
           .rules = rules_of(config, workspace),
           .partial_status = workspace.partial_status,
           .admission = &pipeline.admission(),
           .buffer = tenants_[i]->buffer,
           .dedup = &pipeline.dedup(),
           .outlook = &pipeline.outlook(),
           .clock_skew_ms = &pipeline.clock_skew_ms(),
           .passthrough = workspace.passthrough ? &tenants_[i]->passthrough : nullptr,
           .permissions = &tenants_[i]->ask_permissions});
    }
    tables.passthrough = config.passthrough;
    for (const auto& source : config.sources) {
      auto mapper = mapping::Mapper::compile(*source);
      if (!mapper) {
        return std::unexpected(mapper.error());
      }
      const auto workspace =
          std::ranges::find(config.workspaces, source->workspace, &config::Workspace::name);
      SLUICE_ASSERT(workspace != config.workspaces.end());
      tables.sources.push_back(
          {.name = source->name,
           .workspace = static_cast<std::size_t>(workspace - config.workspaces.begin()),
           .mapper = std::make_shared<const mapping::Mapper>(std::move(*mapper)),
           .success_status = source->success_status});
    }
    return tables;
  }

  // ---- Reloading: one at a time, on the storage thread, as files are read.

  net::Task<admin::ReloadReport> reload_soon() {
    co_return co_await on_thread(storage_thread_, [this] { return reload_now(); });
  }

  admin::ReloadReport reload_now() {
    if (draining_.load(std::memory_order_relaxed)) {
      return {.mistakes = {"the gateway is stopping"}};
    }
    service_manager_.reloading(clock_.mono_now());
    admin::ReloadReport report = take_over_file();
    service_manager_.ready();
    for (const std::string& mistake : report.mistakes) {
      SLUICE_LOG(error, "reload: nothing has changed", {"why", mistake});
    }
    if (report.mistakes.empty()) {
      SLUICE_LOG(info, "reload: took over what has changed",
                 {"keys", report.taken_over.empty() ? "nothing has" : joined(report.taken_over)});
    }
    if (!report.needs_restart.empty()) {
      SLUICE_LOG(warn, "reload: other changes need a restart",
                 {"keys", joined(report.needs_restart)});
    }
    return report;
  }

  admin::ReloadReport take_over_file() {
    if (controls_.load == nullptr) {
      return {.mistakes = {"this gateway has no file to read again"}};
    }
    FileStamps tls_stamps = stamps_of_tls(*running());
    auto wanted = controls_.load();
    if (!wanted) {
      return {.mistakes = wanted.error()};
    }
    fit_to_volume(*wanted, room_bytes_);
    FileStamps secret_stamps = stamps_as_read(*wanted, config::process_environment());
    ReloadPlan plan = plan_reload(*running(), *wanted);
    if (plan.next.ingest.tls == running()->ingest.tls && tls_stamps != tls_stamps_) {
      plan.taken_over.emplace_back("ingest.tls");
    }
    FileStamps next_tls_stamps = stamps_of_tls(plan.next);  // before they are read
    if (const auto applied = apply(plan.next); !applied) {
      return {.mistakes = {applied.error().message}};
    }
    tls_stamps_ = std::move(next_tls_stamps);
    secret_stamps_ = std::move(secret_stamps);
    return {.mistakes = {},
            .taken_over = std::move(plan.taken_over),
            .needs_restart = std::move(plan.needs_restart)};
  }

  // Files with secrets may have been replaced: the rest of the configuration stays.
  void reread_files() {
    FileStamps tls_stamps = stamps_of_tls(*running());
    FileStamps secret_stamps = stamps_of_secrets(*running());
    if (tls_stamps == tls_stamps_ && secret_stamps == secret_stamps_) {
      return;
    }
    const auto wanted = reread_secrets(*running(), config::process_environment());
    const Result<void> applied =
        wanted ? apply(plan_reload(*running(), *wanted).next) : std::unexpected(wanted.error());
    if (!applied) {
      SLUICE_LOG(error,
                 "a file with a key or a certificate has changed and cannot be used; what "
                 "was read before stays",
                 {"why", applied.error().message});
      return;
    }
    tls_stamps_ = std::move(tls_stamps);
    secret_stamps_ = std::move(secret_stamps);
    SLUICE_LOG(info, "took over files with keys or certificates that have changed");
  }

  // Whatever can fail comes first: after an error nothing has changed.
  Result<void> apply(const config::Config& next) {
    learn_secrets(next);
    auto tables = build_tables(next);
    if (!tables) {
      return std::unexpected(tables.error());
    }
    if (auto updated = ingest_->update(next.ingest, std::move(*tables)); !updated) {
      return updated;
    }
    for (std::size_t i = 0; i < tenants_.size(); ++i) {
      tenants_[i]->pipeline.admission().set_limits(limits_of(next, next.workspaces[i]));
    }
    log::configure(next.log.level, next.log.format);
    auto shared = std::make_shared<const config::Config>(next);
    {
      const std::lock_guard lock(running_mutex_);
      running_ = shared;
    }
    asio::post(context_, [this, shared] {
      admin_->set_token(shared->admin.token);
      admin_->set_hosts(shared->admin.hosts);
      for (std::size_t i = 0; i < tenants_.size(); ++i) {
        tenants_[i]->upstream->set_api_key(shared->workspaces[i].auth.api_key);
        tenants_[i]->permissions->forget();
      }
    });
    return {};
  }

  net::Task<> check_files() {
    while (!ending_) {
      file_check_.expires_after(file_check_interval);
      co_await file_check_.async_wait(net::as_result);
      if (!ending_) {
        const auto check = [this] {
          reread_files();
          return true;
        };
        co_await on_thread(storage_thread_, check);
      }
    }
  }

  net::Task<> tell_alive(std::chrono::microseconds interval) {
    while (!ending_) {
      service_manager_.alive();
      watchdog_.expires_after(interval);
      co_await watchdog_.async_wait(net::as_result);
    }
  }

  [[nodiscard]] std::shared_ptr<const config::Config> running() const {
    const std::lock_guard lock(running_mutex_);
    return running_;
  }

  // Whether nothing is lost if delivery ends: all is on a disk that works. What was acknowledged
  // before it was written is written within moments, at the latest when the store is closed.
  [[nodiscard]] bool all_is_safe() const {
    return store_ != nullptr && std::ranges::all_of(tenants_, [](const auto& tenant) {
             return tenant->pipeline.trouble().empty();
           });
  }

  // Ingest has stopped: lets delivery go on until all has ended, the deadline, or hurry().
  void drain(MonoTime deadline) {
    asio::post(context_, [this] {
      tenants_draining_ = tenants_.size();
      for (const auto& tenant : tenants_) {
        tenant->pipeline.drain([this] {
          if (--tenants_draining_ == 0) {
            hurry();
          }
        });
      }
    });
    drained_.get_future().wait_until(deadline);
  }

  // Ends whatever has been started, in order. How many events the disk buffer has given up.
  std::uint64_t abandon() {
    asio::post(context_, [this] {
      ending_ = true;
      file_check_.cancel();
      watchdog_.cancel();
      if (admin_ != nullptr) {
        admin_->stop();
      }
      for (const auto& tenant : tenants_) {
        tenant->pipeline.stop();
        tenant->host.stop();
      }
      net::spawn(context_.get_executor(), closing_, watch_end());
    });
    if (delivery_thread_.joinable()) {
      delivery_thread_.join();
    } else {
      run_delivery();
    }
    storage_thread_.join();
    // What would not end refers to what is destroyed next.
    context_.drop_coroutines();
    const std::uint64_t given_up = store_ != nullptr ? store_->close() : 0;
    admin_.reset();
    ingest_.reset();
    tenants_.clear();
    store_.reset();
    return given_up;
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
    admin_->expose(exposition);  // who asks came to it
    for (const auto& tenant : tenants_) {
      tenant->pipeline.expose(exposition);
      expose_connections(*tenant, exposition);
    }
    if (store_ != nullptr) {
      store_->expose(exposition);
    }
    exposition.gauge("dead_letters", "Events in the dead-letter store.", {},
                     static_cast<double>(dead_letters_->letters()));
    exposition.gauge("dead_letter_bytes", "Size of the dead-letter store.", {},
                     static_cast<double>(dead_letters_->size_bytes()));
    exposition.gauge("dead_letter_limit_bytes", "What the dead-letter store may hold.", {},
                     static_cast<double>(running()->dead_letter.max_bytes));
    exposition.gauge("dead_letter_unreadable_lines",
                     "Lines in the dead-letter store that are kept and skipped.", {},
                     static_cast<double>(dead_letters_->unreadable_lines()));
    exposition.counter("log_lines_dropped_total", "Lines of the log that were not written.", {},
                       log::lines_dropped());
    exposition.gauge("build_info", "1; the version is the label.", {{"version", SLUICE_VERSION}},
                     1);
    exposition.process(process_use(process_started_at_));
    return exposition.to_text();
  }

  std::string status_json() const {
    const ingest::Totals totals = ingest_ == nullptr ? ingest::Totals() : ingest_->totals();
    std::string out = "{\"version\":\"" SLUICE_VERSION "\",\"ready\":";
    const std::string why = not_ready();
    out += why.empty() ? "true" : "false";
    out += ",\"not_ready\":";
    append_json_string(out, why);
    fmt::format_to(std::back_inserter(out), ",\"uptime_s\":{:.0f},\"accepted\":{},\"workspaces\":[",
                   std::chrono::duration<double>(clock_.mono_now() - started_at_).count(),
                   totals.accepted);
    for (const auto& tenant : tenants_) {
      out += out.back() == '[' ? "" : ",";
      tenant->pipeline.append_status(out);
    }
    out += ']';
    append_totals(out, totals);
    fmt::format_to(std::back_inserter(out),
                   R"(,"dead_letters":{{"stored":{},"bytes":{},"max_bytes":{}}}}})"
                   "\n",
                   dead_letters_->letters(), dead_letters_->size_bytes(),
                   running()->dead_letter.max_bytes);
    return out;
  }

  std::string not_ready() const {
    if (draining_.load(std::memory_order_relaxed)) {
      return "draining";
    }
    std::string why;
    for (const auto& tenant : tenants_) {
      const std::string reason = tenant->pipeline.not_ready();
      why += why.empty() || reason.empty() ? reason : ", " + reason;
    }
    return why;
  }

  const ServiceManager service_manager_{config::process_environment()};
  mutable std::mutex running_mutex_;
  std::shared_ptr<const config::Config> running_;  // the configuration, replaced by a reload
  const Controls controls_;
  const Clock& clock_;
  const MonoTime started_at_ = clock_.mono_now();
  const double process_started_at_ = process_start_time();
  tap::Taps taps_;  // outlives the coroutines
  net::Gate closing_{"closing"};
  net::Gate gate_{"delivery"};
  DeliveryContext context_;
  asio::thread_pool storage_thread_;
  // What the disk buffer had for its files at the start.
  const std::optional<std::uint64_t> room_bytes_;
  FileStamps tls_stamps_;     // of the files as they were taken over
  FileStamps secret_stamps_;  // likewise
  asio::steady_timer file_check_{context_};
  asio::steady_timer watchdog_{context_};
  bool ending_ = false;  // on the delivery thread
  std::unique_ptr<deadletter::Store> dead_letters_;
  std::unique_ptr<DeadLetterDesk> desk_;
  std::vector<std::unique_ptr<Tenant>> tenants_;
  std::unique_ptr<store::Store> store_;  // with buffer.type disk
  std::unique_ptr<admin::Server> admin_;
  MonoTime opening_told_at_{};  // of whoever opens the store
  config::ListenAddress admin_address_;
  std::unique_ptr<ingest::Server> ingest_;
  std::thread delivery_thread_;
  std::atomic<bool> draining_{false};
  std::size_t tenants_draining_ = 0;
  std::atomic<bool> hurried_{false};
  std::promise<void> drained_;
};

}  // namespace

Result<std::unique_ptr<Gateway>> start_gateway(const config::Config& config, const Clock& clock,
                                               Controls controls) {
  learn_secrets(config);
  auto gateway = std::make_unique<RunningGateway>(config, clock, std::move(controls));
  if (auto started = gateway->start(); !started) {
    return std::unexpected(started.error());
  }
  return gateway;
}

}  // namespace sluice::runtime
