#include "producers.hpp"

#include <algorithm>

#include <boost/beast/core/string.hpp>
#include <openssl/crypto.h>

#include <sluice/base/assert.hpp>
#include <sluice/base/base64.hpp>

#include "tokens.hpp"

namespace sluice::ingest {
namespace {

// What follows the scheme, when the field is of that scheme.
std::optional<std::string_view> credentials_of(std::string_view field, std::string_view scheme) {
  if (field.size() <= scheme.size() || field[scheme.size()] != ' ' ||
      !boost::beast::iequals({field.data(), scheme.size()}, {scheme.data(), scheme.size()})) {
    return std::nullopt;
  }
  const std::size_t start = field.find_first_not_of(' ', scheme.size());
  return start == std::string_view::npos ? std::nullopt : std::optional(field.substr(start));
}

constexpr std::chrono::hours wait_in_vain_max{1};

}  // namespace

RateLimit::RateLimit(double events_per_second)
    : interval_(static_cast<std::int64_t>(1e9 / events_per_second)) {
  SLUICE_ASSERT(events_per_second > 0);
}

std::chrono::nanoseconds RateLimit::wait(MonoTime now) const {
  const std::chrono::nanoseconds arrival(arrival_ns_.load(std::memory_order_relaxed));
  const std::chrono::nanoseconds at_once = std::chrono::seconds(1) - interval_;  // beside the next
  return arrival - now.time_since_epoch() - std::max(at_once, std::chrono::nanoseconds(0));
}

void RateLimit::charge(std::uint64_t events, MonoTime now) {
  charge(events, now, std::chrono::nanoseconds::max());
}

void RateLimit::charge_in_vain(std::uint64_t events, MonoTime now) {
  charge(events, now, wait_in_vain_max);
}

void RateLimit::charge(std::uint64_t events, MonoTime now, std::chrono::nanoseconds wait_max) {
  const std::int64_t now_ns = now.time_since_epoch().count();
  std::int64_t arrival = arrival_ns_.load(std::memory_order_relaxed);
  std::int64_t next = 0;
  do {
    const std::int64_t begin = std::max(arrival, now_ns);
    const std::int64_t room = std::max<std::int64_t>(wait_max.count() - (begin - now_ns), 0);
    const auto affordable = static_cast<std::uint64_t>(room / interval_.count());
    next = begin + static_cast<std::int64_t>(std::min(events, affordable)) * interval_.count();
  } while (!arrival_ns_.compare_exchange_weak(arrival, next, std::memory_order_relaxed));
}

Producers::Producers(const std::vector<config::Producer>& producers,
                     const std::vector<std::string>& workspace_names, const Producers* previous)
    : known_(previous == nullptr ? std::vector<std::string>() : previous->known_) {
  for (const config::Producer& given : producers) {
    Producer& producer = producers_.emplace_back();
    producer.name = given.name;
    producer.routes = given.routes;
    producer.sources = given.sources;
    producer.certificates = given.certificates;
    producer.body_bytes_max = given.max_body_bytes;
    know_certificates_ |= !given.certificates.empty();
    producer.index = index_of(given.name);
    const auto workspace = std::ranges::find(workspace_names, given.workspace);
    SLUICE_ASSERT(workspace != workspace_names.end());
    producer.workspace = static_cast<std::size_t>(workspace - workspace_names.begin());
    for (const config::Secret& key : given.keys) {
      producer.key_hashes.push_back(sha256(key.value));
    }
    if (given.rate_limit_per_second > 0) {
      producer.rate_limit = std::make_shared<RateLimit>(given.rate_limit_per_second);
    }
  }
  if (previous != nullptr) {
    take_over_rates(*previous);
  }
}

void Producers::take_over_rates(const Producers& previous) {
  for (Producer& producer : producers_) {
    const auto before = std::ranges::find(previous.producers_, producer.name, &Producer::name);
    if (producer.rate_limit != nullptr && before != previous.producers_.end() &&
        before->rate_limit != nullptr && before->rate_limit->has_same_rate(*producer.rate_limit)) {
      producer.rate_limit = before->rate_limit;
    }
  }
}

std::uint32_t Producers::index_of(const std::string& name) {
  auto at = std::ranges::find(known_, name);
  if (at == known_.end()) {
    at = known_.insert(known_.end(), name);
  }
  return static_cast<std::uint32_t>(at - known_.begin() + 1);
}

const Producer* Producers::find(std::string_view key) const {
  const Sha256 hash = sha256(key);
  const Producer* found = nullptr;
  for (const Producer& producer : producers_) {
    for (const auto& key_hash : producer.key_hashes) {
      if (CRYPTO_memcmp(key_hash.data(), hash.data(), hash.size()) == 0) {
        found = &producer;
      }
    }
  }
  return found;
}

const Producer* Producers::find_by_certificate(std::span<const std::string> names) const {
  const Producer* found = nullptr;
  for (const Producer& producer : producers_) {
    if (std::ranges::find_first_of(producer.certificates, names) == producer.certificates.end()) {
      continue;
    }
    if (found != nullptr) {
      return nullptr;
    }
    found = &producer;
  }
  return found;
}

const Producer* Producers::find_by_key_id(std::string_view key_id, const Tokens& tokens) const {
  for (const Producer& producer : producers_) {
    for (const Sha256& key_hash : producer.key_hashes) {
      if (tokens.key_id(key_hash) == key_id) {
        return &producer;
      }
    }
  }
  return nullptr;
}

std::optional<std::string> key_from_credentials(std::string_view authorization,
                                                std::string_view api_key) {
  if (!api_key.empty()) {
    return std::string(api_key);
  }
  if (const auto token = credentials_of(authorization, "Bearer")) {
    return std::string(*token);
  }
  if (const auto encoded = credentials_of(authorization, "Basic")) {
    const auto pair = decode_base64(*encoded);
    const std::size_t colon = pair ? pair->find(':') : std::string::npos;
    if (colon != std::string::npos) {
      return pair->substr(colon + 1);
    }
  }
  return std::nullopt;
}

}  // namespace sluice::ingest
