// How many connections each client's address has open, for the limit on them.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>

#include <sys/socket.h>

#include <sluice/net/listener.hpp>

namespace sluice::ingest {

// An IPv4 address, mapped (RFC 4291, 2.5.5.2), or the first half of an IPv6 address, as one client
// commands all of the second.
using PeerAddress = std::array<unsigned char, 16>;

// What a client's address counts as; nothing if it has none, as on a Unix-domain socket.
[[nodiscard]] std::optional<PeerAddress> peer_address(const sockaddr* given);
// Nothing either for a client that has gone already.
[[nodiscard]] std::optional<PeerAddress> address_of_peer(const net::Socket& socket);

// Thread-safe; asked twice in a connection's life.
class PeerCounts {
 public:
  // Counts a connection unless the address has `max` of them; 0: any number.
  [[nodiscard]] bool try_enter(const PeerAddress& address, std::size_t max);
  void leave(const PeerAddress& address);

 private:
  std::mutex mutex_;
  std::map<PeerAddress, std::size_t> connections_;  // none at 0
};

}  // namespace sluice::ingest
