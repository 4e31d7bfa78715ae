// Goal: what is counted comes out as Prometheus text, exactly.
#include <gtest/gtest.h>

#include <sluice/metrics/exposition.hpp>

namespace sluice::metrics {
namespace {

TEST(Exposition, WritesFamiliesOnceAndSamplesInOrder) {
  Exposition exposition;
  exposition.counter("a_total", "Help for a.", {{"x", "1"}}, 3);
  exposition.gauge("b", "Help for b.", {}, 1.5);
  exposition.counter("a_total", "Help for a.", {{"x", "say \"2\"\n"}}, 4);
  EXPECT_EQ(exposition.to_text(),
            "# HELP sluice_a_total Help for a.\n# TYPE sluice_a_total counter\n"
            "sluice_a_total{x=\"1\"} 3\nsluice_a_total{x=\"say \\\"2\\\"\\n\"} 4\n"
            "# HELP sluice_b Help for b.\n# TYPE sluice_b gauge\nsluice_b 1.5\n");
}

TEST(Exposition, CallsTheProcessAsEverybodyDoes) {
  Exposition exposition;
  exposition.process({.start_time_seconds = 1'714'564'800.25,
                      .cpu_seconds = 0.5,
                      .resident_memory_bytes = 4096,
                      .open_fds = 7,
                      .max_fds = 1024});
  const std::string text = exposition.to_text();
  for (const char* line :
       {"# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds 1714564800.25\n",
        "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 0.5\n",
        "process_resident_memory_bytes 4096\n", "process_open_fds 7\n", "process_max_fds 1024\n"}) {
    EXPECT_NE(text.find(line), text.npos) << text;
  }
}

TEST(Exposition, HistogramsAreCumulative) {
  Histogram<2> first(std::array<double, 2>{1, 10});
  first.observe(1.0);
  first.observe(5.0, 2);
  Histogram<2> second(std::array<double, 2>{1, 10});
  second.observe(100.0);
  HistogramSnapshot sum = first.snapshot();
  sum.add(second.snapshot());
  Exposition exposition;
  exposition.histogram("h", "Help.", {}, sum);
  EXPECT_EQ(exposition.to_text(),
            "# HELP sluice_h Help.\n# TYPE sluice_h histogram\nsluice_h_count 4\nsluice_h_sum 111\n"
            "sluice_h_bucket{le=\"1\"} 1\nsluice_h_bucket{le=\"10\"} "
            "3\nsluice_h_bucket{le=\"+Inf\"} 4\n");
}

}  // namespace
}  // namespace sluice::metrics
