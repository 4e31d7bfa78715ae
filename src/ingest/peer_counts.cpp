#include "peer_counts.hpp"

#include <algorithm>

#include <netinet/in.h>

#include <sluice/base/assert.hpp>

namespace sluice::ingest {
namespace {

constexpr PeerAddress mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
constexpr std::size_t mapped_prefix_bytes = 12;
constexpr std::size_t network_bytes = 8;  // of an IPv6 address: a /64

}  // namespace

std::optional<PeerAddress> address_of_peer(const net::Socket& socket) {
  boost::system::error_code gone;
  const auto endpoint = socket.remote_endpoint(gone);
  return gone ? std::nullopt : peer_address(endpoint.data());
}

std::optional<PeerAddress> peer_address(const sockaddr* given) {
  PeerAddress address = mapped_prefix;
  if (given->sa_family == AF_INET) {
    const auto* const v4 = reinterpret_cast<const sockaddr_in*>(given);
    const auto* const bytes = reinterpret_cast<const unsigned char*>(&v4->sin_addr);
    std::copy_n(bytes, sizeof v4->sin_addr, address.begin() + mapped_prefix_bytes);
    return address;
  }
  if (given->sa_family != AF_INET6) {
    return std::nullopt;
  }
  const auto* const v6 = reinterpret_cast<const sockaddr_in6*>(given);
  std::copy_n(v6->sin6_addr.s6_addr, address.size(), address.begin());
  if (!IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
    std::fill(address.begin() + network_bytes, address.end(), 0);
  }
  return address;
}

bool PeerCounts::try_enter(const PeerAddress& address, std::size_t max) {
  const std::lock_guard lock(mutex_);
  std::size_t& count = connections_[address];
  if (max != 0 && count >= max) {
    return false;
  }
  ++count;
  return true;
}

void PeerCounts::leave(const PeerAddress& address) {
  const std::lock_guard lock(mutex_);
  const auto found = connections_.find(address);
  SLUICE_ASSERT(found != connections_.end());
  if (--found->second == 0) {
    connections_.erase(found);
  }
}

}  // namespace sluice::ingest
