// Where a workspace's other API calls go: those that are none of the gateway's own.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include <sluice/base/result.hpp>

namespace sluice::transport {
class Peer;
}  // namespace sluice::transport

namespace sluice::ingest {

// One per workspace for the life of the process, whether passing through is switched on or not: the
// ingest threads share it, and it outlives the server.
struct PassthroughTarget {
  std::shared_ptr<const transport::Peer> peer;
  std::chrono::milliseconds connect_timeout{};
  // Gets the value of `Authorization` for the workspace's own credentials. May be called on any
  // thread; calls back once, on any thread, whatever happens.
  std::function<void(std::function<void(Result<std::string>)> done)> authorize;
  std::atomic<std::size_t> in_flight{0};  // requests being passed through, over all threads
};

}  // namespace sluice::ingest
