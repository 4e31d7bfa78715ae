// sluice-micro: the operations of the event path, one by one.
//
//   sluice-micro [--benchmark_filter=REGEX ...]   times them (Google Benchmark's flags)
//   sluice-micro --count                          runs each a fixed number of times for callgrind,
//                                                 which dumps its counts after each; see
//                                                 bench/instructions.sh
#include <cstring>
#include <iostream>

#include <benchmark/benchmark.h>
#include <simdjson.h>
#include <valgrind/callgrind.h>

#include "allocations.hpp"
#include "cases.hpp"

namespace {

using sluice::micro::Case;

constexpr int warm_runs = 3;
constexpr int counted_runs = 20;

// simdjson takes the best of its kernels that the machine has, which under valgrind is another one.
// What is counted is this one, wherever it is counted.
constexpr const char* counted_kernel = "haswell";

std::vector<Case> make_cases() {
  std::vector<Case> cases;
  sluice::micro::add_normalise_cases(cases);
  sluice::micro::add_delivery_cases(cases);
  sluice::micro::add_ingest_cases(cases);
  return cases;
}

// Prints a line per case, in the order of the dumps: its name, by how much to divide the count, and
// the allocations, to be divided likewise.
void count(const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    for (int i = 0; i < warm_runs; ++i) {
      one.run();
    }
    const std::size_t allocations_before = sluice::micro::allocations();
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
    for (int i = 0; i < counted_runs; ++i) {
      one.run();
    }
    CALLGRIND_DUMP_STATS_AT(one.name.c_str());
    CALLGRIND_STOP_INSTRUMENTATION;
    std::cout << one.name << '\t' << one.items * counted_runs << '\t'
              << sluice::micro::allocations() - allocations_before << '\n';
  }
}

void measure(const Case& one) {
  benchmark::RegisterBenchmark(one.name.c_str(), [&one](benchmark::State& state) {
    for (auto _ : state) {
      one.run();
    }
    const auto runs = static_cast<std::int64_t>(state.iterations());
    state.SetItemsProcessed(runs * static_cast<std::int64_t>(one.items));
    if (one.bytes > 0) {
      state.SetBytesProcessed(runs * static_cast<std::int64_t>(one.bytes));
    }
  });
}

}  // namespace

int main(int argc, char** argv) {
  const bool counting = argc == 2 && std::strcmp(argv[1], "--count") == 0;
  if (counting) {
    const auto* kernel = simdjson::get_available_implementations()[counted_kernel];
    if (kernel == nullptr || !kernel->supported_by_runtime_system()) {
      std::cerr << "sluice-micro: this machine cannot run simdjson's kernel " << counted_kernel
                << '\n';
      return 1;
    }
    simdjson::get_active_implementation() = kernel;
  }
  const std::vector<Case> cases = make_cases();
  if (counting) {
    count(cases);
    return 0;
  }
  for (const Case& one : cases) {
    measure(one);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 64;
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
