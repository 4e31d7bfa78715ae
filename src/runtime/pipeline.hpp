// One workspace's way from its buffer to the upstream: carries out what its dispatcher decides.
//
// Everything but what is marked otherwise happens on the delivery thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include <sluice/base/clock.hpp>
#include <sluice/buffer/admission.hpp>
#include <sluice/buffer/buffer.hpp>
#include <sluice/buffer/dedup_window.hpp>
#include <sluice/deadletter/store.hpp>
#include <sluice/deliver/dispatcher.hpp>
#include <sluice/metrics/cells.hpp>
#include <sluice/metrics/exposition.hpp>
#include <sluice/transport/http_upstream.hpp>

namespace sluice::runtime {

struct PipelineOptions {
  std::string workspace;
  deliver::DispatcherOptions dispatcher;
  buffer::Admission::Limits limits;
  buffer::DedupWindow::Options dedup;
  std::size_t producers = 1;
};

struct PipelineDeps {
  boost::asio::io_context& context;          // of the delivery thread
  boost::asio::thread_pool& storage_thread;  // for what blocks on the disk
  deadletter::Store& dead_letters;
  const Clock& clock;
};

class Pipeline {
 public:
  Pipeline(PipelineDeps deps, PipelineOptions options);
  // The upstream has been stopped and its gate is empty.
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // Once, before the delivery thread starts.
  void connect(std::unique_ptr<transport::HttpUpstream> upstream);

  // Used by the ingest threads; they outlive those.
  [[nodiscard]] buffer::Buffer& buffer() { return *buffer_; }
  [[nodiscard]] buffer::Admission& admission() { return admission_; }
  [[nodiscard]] buffer::DedupWindow& dedup() { return dedup_; }
  [[nodiscard]] const std::atomic<std::uint32_t>& retry_after_s() const { return retry_after_s_; }

  // No group comes in any more: delivers what is left without lingering, then calls `drained`.
  void drain(std::function<void()> drained);
  // Ends what is under way; nothing is sent or waited for from now on.
  void stop();

  [[nodiscard]] const std::string& name() const { return options_.workspace; }
  // Why new events are refused, or empty.
  [[nodiscard]] std::string not_ready() const;
  void expose(metrics::Exposition& exposition) const;
  // Appends this workspace's part of /status, a JSON object.
  void append_status(std::string& out) const;

 private:
  void pump();
  void schedule(MonoTime now, bool busy);
  void perform(deliver::action::Send& send);
  void perform(deliver::action::Delivered& delivered);
  void perform(deliver::action::StoreDeadLetters& store);
  void perform(deliver::action::RefreshCredentials& refresh);
  void perform(deliver::action::Released& released);
  void perform(deliver::action::Parked& parked);
  void perform(deliver::action::Resumed& resumed);
  void on_answer(std::size_t lane, deliver::AttemptId attempt, deliver::UpstreamAnswer answer);
  void measure_drain_rate();
  [[nodiscard]] std::chrono::nanoseconds oldest_age() const;

  PipelineDeps deps_;
  PipelineOptions options_;
  buffer::Admission admission_;
  buffer::DedupWindow dedup_;
  std::unique_ptr<buffer::Buffer> buffer_;
  std::atomic<std::uint32_t> retry_after_s_{1};

  deliver::Dispatcher dispatcher_;
  std::unique_ptr<transport::HttpUpstream> upstream_;
  std::vector<std::string> bodies_;  // per lane: what is in flight
  std::vector<Group::Owner> incoming_;
  std::vector<deliver::Action> actions_;
  boost::asio::steady_timer timer_;
  boost::asio::steady_timer rate_timer_;
  std::function<void()> drained_;
  bool stopped_ = false;

  // The groups that have not been released, in the order of their tickets.
  struct Open {
    Ticket ticket;
    MonoTime accepted_at;
    bool released;
  };
  std::deque<Open> open_;

  std::uint64_t delivered_at_last_measure_ = 0;
  double drain_rate_ = 0;  // events per second, smoothed
  std::uint64_t deprecated_answers_ = 0;
  metrics::Histogram<metrics::delivery_seconds.size()> delivery_duration_{
      metrics::delivery_seconds};
  metrics::Histogram<metrics::end_to_end_seconds.size()> end_to_end_{metrics::end_to_end_seconds};
  metrics::Histogram<metrics::batch_event_counts.size()> batch_events_{metrics::batch_event_counts};
  metrics::Histogram<metrics::batch_byte_counts.size()> batch_bytes_{metrics::batch_byte_counts};
};

}  // namespace sluice::runtime
