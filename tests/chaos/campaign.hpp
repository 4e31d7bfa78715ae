// A campaign of chaos: producers that insist on an answer, a gateway process that is killed again
// and again, and an upstream that does all it can to be misunderstood.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::test {

struct CampaignOptions {
  std::uint64_t seed = 1;
  unsigned kills = 20;
  bool jwt = false;
  // Off: neither the producers nor the gateway give events a salt, and nothing can count once.
  bool salts = true;
};

struct CampaignReport {
  std::uint64_t acknowledged = 0;   // events
  std::uint64_t deliveries = 0;     // events, repeated ones included
  std::uint64_t overwrites = 0;     // of them, with another content than before
  std::uint64_t dead_lettered = 0;  // different events
  unsigned hard_kills = 0;
  unsigned soft_stops = 0;
  // What is not as promised; empty: everything is.
  std::vector<std::string> violations;
};

[[nodiscard]] CampaignReport run_campaign(const CampaignOptions& options);

}  // namespace sluice::test
