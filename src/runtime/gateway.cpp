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
#include <sluice/ingest/server.hpp>
#include <sluice/metrics/exposition.hpp>
#include <sluice/net/cpu.hpp>
#include <sluice/net/gate.hpp>
#include <sluice/normalise/mapper.hpp>
#include <sluice/runtime/descriptors.hpp>
#include <sluice/runtime/gateway.hpp>
#include <sluice/runtime/service_manager.hpp>
#include <sluice/runtime/upstream.hpp>
#include <sluice/store/store.hpp>
#include <sluice/transport/http_upstream.hpp>

#include "backing.hpp"
#include "dead_letter_desk.hpp"
#include "on_thread.hpp"
#include "process_use.hpp"
#include "reload.hpp"
#include "secret_files.hpp"
#include "sizing.hpp"
#include "tenant.hpp"

namespace sluice::runtime {
namespace {

namespace asio = boost::asio;

// Requests that are under way when the drain begins are given so long to be answered.
constexpr std::chrono::seconds session_patience{2};
// What cannot be ended in time after everything was cancelled is a mistake of ours, not the
// upstream's.
constexpr std::chrono::seconds stop_patience{5};
// While the store is being opened, and that goes on, the service manager is told to wait for so
// long again.
constexpr std::chrono::seconds start_patience{120};
constexpr std::chrono::seconds opening_log_interval{5};
// How often files with secrets are looked at.
constexpr std::chrono::seconds file_check_interval{2};

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
      report.undelivered_events += tenant->pipeline().admission().events();
    }
    const bool survives = backing_->survives_process();
    const std::uint64_t given_up = abandon();
    report.lost_events = survives ? given_up : report.undelivered_events;
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
    auto ingest = ingest::start_server({.config = config.ingest,
                                        .threads = threads,
                                        .producers_max = producers_max(config),
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
      tenants_.push_back(std::make_unique<Tenant>(Tenant::Deps{.context = context_,
                                                               .storage_thread = storage_thread_,
                                                               .dead_letters = *dead_letters_,
                                                               .clock = clock_},
                                                  pipeline_options(config, workspace),
                                                  *std::move(upstream),
                                                  config.delivery.connect_timeout));
    }
    return connect_buffers(producers);
  }

  Result<void> connect_buffers(std::size_t producers) {
    std::vector<buffer::Workspace> workspaces;
    workspaces.reserve(tenants_.size());
    for (const auto& tenant : tenants_) {
      workspaces.push_back(
          backed_workspace(tenant->pipeline(), [tenant = tenant.get()] { tenant->wake(); }));
    }
    auto backing = open_backing(*running_, std::move(workspaces),
                                {.clock = clock_,
                                 .producers = producers,
                                 .program = controls_.program,
                                 .room_bytes = room_bytes_,
                                 .tell_opening = [this](const store::OpeningProgress& progress) {
                                   tell_opening(progress);
                                 }});
    if (!backing) {
      return std::unexpected(backing.error());
    }
    backing_ = std::move(*backing);
    if (opening_told_at_) {
      service_manager_.started();
    }
    for (std::size_t i = 0; i < tenants_.size(); ++i) {
      tenants_[i]->connect(backing_->buffer(i));
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
    if (const MonoTime now = clock_.mono_now();
        !opening_told_at_ || now >= *opening_told_at_ + opening_log_interval) {
      opening_told_at_ = now;
      SLUICE_LOG(info, "starting takes a while", {"doing", doing},
                 {"done_bytes", progress.done_bytes}, {"bytes", progress.bytes});
    }
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
      tables.workspaces.push_back(tenants_[i]->target(config, config.workspaces[i]));
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
      tenants_[i]->pipeline().admission().set_limits(limits_of(next, next.workspaces[i]));
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
        tenants_[i]->set_api_key(shared->workspaces[i].auth.api_key);
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
    return backing_->survives_process() && std::ranges::all_of(tenants_, [](const auto& tenant) {
             return tenant->pipeline().trouble().empty();
           });
  }

  // Ingest has stopped: lets delivery go on until all has ended, the deadline, or hurry().
  void drain(MonoTime deadline) {
    asio::post(context_, [this] {
      tenants_draining_ = tenants_.size();
      for (const auto& tenant : tenants_) {
        tenant->pipeline().drain([this] {
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
        tenant->stop();
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
    const std::uint64_t given_up = backing_ != nullptr ? backing_->close() : 0;
    admin_.reset();
    ingest_.reset();
    tenants_.clear();
    backing_.reset();
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
      tenant->expose(exposition);
    }
    if (backing_ != nullptr) {
      backing_->expose(exposition);
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
      tenant->pipeline().append_status(out);
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
      const std::string reason = tenant->pipeline().not_ready();
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
  std::unique_ptr<buffer::Backing> backing_;
  std::unique_ptr<admin::Server> admin_;
  std::optional<MonoTime> opening_told_at_;  // of whoever opens the store
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
