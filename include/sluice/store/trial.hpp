// Opening a store's database in a process of its own: RocksDB may end the process that opens a
// damaged one (Debian's is compiled with its assertions), or never come back.
#pragma once

#include <cstdint>
#include <string>

namespace sluice::store {

// The word by which a program that was started anew knows that it is to call run_trial().
inline constexpr const char* trial_command = "store-trial";

struct TrialTask {
  std::string database;
  bool to_write = false;           // to open it so, and then to read all of it; else only to read
  std::uint64_t memory_bytes = 0;  // that it may take beyond what the program does; 0: any
};
// In the child: opens the database, tells on standard output what it finds, and returns the exit
// code. Ends with the process that started it, and when it has taken the memory that it may.
[[nodiscard]] int run_trial(const TrialTask& task);

}  // namespace sluice::store
