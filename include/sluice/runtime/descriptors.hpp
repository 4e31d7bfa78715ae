// File descriptors: how many the process may have, and who of it how many. Connections of producers
// get what the others leave: without a descriptor the store cannot write, delivery cannot send, and
// nobody can ask the admin API why.
#pragma once

#include <cstddef>

#include <sluice/config/config.hpp>

namespace sluice::runtime {

struct DescriptorPlan {
  std::size_t limit = 0;                   // of the process
  std::size_t reserved = 0;                // for all that is not a producer's connection
  std::size_t ingest_connections_max = 0;  // what is left, whatever is configured
  std::size_t admin_connections_max = 0;
  bool is_tight = false;  // next to nothing is left, and what is reserved is not kept free
};

// `threads`: of ingest. `limit`: RLIMIT_NOFILE.
[[nodiscard]] DescriptorPlan plan_descriptors(const config::Config& config, std::size_t threads,
                                              std::size_t limit);

// RLIMIT_NOFILE's soft limit, as it is now.
[[nodiscard]] std::size_t descriptor_limit();
// Raises it to the hard limit. What the system does not allow stays.
void raise_descriptor_limit();

}  // namespace sluice::runtime
