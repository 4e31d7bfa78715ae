#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <sluice/base/assert.hpp>
#include <sluice/batch/body.hpp>
#include <sluice/batch/lane_queue.hpp>
#include <sluice/deliver/classify.hpp>
#include <sluice/deliver/judge.hpp>
#include <sluice/metrics/exposition.hpp>
#include <sluice/normalise/normaliser.hpp>
#include <sluice/queue/group_queue.hpp>
#include <sluice/queue/ordered_queue.hpp>

#include "cases.hpp"
#include "payloads.hpp"

namespace sluice::micro {
namespace {

// A body as it lies behind the normaliser.
struct NormalisedBody {
  explicit NormalisedBody(std::string body) {
    const std::size_t size = body.size();
    body.resize(size + normalise::Normaliser::padding_bytes);
    normalise::Normaliser normaliser(Rng(1));
    SLUICE_ASSERT(
        normaliser.run(std::span(body).first(size), {.received_at = received_at}, {}, events)
            .has_value());
  }
  [[nodiscard]] Group::Owner make_group() const {
    return Group::make({.records = events.records,
                        .bytes = events.bytes(),
                        .dedup_keys = {},
                        .answer = {},
                        .accepted_at = {},
                        .accepted_wall = received_at});
  }
  normalise::Normalised events;
};

void add_queues(std::vector<Case>& cases) {
  constexpr std::size_t items = 64;
  struct Transfer {
    queue::OrderedQueue<std::size_t> queue{1, [] {}};
    std::vector<std::size_t> out;
  };
  auto transfer = std::make_shared<Transfer>();
  cases.push_back({.name = "queue/ordered", .items = items, .run = [transfer] {
                     for (std::size_t i = 0; i < items; ++i) {
                       transfer->queue.push(0, i);
                     }
                     transfer->out.clear();
                     transfer->queue.drain(transfer->out);
                     SLUICE_ASSERT(transfer->out.size() == items);
                   }});

  struct Groups {
    queue::GroupQueue queue{1, [] {}};
    std::vector<Group::Owner> at_hand;
  };
  auto groups = std::make_shared<Groups>();
  const NormalisedBody body(mixed_array(1));
  for (std::size_t i = 0; i < items; ++i) {
    groups->at_hand.push_back(body.make_group());
  }
  cases.push_back({.name = "queue/group", .items = items, .run = [groups] {
                     for (Group::Owner& group : groups->at_hand) {
                       groups->queue.push(0, std::move(group));
                     }
                     groups->at_hand.clear();
                     groups->queue.drain(groups->at_hand);
                     SLUICE_ASSERT(groups->at_hand.size() == items);
                   }});
}

void add_batches(std::vector<Case>& cases) {
  constexpr std::size_t events = 1'000;
  auto body = std::make_shared<NormalisedBody>(mixed_array(events));
  cases.push_back({.name = "group/make", .items = events, .run = [body] {
                     benchmark::DoNotOptimize(body->make_group().get());
                   }});

  struct Lane {
    batch::LaneQueue queue{};
    Group::Owner group;
    std::vector<EventRef> batch;
    std::string text;
  };
  auto lane = std::make_shared<Lane>();
  lane->group = body->make_group();
  cases.push_back({.name = "batch/push_cut_assemble", .items = events, .run = [lane] {
                     for (std::uint32_t i = 0; i < events; ++i) {
                       lane->queue.push({.group = lane->group.get(), .index = i});
                     }
                     const batch::Limits limits;
                     while (!lane->queue.empty()) {
                       lane->batch.clear();
                       benchmark::DoNotOptimize(lane->queue.cut(limits, lane->batch));
                       batch::assemble(lane->batch, lane->text);
                       benchmark::DoNotOptimize(lane->text.data());
                     }
                   }});
}

void add_classification(std::vector<Case>& cases) {
  const auto add = [&](const std::string& name, const deliver::UpstreamAnswer& answer) {
    cases.push_back({.name = "classify/" + name,
                     .run = [answer] { benchmark::DoNotOptimize(deliver::classify(answer)); }});
  };
  deliver::UpstreamAnswer answer;
  answer.status = 202;
  add("delivered", answer);
  answer.status = 429;
  answer.retry_after = "2";
  add("throttled", answer);
  constexpr std::size_t events = 1'000;
  answer.status = 207;
  answer.body =
      R"({"errors":[{"index":17,"code":"400","message":"no"},{"field":"[993].client","code":"400"}]})";
  cases.push_back(
      {.name = "judge/partially_delivered", .bytes = answer.body.size(), .run = [answer] {
         benchmark::DoNotOptimize(deliver::judge(answer, events, {}));
       }});
}

void add_metrics(std::vector<Case>& cases) {
  using AcceptHistogram = metrics::Histogram<metrics::accept_seconds.size()>;
  auto counter = std::make_shared<metrics::Counter>();
  cases.push_back({.name = "metrics/counter", .run = [counter] { counter->add(); }});
  auto histogram = std::make_shared<AcceptHistogram>(metrics::accept_seconds);
  cases.push_back({.name = "metrics/histogram",
                   .run = [histogram] { histogram->observe(std::chrono::microseconds(120)); }});
  constexpr std::size_t samples = 64;
  cases.push_back({.name = "metrics/exposition", .items = samples, .run = [histogram] {
                     metrics::Exposition exposition;
                     for (std::size_t i = 1; i < samples; ++i) {
                       exposition.counter(
                           "ingest_requests_total", "Requests answered.",
                           {{"route", "/v4/events/batch"}, {"code", std::to_string(100 + i)}}, i);
                     }
                     exposition.histogram("ingest_request_duration_seconds", "Time of a request.",
                                          {}, histogram->snapshot());
                     benchmark::DoNotOptimize(exposition.to_text().data());
                   }});
}

}  // namespace

void add_delivery_cases(std::vector<Case>& cases) {
  add_queues(cases);
  add_batches(cases);
  add_classification(cases);
  add_metrics(cases);
}

}  // namespace sluice::micro
