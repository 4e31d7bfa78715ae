// How a simulator is set up: values only, fixed once it is made. Faults change at run time instead.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sluice::simulator {

// How much of a request's content is checked.
enum class Validation : std::uint8_t {
  api,     // what the API is known or assumed to refuse
  strict,  // what the vendor's SDK and documents ask for, too
  none,    // only that it is JSON of the right outline: what benchmarks of the other side want
};

// What is kept of each event.
enum class LedgerMode : std::uint8_t {
  full,     // identity, body and order: for tests
  compact,  // a 128-bit hash of the identity: about 40 bytes per event, for millions of them
};

// What a batch of which some events are invalid comes to; the API does not say.
enum class InvalidEvents : std::uint8_t {
  refuse_batch,  // 400, and nothing of the batch is stored
  store_others,  // 207 naming the refused ones, and the others are stored
};

// A workspace that may call. `api_key` alone is enough to log in.
struct WorkspaceKey {
  std::string guid;
  std::string api_key;
};

struct Options {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any free port
  unsigned threads = 1;
  std::string tls_cert_file = {};  // PEM; empty: plain HTTP
  std::string tls_key_file = {};

  std::vector<WorkspaceKey> workspaces = {};         // none: any well-formed credentials will do
  std::vector<std::string> denied_permissions = {};  // that keys are said to lack
  std::chrono::milliseconds token_lifetime = std::chrono::minutes{60};
  Validation validation = Validation::api;
  LedgerMode ledger = LedgerMode::full;
  InvalidEvents invalid_events = InvalidEvents::refuse_batch;
  unsigned over_limit_status = 413;       // 413 or 400: the API does not say
  std::uint64_t seed = 1;                 // of faults and of the tokens' signing key
  std::chrono::seconds idle_timeout{75};  // of a connection without a request
  // A longer body is not even read: 413, and the connection is closed.
  std::size_t body_bytes_max = std::size_t{16} << 20;
};

}  // namespace sluice::simulator
