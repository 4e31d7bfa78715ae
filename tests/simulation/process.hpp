// One life of the gateway, from start to crash: everything from admission to delivery, on simulated
// time; only the sockets are left out.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <sluice/buffer/buffer.hpp>
#include <sluice/deadletter/store.hpp>
#include <sluice/ingest/tables.hpp>
#include <sluice/store/store.hpp>

#include "handler.hpp"
#include "pipeline.hpp"
#include "timeline.hpp"
#include "vendor.hpp"

namespace sluice::simulation {

struct ProcessOptions {
  runtime::PipelineOptions pipeline;
  store::Options store;
  std::string dead_letter_folder;
  std::uint64_t seed = 0;
};

// What a producer is answered.
struct Answer {
  unsigned status = 0;
  std::string text;  // head and body
};

class Process {
 public:
  Process(Timeline& timeline, Vendor& vendor, std::unique_ptr<store::Engine> engine,
          const ProcessOptions& options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // POSTs an array of events, to be delivered as that kind; the answer comes later, unless the
  // process crashes before.
  void post(const std::string& body, EventKind kind, const std::string& idempotency_key,
            std::function<void(Answer)> answered);

  // Events that have been accepted and have not ended, or are on their way into the buffer.
  [[nodiscard]] std::uint64_t pending_events() { return pipeline_->admission().events(); }
  [[nodiscard]] std::size_t dedup_entries() { return pipeline_->dedup().size(); }
  // Which of the promises about counting does not hold; empty: all do. So many stored events have
  // been damaged so far.
  [[nodiscard]] std::string miscounted(std::uint64_t damaged);

 private:
  class Host;

  // The next turn of each of the store's threads.
  void arrange_commit(MonoTime time);
  void arrange_read(MonoTime time);

  Timeline& timeline_;
  Rng rng_;
  std::unique_ptr<deadletter::Store> dead_letters_;
  std::unique_ptr<Host> host_;
  std::unique_ptr<runtime::Pipeline> pipeline_;
  std::unique_ptr<store::SteppedStore> store_;
  SimulatedUpstream upstream_;
  ingest::Tables tables_;
  ingest::Producers producers_{{}, {"default"}};
  std::atomic<bool> draining_{false};
  ingest::HandlerOptions handler_options_;
  std::optional<ingest::Probe> probe_;
  std::optional<ingest::Handler> handler_;
  std::uint64_t recovered_ = 0;
  std::uint64_t unsettled_ = 0;  // events handed to the buffer, not acknowledged yet
  std::uint64_t lost_ = 0;
  unsigned commit_turn_ = 0;  // the latest that was arranged
  unsigned read_turn_ = 0;
};

}  // namespace sluice::simulation
