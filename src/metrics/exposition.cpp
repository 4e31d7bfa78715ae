#include <algorithm>
#include <limits>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <sluice/base/assert.hpp>
#include <sluice/metrics/exposition.hpp>

namespace sluice::metrics {

void HistogramSnapshot::add(const HistogramSnapshot& other) {
  SLUICE_ASSERT(bounds == other.bounds);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    counts[i] += other.counts[i];
  }
  sum += other.sum;
}

void append_json(std::string& out, std::string_view name, const HistogramSnapshot& value) {
  const auto append_list = [&out](std::string_view key, const auto& items) {
    out.append("\"").append(key).append("\":[");
    for (const auto& item : items) {
      out.append(out.back() == '[' ? "" : ",").append(std::to_string(item));
    }
    out += ']';
  };
  out.append(",\"").append(name).append("\":{");
  append_list("bounds", value.bounds);
  out += ',';
  append_list("counts", value.counts);
  out += '}';
}

namespace {

std::string ours(std::string_view name) { return "sluice_" + std::string(name); }

}  // namespace

struct Exposition::Families {
  // The metric to fill in, in the family of that full name.
  prometheus::ClientMetric& metric(std::string_view name, std::string_view help,
                                   prometheus::MetricType type, const Labels& labels) {
    auto family = std::ranges::find(all, name, &prometheus::MetricFamily::name);
    if (family == all.end()) {
      all.push_back(
          {.name = std::string(name), .help = std::string(help), .type = type, .metric = {}});
      family = std::prev(all.end());
    }
    prometheus::ClientMetric& made = family->metric.emplace_back();
    for (const auto& [key, value] : labels) {
      made.label.push_back({.name = std::string(key), .value = std::string(value)});
    }
    return made;
  }

  std::vector<prometheus::MetricFamily> all;
};

Exposition::Exposition() : families_(std::make_unique<Families>()) {}
Exposition::~Exposition() = default;

void Exposition::counter(std::string_view name, std::string_view help, const Labels& labels,
                         std::uint64_t value) {
  families_->metric(ours(name), help, prometheus::MetricType::Counter, labels).counter.value =
      static_cast<double>(value);
}

void Exposition::gauge(std::string_view name, std::string_view help, const Labels& labels,
                       double value) {
  families_->metric(ours(name), help, prometheus::MetricType::Gauge, labels).gauge.value = value;
}

void Exposition::histogram(std::string_view name, std::string_view help, const Labels& labels,
                           const HistogramSnapshot& value) {
  auto& histogram =
      families_->metric(ours(name), help, prometheus::MetricType::Histogram, labels).histogram;
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < value.counts.size(); ++i) {
    cumulative += value.counts[i];
    const double bound =
        i < value.bounds.size() ? value.bounds[i] : std::numeric_limits<double>::infinity();
    histogram.bucket.push_back({.cumulative_count = cumulative, .upper_bound = bound});
  }
  histogram.sample_count = cumulative;
  histogram.sample_sum = value.sum;
}

void Exposition::process(const ProcessUse& use) {
  const auto add_gauge = [this](std::string_view name, std::string_view help, double value) {
    families_->metric(name, help, prometheus::MetricType::Gauge, {}).gauge.value = value;
  };
  add_gauge("process_start_time_seconds", "When the process began, in seconds since 1970.",
            use.start_time_seconds);
  families_
      ->metric("process_cpu_seconds_total", "CPU time of the process, user and system.",
               prometheus::MetricType::Counter, {})
      .counter.value = use.cpu_seconds;
  add_gauge("process_resident_memory_bytes", "Memory of the process that is resident.",
            use.resident_memory_bytes);
  add_gauge("process_open_fds", "Open file descriptors of the process.", use.open_fds);
  add_gauge("process_max_fds", "File descriptors that it may have open.", use.max_fds);
}

std::string Exposition::to_text() const {
  return prometheus::TextSerializer().Serialize(families_->all);
}

}  // namespace sluice::metrics
