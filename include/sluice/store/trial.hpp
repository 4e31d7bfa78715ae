// Opening a store's database in a process of its own: RocksDB may end the process that opens a
// damaged one (Debian's is compiled with its assertions), or never come back.
#pragma once

#include <string>

namespace sluice::store {

// The word by which a program that was started anew knows that it is to call run_trial().
inline constexpr const char* trial_command = "store-trial";

// In the child: opens the database only to read it, or `to_write`, and then reads all of it; tells
// on standard output what it finds, and returns the exit code. Ends with the process that started
// it.
[[nodiscard]] int run_trial(const std::string& database, bool to_write);

}  // namespace sluice::store
