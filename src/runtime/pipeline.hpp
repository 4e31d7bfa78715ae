// One workspace's way from its buffer to the upstream: carries out what its dispatcher decides.
//
// Does no I/O of its own and starts no thread: what it needs of the world are the host, the buffer,
// the dead-letter store and the upstream, so that it runs in simulated time as well. Everything but
// what is marked otherwise happens on the host's thread. What it does for the dispatcher it does
// whole: where memory runs out amid that, the process ends, as nothing could be relied on any more.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <sluice/accept/settlement.hpp>
#include <sluice/base/calendar.hpp>
#include <sluice/base/clock.hpp>
#include <sluice/base/rng.hpp>
#include <sluice/buffer/admission.hpp>
#include <sluice/buffer/buffer.hpp>
#include <sluice/buffer/dedup_window.hpp>
#include <sluice/deadletter/store.hpp>
#include <sluice/deliver/dispatcher.hpp>
#include <sluice/deliver/upstream.hpp>
#include <sluice/metrics/cells.hpp>
#include <sluice/metrics/exposition.hpp>

namespace sluice::runtime {

// Where a pipeline lives. What is posted runs later, never within the call.
class PipelineHost {
 public:
  virtual ~PipelineHost() = default;
  // On the pipeline's thread; may be called from any thread.
  virtual void post(std::function<void()> work) = 0;
  // Where it may block on the disk.
  virtual void post_blocking(std::function<void()> work) = 0;
  // Calls pump() of the pipeline at that time; replaces what was asked for before.
  virtual void pump_at(MonoTime time) = 0;
};

struct PipelineOptions {
  std::string workspace;
  deliver::DispatcherOptions dispatcher;
  buffer::Admission::Limits limits;
  buffer::DedupWindow::Options dedup;
  // Of the backlog, so much is held in memory to be delivered; the rest stays in the buffer.
  std::size_t window_bytes_max = std::numeric_limits<std::size_t>::max();
};

struct PipelineDeps {
  PipelineHost& host;
  deadletter::Store& dead_letters;
  const Clock& clock;
  Rng rng;
};

class Pipeline {
 public:
  Pipeline(PipelineDeps deps, PipelineOptions options);
  // The upstream has been stopped and has ended what was under way.
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // Once, before anything else happens. Both outlive the pipeline.
  void connect(buffer::Buffer& buffer, deliver::Upstream& upstream);

  // Before connect(): what the buffer holds from an earlier run.
  void restore(std::uint64_t events, std::uint64_t bytes);
  // Any thread: the buffer has lost so much of what it held for that producer.
  void forget_lost(std::uint64_t events, std::uint64_t bytes, std::size_t producer);

  // Used by the ingest threads; they outlive those.
  [[nodiscard]] buffer::Admission& admission() { return admission_; }
  [[nodiscard]] buffer::DedupWindow& dedup() { return dedup_; }
  // Used by the buffer; outlives it.
  [[nodiscard]] accept::Settlement& settlement() { return settlement_; }
  [[nodiscard]] const deliver::Outlook& outlook() const { return outlook_; }
  // How far our clock is ahead of the upstream's; 0 while that is not known.
  [[nodiscard]] const std::atomic<std::int64_t>& clock_skew_ms() const { return clock_skew_ms_; }

  // Takes in what has been accepted, lets the dispatcher decide, and does what it says.
  void pump() noexcept;
  // No group comes in any more: delivers what is left without lingering, then calls `drained`.
  void drain(std::function<void()> drained);
  // Ends what is under way; nothing is sent or waited for from now on. Also before connect().
  void stop();

  [[nodiscard]] const deliver::DispatcherCounts& counts() const { return dispatcher_.counts(); }
  [[nodiscard]] const std::string& name() const { return options_.workspace; }
  // Why the buffer takes nothing in, or empty. Any thread.
  [[nodiscard]] std::string trouble() const { return buffer_->trouble(); }
  // Why new events are refused, or empty.
  [[nodiscard]] std::string not_ready() const;
  void expose(metrics::Exposition& exposition) const;
  // Appends this workspace's part of /status, a JSON object.
  void append_status(std::string& out) const;

 private:
  void read_buffer();
  void schedule(MonoTime now, bool busy);
  void perform(deliver::action::Send& send);
  void perform(deliver::action::Delivered& delivered);
  void perform(deliver::action::StoreDeadLetters& store);
  void perform(deliver::action::RefreshCredentials& refresh);
  void perform(deliver::action::Released& released);
  void perform(deliver::action::Parked& parked);
  void perform(deliver::action::Resumed& resumed);
  void close(Ticket ticket);
  void on_answer(std::size_t lane, deliver::AttemptId attempt,
                 const deliver::UpstreamAnswer& answer) noexcept;
  void measure_drain_rate(MonoTime now);
  [[nodiscard]] double events_per_request() const;
  void publish_outlook(MonoTime now);
  void compare_clocks(const deliver::UpstreamAnswer& answer);
  [[nodiscard]] std::chrono::nanoseconds oldest_age() const;

  PipelineDeps deps_;
  PipelineOptions options_;
  buffer::Admission admission_;
  buffer::DedupWindow dedup_;
  accept::Settlement settlement_{dedup_, admission_};
  buffer::Buffer* buffer_ = nullptr;
  deliver::Outlook outlook_;
  std::atomic<std::int64_t> clock_skew_ms_{clock_skew_unknown};
  bool clocks_compared_ = false;

  deliver::Dispatcher dispatcher_;
  deliver::Upstream* upstream_ = nullptr;
  std::vector<std::string> bodies_;  // per lane: what is in flight
  std::vector<Group::Owner> incoming_;
  std::vector<deliver::Action> actions_;
  std::function<void()> drained_;
  bool stopped_ = false;

  // The groups that have not been released, in the order of their tickets, and at most as many that
  // have; the first one has not.
  struct Open {
    Ticket ticket;
    MonoTime accepted_at;
    bool released;
  };
  std::deque<Open> open_;
  std::size_t open_released_ = 0;  // of them
  std::size_t open_bytes_ = 0;

  std::uint64_t delivered_at_last_measure_ = 0;
  MonoTime measured_at_{};
  double drain_rate_ =
      0;  // events per second while there was a backlog, smoothed; 0: there is none
  bool was_busy_ = false;  // at the last measure
  std::uint64_t recovered_events_ = 0;
  std::uint64_t deprecated_answers_ = 0;
  metrics::Histogram<metrics::delivery_seconds.size()> delivery_duration_{
      metrics::delivery_seconds};
  metrics::Histogram<metrics::end_to_end_seconds.size()> end_to_end_{metrics::end_to_end_seconds};
  metrics::Histogram<metrics::batch_event_counts.size()> batch_events_{metrics::batch_event_counts};
  metrics::Histogram<metrics::batch_byte_counts.size()> batch_bytes_{metrics::batch_byte_counts};
};

}  // namespace sluice::runtime
