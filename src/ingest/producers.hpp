// Who may write: producers, their keys and their rates.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/base/clock.hpp>
#include <sluice/base/sha256.hpp>
#include <sluice/config/config.hpp>

namespace sluice::ingest {

// A rate limit over events, as the generic cell rate algorithm (ITU-T I.371): one atomic, exact
// waits. Thread-safe.
class RateLimit {
 public:
  // A burst of one second's events is let through at once.
  explicit RateLimit(double events_per_second);

  [[nodiscard]] bool has_same_rate(const RateLimit& other) const {
    return interval_ == other.interval_;
  }

  // How long to wait until the next event is within the rate; zero or less: now.
  [[nodiscard]] std::chrono::nanoseconds wait(MonoTime now) const;
  // Charges events that were let in; a request may take more than is left, and those after it pay.
  void charge(std::uint64_t events, MonoTime now);
  // Charges what was examined and not let in. It makes nobody wait for more than an hour.
  void charge_in_vain(std::uint64_t events, MonoTime now);

 private:
  void charge(std::uint64_t events, MonoTime now, std::chrono::nanoseconds wait_max);

  std::chrono::nanoseconds interval_;
  // When the bucket will be empty again (the theoretical arrival time). Relaxed: it orders nothing
  // else.
  std::atomic<std::int64_t> arrival_ns_{0};
};

struct Producer {
  std::string name;
  std::uint32_t index = 0;    // among all producers there have been, from 1; never another's
  std::size_t workspace = 0;  // index
  std::vector<Sha256> key_hashes;
  std::shared_ptr<RateLimit> rate_limit;  // none: unlimited
  std::vector<std::string> routes;        // that it may use; empty: all
  std::vector<std::string> sources;       // likewise
  std::vector<std::string> certificates;  // names in its client certificates
  std::size_t body_bytes_max = 0;         // after decompression; 0: as for all

  [[nodiscard]] bool may_use(std::string_view route) const { return among(routes, route); }
  [[nodiscard]] bool may_write_to(std::string_view source) const { return among(sources, source); }

 private:
  [[nodiscard]] static bool among(const std::vector<std::string>& allowed, std::string_view one) {
    return allowed.empty() || std::ranges::find(allowed, one) != allowed.end();
  }
};

class Tokens;

// Immutable once made; shared by the ingest threads.
class Producers {
 public:
  // `workspace_names` are in the order of their indexes. What a producer has used of its rate is
  // taken over from `previous`, unless the rate is another one.
  Producers(const std::vector<config::Producer>& producers,
            const std::vector<std::string>& workspace_names, const Producers* previous = nullptr);

  // None are configured: whoever reaches the address may write to the first workspace.
  [[nodiscard]] bool anonymous() const { return producers_.empty(); }
  // Whose key it is, or nullptr. Takes the same time whichever key matches.
  [[nodiscard]] const Producer* find(std::string_view key) const;
  // Whether a client certificate says who somebody is.
  [[nodiscard]] bool know_certificates() const { return know_certificates_; }
  // Whose certificate it is that has these names, or nullptr: nobody's, or not one producer's
  // alone.
  [[nodiscard]] const Producer* find_by_certificate(std::span<const std::string> names) const;
  // The greatest index there has been.
  [[nodiscard]] std::size_t indexes() const { return known_.size(); }
  // Whose key it is that a token stands for, or nullptr.
  [[nodiscard]] const Producer* find_by_key_id(std::string_view key_id, const Tokens& tokens) const;

 private:
  std::uint32_t index_of(const std::string& name);
  void take_over_rates(const Producers& previous);

  std::vector<Producer> producers_;
  bool know_certificates_ = false;
  std::vector<std::string> known_;  // by index, those that were removed included
};

// The key that the request's credentials carry: X-Api-Key, `Bearer KEY`, or the password of Basic
// (the user name, for existing integrations a workspace GUID, is not looked at). Nothing when there
// is none.
[[nodiscard]] std::optional<std::string> key_from_credentials(std::string_view authorization,
                                                              std::string_view api_key);

}  // namespace sluice::ingest
