#include "tenant.hpp"

#include <exception>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>

#include <sluice/runtime/rules.hpp>

namespace sluice::runtime {

ingest::WorkspaceTarget target_of(Pipeline& pipeline, buffer::Buffer& buffer,
                                  normalise::Rules rules) {
  return {.name = pipeline.name(),
          .rules = std::move(rules),
          .admission = &pipeline.admission(),
          .buffer = &buffer,
          .dedup = &pipeline.dedup(),
          .outlook = &pipeline.outlook(),
          .clock_skew_ms = &pipeline.clock_skew_ms()};
}

void DeliveryHost::post(std::function<void()> work) { net::asio::post(context_, std::move(work)); }

void DeliveryHost::post_blocking(std::function<void()> work) {
  net::asio::post(storage_thread_, std::move(work));
}

void DeliveryHost::pump_at(MonoTime time) {
  timer_.expires_at(time);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      pump();
    }
  });
}

Tenant::Tenant(const Deps& deps, PipelineOptions options,
               std::unique_ptr<transport::HttpUpstream> upstream,
               std::chrono::milliseconds connect_timeout)
    : host_(deps.context, deps.storage_thread),
      upstream_(std::move(upstream)),
      permissions_(deps.context.get_executor(), deps.clock, *upstream_),
      pipeline_({.host = host_,
                 .dead_letters = deps.dead_letters,
                 .clock = deps.clock,
                 .rng = Rng::from_system_entropy()},
                std::move(options)) {
  host_.pump = [this] { pipeline_.pump(); };
  open_passthrough(deps.context, connect_timeout);
  open_permissions(deps.context);
}

void Tenant::open_passthrough(net::asio::io_context& context,
                              std::chrono::milliseconds connect_timeout) {
  passthrough_.peer = upstream_->peer();
  passthrough_.connect_timeout = connect_timeout;
  // The delivery thread has the credentials; it outlives the ingest threads.
  passthrough_.authorize = [this, &context](std::function<void(Result<std::string>)> done) {
    net::asio::post(context, [this, done = std::move(done)] {
      try {
        upstream_->authorize(done);
      } catch (const std::exception& e) {
        done(failure(std::errc::not_enough_memory, e.what()));
      }
    });
  };
}

void Tenant::open_permissions(net::asio::io_context& context) {
  ask_permissions_ = [this, &context](std::vector<std::string> names,
                                      std::function<void(ingest::PermissionAnswer)> done) {
    net::asio::post(context, [this, names = std::move(names), done = std::move(done)]() mutable {
      permissions_.ask(std::move(names), std::move(done));
    });
  };
}

void Tenant::connect(buffer::Buffer& buffer) {
  buffer_ = &buffer;
  pipeline_.connect(buffer, *upstream_);
}

void Tenant::stop() {
  pipeline_.stop();
  host_.stop();
}

void Tenant::set_api_key(config::Secret key) {
  upstream_->set_api_key(std::move(key));
  permissions_.forget();
}

ingest::WorkspaceTarget Tenant::target(const config::Config& config,
                                       const config::Workspace& workspace) {
  ingest::WorkspaceTarget target = target_of(pipeline_, *buffer_, rules_of(config, workspace));
  target.partial_status = workspace.partial_status;
  target.passthrough = workspace.passthrough ? &passthrough_ : nullptr;
  target.permissions = &ask_permissions_;
  return target;
}

void Tenant::expose(metrics::Exposition& exposition) const {
  pipeline_.expose(exposition);
  const metrics::Labels labels{{"workspace", pipeline_.name()}};
  const transport::UpstreamProbe connections = upstream_->probe();
  exposition.gauge("upstream_connections", "Connections open to the upstream.", labels,
                   static_cast<double>(connections.connections));
  exposition.counter("upstream_connections_opened_total", "Connections opened to the upstream.",
                     labels, connections.connections_opened_total);
  exposition.counter("upstream_logins_total", "Tokens fetched from the upstream.", labels,
                     connections.logins_total);
}

}  // namespace sluice::runtime
