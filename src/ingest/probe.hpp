// What one ingest thread counts; summed over the threads at a scrape.
#pragma once

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

#include "routes.hpp"

namespace sluice::ingest {

inline constexpr std::array<unsigned, 14> counted_statuses{200, 202, 400, 401, 403, 404, 405,
                                                           408, 413, 415, 429, 431, 500, 503};

// Sources that can be added by reloading, over the life of the process.
inline constexpr std::size_t spare_sources = 256;

// What a client took too long for: `phase` in sluice_ingest_timeouts_total.
enum class Slow : std::uint8_t { handshake, head, body, idle, answer };
inline constexpr std::size_t slow_count = 5;

struct Probe {
  explicit Probe(const Tables& tables)
      : received(1 + tables.sources.size() + spare_sources), accepted(tables.workspaces.size()) {}

  void count_request(RouteId route, unsigned status);
  void count_timeout(Slow phase) { timeouts[static_cast<std::size_t>(phase)].add(); }

  std::array<std::array<metrics::Counter, counted_statuses.size()>, route_count> requests;
  metrics::Histogram<metrics::accept_seconds.size()> duration{metrics::accept_seconds};
  std::vector<metrics::Counter> received;  // per source, by its slot; at 0 the /v4 API
  std::vector<metrics::Counter> accepted;  // per workspace
  metrics::Counter duplicates;
  std::array<metrics::Counter, normalise::reject_reason_count> rejected;
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
  metrics::Counter connections_retired;          // max_requests_per_connection
  metrics::Counter handshakes_failed;
  std::array<metrics::Counter, slow_count> timeouts;
};

[[nodiscard]] Totals sum_totals(std::span<const std::unique_ptr<Probe>> probes);
// Adds the sums over all threads. The names are those of the slots from 1.
void expose(std::span<const std::unique_ptr<Probe>> probes,
            std::span<const std::string> source_names, metrics::Exposition& exposition);

}  // namespace sluice::ingest
