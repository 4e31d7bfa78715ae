// What a scrape answers: families of metrics, collected from whoever counts and written as
// Prometheus text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sluice/metrics/cells.hpp>

namespace sluice::metrics {

using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

// What a process takes of its machine.
struct ProcessUse {
  double start_time_seconds = 0;  // since 1970
  double cpu_seconds = 0;
  double resident_memory_bytes = 0;
  double open_fds = 0;
  double max_fds = 0;
};

// Collects one scrape; a name's `sluice_` is added here. Samples of one name may come from several
// places. Not thread-safe: one per scrape.
class Exposition {
 public:
  Exposition();
  ~Exposition();
  Exposition(const Exposition&) = delete;
  Exposition& operator=(const Exposition&) = delete;

  void counter(std::string_view name, std::string_view help, const Labels& labels,
               std::uint64_t value);
  void gauge(std::string_view name, std::string_view help, const Labels& labels, double value);
  void histogram(std::string_view name, std::string_view help, const Labels& labels,
                 const HistogramSnapshot& value);
  // By the names that Prometheus's own client libraries use, `process_...`.
  void process(const ProcessUse& use);

  // Prometheus text format, version 0.0.4.
  [[nodiscard]] std::string to_text() const;

 private:
  struct Families;
  std::unique_ptr<Families> families_;
};
inline constexpr std::string_view exposition_content_type =
    "text/plain; version=0.0.4; charset=utf-8";

}  // namespace sluice::metrics
