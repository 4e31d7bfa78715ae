// One workspace, with all that works for it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include <sluice/base/clock.hpp>
#include <sluice/buffer/buffer.hpp>
#include <sluice/config/config.hpp>
#include <sluice/deadletter/store.hpp>
#include <sluice/ingest/passthrough.hpp>
#include <sluice/ingest/tables.hpp>
#include <sluice/metrics/exposition.hpp>
#include <sluice/net/asio.hpp>
#include <sluice/transport/http_upstream.hpp>

#include "permission_desk.hpp"
#include "pipeline.hpp"

namespace sluice::runtime {

// Where accepted events go that are handed to this pipeline's buffer; the caller adds what else its
// workspace has. The simulation wires its one workspace by it, too.
[[nodiscard]] ingest::WorkspaceTarget target_of(Pipeline& pipeline, buffer::Buffer& buffer,
                                                normalise::Rules rules);

// Where a pipeline lives in the daemon: on the delivery thread's io_context.
class DeliveryHost final : public PipelineHost {
 public:
  DeliveryHost(net::asio::io_context& context, net::asio::thread_pool& storage_thread)
      : context_(context), storage_thread_(storage_thread), timer_(context) {}

  void post(std::function<void()> work) override;
  void post_blocking(std::function<void()> work) override;
  void pump_at(MonoTime time) override;
  void stop() { timer_.cancel(); }

  std::function<void()> pump;

 private:
  net::asio::io_context& context_;
  net::asio::thread_pool& storage_thread_;
  net::asio::steady_timer timer_;
};

// On the delivery thread, where nothing else is said.
class Tenant {
 public:
  struct Deps {
    net::asio::io_context& context;
    net::asio::thread_pool& storage_thread;
    deadletter::Store& dead_letters;
    const Clock& clock;
  };
  // All of it outlives the tenant.
  Tenant(const Deps& deps, PipelineOptions options,
         std::unique_ptr<transport::HttpUpstream> upstream,
         std::chrono::milliseconds connect_timeout);
  Tenant(const Tenant&) = delete;
  Tenant& operator=(const Tenant&) = delete;

  // Once, before anything else happens: delivery can begin.
  void connect(buffer::Buffer& buffer);
  // Any thread: its buffer has something to read.
  void wake() { host_.post(host_.pump); }
  // Ends what is under way.
  void stop();
  void set_api_key(config::Secret key);

  // For the ingest threads, which it outlives.
  [[nodiscard]] ingest::WorkspaceTarget target(const config::Config& config,
                                               const config::Workspace& workspace);
  void expose(metrics::Exposition& exposition) const;
  [[nodiscard]] Pipeline& pipeline() { return pipeline_; }
  [[nodiscard]] const Pipeline& pipeline() const { return pipeline_; }

 private:
  void open_passthrough(net::asio::io_context& context, std::chrono::milliseconds connect_timeout);
  void open_permissions(net::asio::io_context& context);

  DeliveryHost host_;
  std::unique_ptr<transport::HttpUpstream> upstream_;
  ingest::PassthroughTarget passthrough_;
  PermissionDesk permissions_;
  ingest::AskPermissions ask_permissions_;  // of any thread
  buffer::Buffer* buffer_ = nullptr;
  Pipeline pipeline_;
};

}  // namespace sluice::runtime
