#include "process.hpp"

#include <stdexcept>
#include <utility>

#include "backing.hpp"
#include "tenant.hpp"

namespace sluice::simulation {
namespace {

using namespace std::chrono_literals;

}  // namespace

// Runs what is posted in its turn, and what may block a little later.
class Process::Host final : public runtime::PipelineHost {
 public:
  Host(Timeline& timeline, Rng rng) : timeline_(timeline), rng_(rng) {}

  void post(std::function<void()> work) override {
    timeline_.in_process(timeline_.mono_now(), std::move(work));
  }
  void post_blocking(std::function<void()> work) override {
    // One thread: what was posted first is done first.
    busy_until_ = std::max(busy_until_, timeline_.mono_now()) +
                  std::chrono::nanoseconds(rng_.below(2'000'000));
    timeline_.in_process(busy_until_, std::move(work));
  }
  void pump_at(MonoTime time) override {
    if (time == MonoTime::max()) {
      ++armed_;
      return;
    }
    timeline_.in_process(time, [this, armed = ++armed_] {
      if (armed == armed_) {
        pump();
      }
    });
  }

  std::function<void()> pump;

 private:
  Timeline& timeline_;
  Rng rng_;
  MonoTime busy_until_{};
  std::uint64_t armed_ = 0;
};

Process::Process(Timeline& timeline, Vendor& vendor, std::unique_ptr<store::Engine> engine,
                 const ProcessOptions& options)
    : timeline_(timeline), rng_(options.seed), upstream_(timeline, vendor) {
  auto letters = deadletter::open_store(options.dead_letter_folder, std::uint64_t{1} << 30);
  if (!letters) {
    throw std::runtime_error(letters.error().message);
  }
  dead_letters_ = std::move(*letters);
  host_ = std::make_unique<Host>(timeline, Rng(rng_()));
  pipeline_ = std::make_unique<runtime::Pipeline>(
      runtime::PipelineDeps{
          .host = *host_, .dead_letters = *dead_letters_, .clock = timeline, .rng = Rng(rng_())},
      options.pipeline);
  host_->pump = [this] { pipeline_->pump(); };
  buffer::Workspace workspace =
      runtime::backed_workspace(*pipeline_, [this] { host_->post(host_->pump); });
  workspace.lost = [this, lost = workspace.lost](const store::Backlog& gone,
                                                 std::uint32_t producer) {
    lost_ += gone.events;
    lost(gone, producer);
  };
  workspace.recovered = [this, recovered = workspace.recovered](const store::Backlog& found) {
    recovered_ = found.events;
    recovered(found);
  };
  auto store =
      store::open_stepped(options.store, {std::move(workspace)}, timeline, std::move(engine),
                          {.commit = [this] { arrange_commit(timeline_.mono_now()); },
                           .read = [this] { arrange_read(timeline_.mono_now()); }},
                          [](const std::string&, Ticket, std::string_view) {});
  if (!store) {
    throw std::runtime_error(store.error().message);
  }
  store_ = std::move(*store);
  if (rng_.below(2) == 0) {
    // The store's threads do not wait for who opened it: what cannot be read is reported at once.
    static_cast<void>(store_->read_step());
  }
  tables_.workspaces.push_back(runtime::target_of(*pipeline_, store_->buffer(0), {}));
  handler_options_ = {.clock = &timeline,
                      .tables = &tables_,
                      .producers = &producers_,
                      .draining = &draining_,
                      .reject_request_on_invalid = false,
                      .body_bytes_max = std::size_t{1} << 20};
  probe_.emplace(tables_);
  handler_.emplace(handler_options_, 0, Rng(rng_()), *probe_);
  pipeline_->connect(store_->buffer(0), upstream_);
  arrange_commit(timeline_.mono_now());
  arrange_read(timeline_.mono_now());
}

Process::~Process() = default;

void Process::arrange_commit(MonoTime time) {
  if (time == MonoTime::max()) {
    return;
  }
  timeline_.in_process(time, [this, turn = ++commit_turn_] {
    if (turn == commit_turn_) {
      // Writing and syncing takes its time; what comes meanwhile is the next commit.
      const MonoTime next = store_->commit_step();
      arrange_commit(std::max(
          next, timeline_.mono_now() + std::chrono::nanoseconds(100'000 + rng_.below(2'000'000))));
    }
  });
}

void Process::arrange_read(MonoTime time) {
  if (time == MonoTime::max()) {
    return;
  }
  timeline_.in_process(time, [this, turn = ++read_turn_] {
    if (turn == read_turn_) {
      arrange_read(std::max(store_->read_step(), timeline_.mono_now() + 100us));
    }
  });
}

void Process::post(const std::string& body, EventKind kind, const std::string& idempotency_key,
                   std::function<void(Answer)> answered) {
  ingest::RequestHead head;
  head.method = boost::beast::http::verb::post;
  head.target = "/v4/events/batch";
  head.content_type = "application/json";
  head.idempotency_key = idempotency_key;
  const auto answer = [answered = std::move(answered)](const std::string& text) {
    answered({.status = static_cast<unsigned>(std::stoul(text.substr(9))), .text = text});
  };
  std::string out;
  auto admitted = handler_->look_at(head);
  if (!admitted) {
    handler_->refuse(head, ingest::RouteId::events_batch, admitted.error(), true, out);
    answer(out);
    return;
  }
  admitted->route.kind = kind;
  std::string padded = body;
  padded.resize(body.size() + normalise::Normaliser::padding_bytes);
  // The acknowledgement comes on the commit thread, and is seen to on the ingest thread.
  auto waiting = std::make_shared<std::pair<std::optional<ingest::Handed>, std::string>>();
  const auto handed =
      handler_->handle(head, *admitted, std::span(padded).first(body.size()), true, out,
                       [this, waiting, answer](const Result<void>& outcome) {
                         const bool kept = outcome.has_value();
                         unsettled_ -= kept ? 0 : waiting->first->events;  // nobody has them now
                         timeline_.in_process(timeline_.mono_now(), [this, waiting, answer, kept] {
                           unsettled_ -= kept ? waiting->first->events : 0;
                           handler_->settle(*waiting->first, kept);
                           answer(kept ? waiting->second : "HTTP/1.1 503 ");
                         });
                       });
  if (!handed) {
    answer(out);
    return;
  }
  *waiting = {handed, out};
  unsettled_ += handed->events;
}

std::string Process::miscounted(std::uint64_t damaged) {
  if (lost_ > damaged) {
    return std::to_string(lost_) + " events count as lost, though the disk has damaged " +
           std::to_string(damaged);
  }
  const std::uint64_t in = probe_->accepted.front().value() + unsettled_ + recovered_;
  const std::uint64_t out = pipeline_->counts().events_ended() + pending_events() + lost_;
  return in == out ? ""
                   : "accepted, on their way and recovered " + std::to_string(in) +
                         ", ended, pending and lost " + std::to_string(out);
}

}  // namespace sluice::simulation
