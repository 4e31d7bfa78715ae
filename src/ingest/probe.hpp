// What one ingest thread counts; summed over the threads at a scrape.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <sluice/ingest/server.hpp>
#include <sluice/ingest/tables.hpp>
#include <sluice/metrics/cells.hpp>
#include <sluice/metrics/exposition.hpp>
#include <sluice/normalise/normaliser.hpp>

#include "problem.hpp"
#include "routes.hpp"

namespace sluice::ingest {

inline constexpr std::array<unsigned, 20> counted_statuses{200, 201, 202, 204, 207, 400, 401,
                                                           403, 404, 405, 408, 413, 415, 422,
                                                           429, 431, 500, 502, 503, 504};

// Sources that can be added by reloading, over the life of the process.
inline constexpr std::size_t spare_sources = 256;

// What a client took too long for: `phase` in sluice_ingest_timeouts_total.
enum class Slow : std::uint8_t { handshake, head, body, idle, answer };
inline constexpr std::size_t slow_count = 5;

// Why a request that was to be passed through was not answered by the upstream to the end.
enum class PassthroughFailure : std::uint8_t {
  full,            // passthrough.max_in_flight was reached
  no_credentials,  // the workspace's could not be had
  no_connection,   // to the upstream
  no_answer,       // it closed the connection without one
  bad_answer,      // what came is no answer
  upstream_slow,   // connection, answer or taking the request took too long
  client,          // the caller was too slow, broke the framing, sent too much or went
  cut,             // the upstream broke off in the middle of its answer
  stopped,         // the gateway stopped
};
inline constexpr std::array<std::string_view, 9> passthrough_failure_names{
    "full",          "no_credentials", "no_connection", "no_answer", "bad_answer",
    "upstream_slow", "client",         "cut",           "stopped"};

// Of one workspace.
struct PassthroughProbe {
  std::array<metrics::Counter, 4> answers;  // of the upstream: 2xx, 3xx, 4xx, 5xx
  std::array<metrics::Counter, passthrough_failure_names.size()> failures;
  metrics::Counter request_bytes;  // of bodies
  metrics::Counter answer_bytes;   // likewise
  metrics::Histogram<metrics::delivery_seconds.size()> duration{metrics::delivery_seconds};
};

// Of one source, what its rules did. Rules beyond those that are counted apart share a cell.
struct RuleCounters {
  static constexpr std::size_t rules_apart = 32;

  // Of the rule with this index, or of none.
  metrics::Counter& of_rule(std::size_t rule) {
    return rule == mapping::no_rule_index ? unmatched : rules[std::min(rule, rules_apart)];
  }

  std::array<metrics::Counter, rules_apart + 1> rules;
  metrics::Counter unmatched;
  metrics::Counter pings;  // of webhooks, which no rule sees
};

struct Probe {
  explicit Probe(const Tables& tables)
      : received(1 + tables.sources.size() + spare_sources),
        ignored(received.size()),
        nulled(received.size()),
        accepted(tables.workspaces.size()),
        passthrough(tables.workspaces.size()) {}

  void count_request(RouteId route, unsigned status);
  void count_timeout(Slow phase) { timeouts[static_cast<std::size_t>(phase)].add(); }

  std::array<std::array<metrics::Counter, counted_statuses.size()>, route_count> requests;
  metrics::Histogram<metrics::accept_seconds.size()> duration{metrics::accept_seconds};
  std::vector<metrics::Counter> received;     // per source, by its slot; at 0 the /v4 API
  std::vector<RuleCounters> ignored;          // likewise: raw events of which nothing was made
  std::vector<RuleCounters> nulled;           // likewise: raw values that stood for none
  std::vector<metrics::Counter> accepted;     // per workspace
  std::vector<PassthroughProbe> passthrough;  // per workspace
  metrics::Counter duplicates;
  metrics::Counter changed;            // events that change one that was accepted before
  metrics::Counter requests_replayed;  // answered as the first with their idempotency key
  metrics::Counter keys_reused;        // refused: the key came with another request before
  std::array<metrics::Counter, normalise::reject_reason_count> rejected;
  std::array<metrics::Counter, normalise::rule_count> warned;
  metrics::Counter refused_full;     // events of requests that were refused as a whole: buffer full
  metrics::Counter refused_storage;  // or the buffer could not keep them
  metrics::Counter refused_request;  // or on_invalid: reject_request
  metrics::Counter reserved_params_dropped;
  metrics::Counter nulls_removed;
  metrics::Counter identifiers_trimmed;
  metrics::Counter future_times_clamped;
  metrics::Counter connections_opened;
  metrics::Counter connections_closed;
  metrics::Counter connections_refused;          // max_connections
  metrics::Counter connections_refused_of_peer;  // max_connections_per_peer
  metrics::Counter connections_evicted;          // for another one
  metrics::Counter connections_retired;          // max_requests_per_connection
  metrics::Counter bulk_bodies;                  // read on a thread for large ones
  metrics::Counter handshakes_failed;
  std::array<metrics::Counter, slow_count> timeouts;
  std::array<metrics::Counter, body_limit_names.size()> bodies_refused;
};

[[nodiscard]] Totals sum_totals(std::span<const std::unique_ptr<Probe>> probes);
// Adds the sums over all threads. The names are those of the slots from 1.
void expose(std::span<const std::unique_ptr<Probe>> probes,
            std::span<const std::string> source_names, metrics::Exposition& exposition);

// Adds what concerns requests that are passed through, of the workspaces that do.
void expose_passthrough(std::span<const std::unique_ptr<Probe>> probes, const Tables& tables,
                        metrics::Exposition& exposition);

}  // namespace sluice::ingest
