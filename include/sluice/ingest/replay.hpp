// Events that were accepted once, have become dead letters, and come back to be accepted again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <sluice/event/group.hpp>
#include <sluice/normalise/normaliser.hpp>

namespace sluice::ingest {

struct Replay {
  std::size_t workspace = 0;  // its index
  EventKind kind{};
  std::string traceparent{};        // of the request they came in; empty: it had none
  std::vector<std::string> events;  // canonical JSON
};

struct ReplayOutcome {
  // Indexes of the events that the buffer has acknowledged, at its own level.
  std::vector<std::uint32_t> accepted{};
  // Why others were not taken: of each at least one reason, up to rejections_listed_max in all.
  std::vector<normalise::Rejection> rejections{};
  // Why none was taken, for reasons that are not the events'; empty otherwise.
  std::string refused{};
};

// Called once, on any thread.
using ReplayDone = std::function<void(ReplayOutcome)>;

}  // namespace sluice::ingest
