// Listening sockets, for TCP and Unix domains alike: one acceptor type and one socket type, so that
// what is built on them is compiled once.
#pragma once

#include <string>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

#include <sluice/base/result.hpp>
#include <sluice/config/config.hpp>
#include <sluice/net/asio.hpp>

namespace sluice::net {

using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;
using Socket = asio::generic::stream_protocol::socket;

struct ListenOptions {
  // SO_REUSEPORT: several acceptors, one per thread, share the port and the kernel spreads
  // connections over them. TCP only; a Unix-domain socket has one acceptor.
  bool reuse_port = false;
};

// Listens on the address. TCP: IPv4, IPv6 or a name (its first address is taken); port 0 takes a
// free one, which local_address() tells. Unix: a socket file that nobody listens on any more, as a
// killed process leaves it, is replaced; a live one is an error; its user and its
// group may connect (mode 0660). The error says what to do.
[[nodiscard]] Result<Acceptor> listen(const asio::any_io_executor& executor,
                                      const config::ListenAddress& address,
                                      ListenOptions options = {});

// Where the acceptor really listens: the address with the port that the kernel chose.
[[nodiscard]] config::ListenAddress local_address(const Acceptor& acceptor);

// "127.0.0.1:8080", "[::1]:8080", "unix:/run/sluice/ingest.sock"
[[nodiscard]] std::string to_string(const config::ListenAddress& address);

}  // namespace sluice::net
