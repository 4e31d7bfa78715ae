#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include <sluice/simulator/stats.hpp>

namespace sluice::simulator {
namespace {

void append_series(std::string& out, std::string_view name, const Series& series) {
  fmt::format_to(std::back_inserter(out), R"("{}":{{"mean":{:.2f},"max":{}}},)", name,
                 series.mean(), series.max);
}

// The names are our own words, which need no escaping.
template <class Map>
void append_counts(std::string& out, const Map& counts) {
  out += '{';
  const char* separator = "";
  for (const auto& [name, count] : counts) {
    fmt::format_to(std::back_inserter(out), R"({}"{}":{})", separator, name, count);
    separator = ",";
  }
  out += '}';
}

}  // namespace

void Series::add(std::uint64_t value) {
  ++count;
  sum += value;
  max = std::max(max, value);
}

double Series::mean() const {
  return count == 0 ? 0.0 : static_cast<double>(sum) / static_cast<double>(count);
}

std::uint64_t Stats::requests_total() const {
  std::uint64_t total = 0;
  for (const auto& [path, by_status] : requests) {
    for (const auto& [status, count] : by_status) {
      total += count;
    }
  }
  return total;
}

std::uint64_t Stats::faults_fired_total() const {
  std::uint64_t total = 0;
  for (const auto& [action, count] : faults_fired) {
    total += count;
  }
  return total;
}

std::string to_json(const Stats& stats) {
  std::string out = R"({"requests":{)";
  const char* separator = "";
  for (const auto& [path, by_status] : stats.requests) {
    fmt::format_to(std::back_inserter(out), R"({}"{}":)", separator, path);
    append_counts(out, by_status);
    separator = ",";
  }
  fmt::format_to(std::back_inserter(out), R"(}},"requests_total":{},"batches":{},)",
                 stats.requests_total(), stats.batch_events.count);
  append_series(out, "batch_events", stats.batch_events);
  append_series(out, "batch_bytes", stats.batch_bytes);
  fmt::format_to(std::back_inserter(out),
                 R"("events":{},"events_refused":{},"future_times_replaced":{},)"
                 R"("salt_conflicts":{},"logins":{},)",
                 stats.events_accepted, stats.events_refused, stats.future_times_replaced,
                 stats.salt_conflicts, stats.logins);
  fmt::format_to(std::back_inserter(out),
                 R"("connections_accepted":{},"in_flight_max":{},"faults_fired":{},"faults":)",
                 stats.connections_accepted, stats.in_flight_max, stats.faults_fired_total());
  append_counts(out, stats.faults_fired);
  out += '}';
  return out;
}

}  // namespace sluice::simulator
