#include "probe.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include <sluice/base/assert.hpp>
#include <sluice/ingest/passthrough.hpp>

namespace sluice::ingest {
namespace {

using Probes = std::span<const std::unique_ptr<Probe>>;

template <class Pick>
std::uint64_t sum(Probes probes, Pick&& pick) {
  std::uint64_t total = 0;
  for (const auto& probe : probes) {
    total += pick(*probe).value();
  }
  return total;
}

metrics::HistogramSnapshot durations(Probes probes) {
  metrics::HistogramSnapshot duration = probes.front()->duration.snapshot();
  for (const auto& probe : probes.subspan(1)) {
    duration.add(probe->duration.snapshot());
  }
  return duration;
}

void expose_requests(Probes probes, metrics::Exposition& exposition) {
  for (std::size_t route = 0; route < route_count; ++route) {
    for (std::size_t i = 0; i < counted_statuses.size(); ++i) {
      const std::uint64_t count =
          sum(probes, [&](const Probe& p) -> auto& { return p.requests[route][i]; });
      if (count == 0) {
        continue;
      }
      exposition.counter("ingest_requests_total", "Requests answered, by route and status.",
                         {{"route", to_string(static_cast<RouteId>(route))},
                          {"code", std::to_string(counted_statuses[i])}},
                         count);
    }
  }
  exposition.histogram("ingest_request_duration_seconds",
                       "From the first byte of a request to its answer being ready to be written.",
                       {}, durations(probes));
}

template <class Put>
void for_each_rejected(Probes probes, Put put) {
  for (std::size_t i = 0; i < normalise::reject_reason_count; ++i) {
    put(normalise::to_string(static_cast<normalise::RejectReason>(i)),
        sum(probes, [&](const Probe& p) -> auto& { return p.rejected[i]; }));
  }
  put("buffer_full", sum(probes, [](const Probe& p) -> auto& { return p.refused_full; }));
  put("buffer_failed", sum(probes, [](const Probe& p) -> auto& { return p.refused_storage; }));
  put("request_rejected", sum(probes, [](const Probe& p) -> auto& { return p.refused_request; }));
}

void expose_rejected(Probes probes, metrics::Exposition& exposition) {
  for_each_rejected(probes, [&](std::string_view reason, std::uint64_t count) {
    exposition.counter("events_rejected_total",
                       "Events that were not accepted, by their first reason.",
                       {{"reason", reason}}, count);
  });
}

void expose_warned(Probes probes, metrics::Exposition& exposition) {
  for (const normalise::RuleInfo& rule : normalise::validation_rules()) {
    exposition.counter("events_warned_total",
                       "Accepted events that validation: strict would have refused, by each rule "
                       "that they break.",
                       {{"rule", rule.name}}, sum(probes, [&](const Probe& p) -> auto& {
                         return p.warned[static_cast<std::size_t>(rule.rule)];
                       }));
  }
}

void expose_refused_connections(Probes probes, metrics::Exposition& exposition) {
  for (const auto& [limit, cell] :
       {std::pair("max_connections", &Probe::connections_refused),
        std::pair("max_connections_per_peer", &Probe::connections_refused_of_peer)}) {
    exposition.counter("ingest_connections_refused_total",
                       "Connections closed at once, by the limit that was reached.",
                       {{"limit", limit}},
                       sum(probes, [cell](const Probe& p) -> auto& { return p.*cell; }));
  }
}

void expose_timeouts(Probes probes, metrics::Exposition& exposition) {
  constexpr std::array<std::string_view, slow_count> phases{"handshake", "head", "body", "idle",
                                                            "answer"};
  for (std::size_t phase = 0; phase < slow_count; ++phase) {
    exposition.counter("ingest_timeouts_total",
                       "Connections closed because the client was too slow, by what it was at.",
                       {{"phase", phases[phase]}},
                       sum(probes, [&](const Probe& p) -> auto& { return p.timeouts[phase]; }));
  }
}

void expose_refused_bodies(Probes probes, metrics::Exposition& exposition) {
  for (std::size_t limit = 0; limit < body_limit_names.size(); ++limit) {
    exposition.counter(
        "ingest_bodies_refused_total",
        "Requests answered 413, by the limit that their body was above.",
        {{"limit", body_limit_names[limit]}},
        sum(probes, [&](const Probe& p) -> auto& { return p.bodies_refused[limit]; }));
  }
}

// What the rules of sources did; those that did nothing of the kind are left out.
void expose_rules(Probes probes, std::span<const std::string> source_names,
                  std::vector<RuleCounters> Probe::* cells, std::string_view name,
                  std::string_view help, metrics::Exposition& exposition) {
  for (std::size_t slot = 1; slot <= source_names.size(); ++slot) {
    const auto expose_cell = [&](std::string_view rule, auto pick) {
      const std::uint64_t count =
          sum(probes, [&](const Probe& p) -> auto& { return pick((p.*cells)[slot]); });
      if (count > 0) {
        exposition.counter(name, help, {{"source", source_names[slot - 1]}, {"rule", rule}}, count);
      }
    };
    for (std::size_t rule = 0; rule <= RuleCounters::rules_apart; ++rule) {
      expose_cell(rule < RuleCounters::rules_apart ? std::to_string(rule + 1) : "others",
                  [rule](const RuleCounters& of) -> auto& { return of.rules[rule]; });
    }
    expose_cell("unmatched", [](const RuleCounters& of) -> auto& { return of.unmatched; });
    expose_cell("ping", [](const RuleCounters& of) -> auto& { return of.pings; });
  }
}

struct PlainCounter {
  metrics::Counter Probe::* cell;
  std::string_view name;
  std::string_view help;
};
constexpr std::array<PlainCounter, 13> plain_counters{{
    {&Probe::duplicates, "events_duplicate_total",
     "Events that came again within the window and were absorbed."},
    {&Probe::changed, "events_overwriting_total",
     "Events accepted that replace one that was accepted within the window: same salt, time, "
     "profile and action, other content."},
    {&Probe::requests_replayed, "ingest_idempotent_replays_total",
     "Requests answered as the first one with their Idempotency-Key was."},
    {&Probe::keys_reused, "ingest_idempotency_keys_reused_total",
     "Requests answered 422: their Idempotency-Key came with another body or path before."},
    {&Probe::reserved_params_dropped, "params_reserved_dropped_total",
     "Params with a name that the upstream reserves."},
    {&Probe::nulls_removed, "nulls_removed_total", "Null values left out of events."},
    {&Probe::identifiers_trimmed, "identifiers_trimmed_total",
     "Identifiers that had white space around them."},
    {&Probe::future_times_clamped, "future_times_clamped_total",
     "Events with a time in the future, set to their arrival."},
    {&Probe::connections_opened, "ingest_connections_total", "Connections accepted."},
    {&Probe::connections_evicted, "ingest_connections_evicted_total",
     "Connections of clients that had not shown who they are, closed to make room for another."},
    {&Probe::connections_retired, "ingest_connections_retired_total",
     "Connections closed after limits.max_requests_per_connection."},
    {&Probe::bulk_bodies, "ingest_bulk_bodies_total",
     "Bodies that were read on a thread for large ones, or many."},
    {&Probe::handshakes_failed, "ingest_handshakes_failed_total",
     "TLS connections closed because client and server did not come to an agreement."},
}};

}  // namespace

void Probe::count_request(RouteId route, unsigned status) {
  const auto at = std::ranges::find(counted_statuses, status);
  SLUICE_ASSERT(at != counted_statuses.end());
  requests[static_cast<std::size_t>(route)][static_cast<std::size_t>(at - counted_statuses.begin())]
      .add();
}

Totals sum_totals(Probes probes) {
  Totals totals;
  const auto sum_cells = [&](auto pick) {
    std::uint64_t total = 0;
    for (const auto& probe : probes) {
      for (const metrics::Counter& cell : pick(*probe)) {
        total += cell.value();
      }
    }
    return total;
  };
  const auto reject = [&](std::string_view reason, std::uint64_t count) {
    if (count > 0) {
      totals.rejected.emplace_back(reason, count);
    }
  };
  totals.received = sum_cells([](const Probe& p) -> auto& { return p.received; });
  totals.accepted = sum_cells([](const Probe& p) -> auto& { return p.accepted; });
  totals.duplicates = sum(probes, [](const Probe& p) -> auto& { return p.duplicates; });
  for_each_rejected(probes, reject);
  const std::uint64_t opened =
      sum(probes, [](const Probe& p) -> auto& { return p.connections_opened; });
  const std::uint64_t closed =
      sum(probes, [](const Probe& p) -> auto& { return p.connections_closed; });
  totals.connections = opened - std::min(opened, closed);
  totals.duration = durations(probes);
  return totals;
}

void expose(Probes probes, std::span<const std::string> source_names,
            metrics::Exposition& exposition) {
  expose_requests(probes, exposition);
  for (std::size_t slot = 0; slot <= source_names.size(); ++slot) {
    exposition.counter("events_received_total", "Events read from requests, by source.",
                       {{"source", slot == 0 ? "api" : source_names[slot - 1]}},
                       sum(probes, [&](const Probe& p) -> auto& { return p.received[slot]; }));
  }
  std::uint64_t accepted = 0;
  for (std::size_t i = 0; i < probes.front()->accepted.size(); ++i) {
    accepted += sum(probes, [&](const Probe& p) -> auto& { return p.accepted[i]; });
  }
  exposition.counter("events_accepted_total", "Events answered 202 and taken into the buffer.", {},
                     accepted);
  expose_rejected(probes, exposition);
  expose_rules(probes, source_names, &Probe::ignored, "events_ignored_total",
               "Raw events that were taken and of which nothing was made, by source and rule.",
               exposition);
  expose_rules(probes, source_names, &Probe::nulled, "mapping_nulls_total",
               "Raw values that stood for none (null_if), by source and rule.", exposition);
  expose_warned(probes, exposition);
  for (const PlainCounter& counter : plain_counters) {
    exposition.counter(counter.name, counter.help, {},
                       sum(probes, [&](const Probe& p) -> auto& { return p.*counter.cell; }));
  }
  expose_refused_connections(probes, exposition);
  expose_timeouts(probes, exposition);
  expose_refused_bodies(probes, exposition);
  exposition.gauge("ingest_connections", "Connections open now.", {},
                   static_cast<double>(sum_totals(probes).connections));
}

namespace {

void expose_passthrough_of(Probes probes, std::size_t index, const WorkspaceTarget& workspace,
                           metrics::Exposition& exposition) {
  constexpr std::array<std::string_view, 4> classes{"2xx", "3xx", "4xx", "5xx"};
  const auto total = [&](auto pick) {
    return sum(probes, [&](const Probe& p) -> auto& { return pick(p.passthrough[index]); });
  };
  for (std::size_t i = 0; i < classes.size(); ++i) {
    exposition.counter("passthrough_requests_total",
                       "Requests passed through and answered by the upstream, by status class.",
                       {{"workspace", workspace.name}, {"code", classes[i]}},
                       total([&](const PassthroughProbe& p) -> auto& { return p.answers[i]; }));
  }
  for (std::size_t i = 0; i < passthrough_failure_names.size(); ++i) {
    exposition.counter(
        "passthrough_failures_total",
        "Requests to be passed through that the upstream did not answer to the end, by reason.",
        {{"workspace", workspace.name}, {"reason", passthrough_failure_names[i]}},
        total([&](const PassthroughProbe& p) -> auto& { return p.failures[i]; }));
  }
  const metrics::Labels labels{{"workspace", workspace.name}};
  exposition.counter("passthrough_request_bytes_total",
                     "Bytes of bodies passed through to the upstream.", labels,
                     total([](const PassthroughProbe& p) -> auto& { return p.request_bytes; }));
  exposition.counter("passthrough_answer_bytes_total",
                     "Bytes of bodies passed back from the upstream.", labels,
                     total([](const PassthroughProbe& p) -> auto& { return p.answer_bytes; }));
  metrics::HistogramSnapshot duration = probes.front()->passthrough[index].duration.snapshot();
  for (const auto& probe : probes.subspan(1)) {
    duration.add(probe->passthrough[index].duration.snapshot());
  }
  exposition.histogram("passthrough_duration_seconds",
                       "From a request's first byte to its answer's last being written.", labels,
                       duration);
  exposition.gauge(
      "passthrough_in_flight", "Requests being passed through.", labels,
      static_cast<double>(workspace.passthrough->in_flight.load(std::memory_order_relaxed)));
}

}  // namespace

void expose_passthrough(Probes probes, const Tables& tables, metrics::Exposition& exposition) {
  for (std::size_t i = 0; i < tables.workspaces.size(); ++i) {
    if (tables.workspaces[i].passthrough != nullptr) {
      expose_passthrough_of(probes, i, tables.workspaces[i], exposition);
    }
  }
}

}  // namespace sluice::ingest
