// The operations of the event path that are measured one by one: by Google Benchmark in time, by
// callgrind in instructions. Everything is made of fixed seeds and times, so that each run of a
// case does the same work.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace sluice::micro {

struct Case {
  std::string name;       // "normalise/product-view": what is measured, and on what
  std::size_t items = 1;  // events, or what else is done, per run
  std::size_t bytes = 0;  // of input per run; 0: it has none to speak of
  std::function<void()> run;
};

// The groups of cases, each in a file of its own.
void add_normalise_cases(std::vector<Case>& cases);  // with the DOM parse of the same bytes
void add_delivery_cases(std::vector<Case>& cases);   // queue, batch, classification, metrics
void add_ingest_cases(std::vector<Case>& cases);     // request bytes to buffered events

}  // namespace sluice::micro
