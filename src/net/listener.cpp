#include <cerrno>
#include <cstring>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <sluice/net/listener.hpp>

namespace sluice::net {
namespace {

using boost::system::error_code;
using Endpoint = asio::generic::stream_protocol::endpoint;
using asio::ip::tcp;

constexpr int backlog = 4'096;  // the kernel caps it at net.core.somaxconn
// Of a socket file, whatever the umask: its user and its group may connect.
constexpr mode_t socket_mode = S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP;

const char* mend_of(const error_code& error) {
  if (error == asio::error::address_in_use) {
    return "stop the process that listens there, or choose another address";
  }
  if (error == asio::error::access_denied) {
    return "choose a port from 1024 on or a directory that this user may write to, or grant "
           "CAP_NET_BIND_SERVICE";
  }
  if (error == boost::system::errc::address_not_available) {
    return "this machine has no such address: use one of its own, or 0.0.0.0 for all";
  }
  if (error == asio::error::host_not_found || error == asio::error::host_not_found_try_again) {
    return "the name has no address: write an IP address, or mend the name";
  }
  if (error == boost::system::errc::no_such_file_or_directory) {
    return "create the directory of the socket file first";
  }
  return "check the address";
}

std::unexpected<Error> refusal(const config::ListenAddress& address, const error_code& error) {
  return failure(error, "cannot listen on " + to_string(address) + ": " + error.message() + ": " +
                            mend_of(error));
}

// `socket_file` is empty unless the endpoint is one.
Result<Acceptor, error_code> open(const asio::any_io_executor& executor, const Endpoint& endpoint,
                                  ListenOptions options, const std::string& socket_file = {}) {
  error_code error;
  Acceptor acceptor(executor);
  acceptor.open(endpoint.protocol(), error);
  if (!error && endpoint.protocol().family() != AF_UNIX) {
    acceptor.set_option(Acceptor::reuse_address(true), error);
    const int on = 1;
    if (!error && options.reuse_port &&
        setsockopt(acceptor.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
      error.assign(errno, boost::system::system_category());
    }
  }
  if (!error) {
    acceptor.bind(endpoint, error);
  }
  // Nobody can connect before listen().
  if (!error && !socket_file.empty() && ::chmod(socket_file.c_str(), socket_mode) != 0) {
    error.assign(errno, boost::system::system_category());
  }
  if (!error) {
    acceptor.listen(backlog, error);
  }
  if (error) {
    return std::unexpected(error);
  }
  return acceptor;
}

Result<Acceptor> listen_tcp(const asio::any_io_executor& executor,
                            const config::TcpAddress& address, ListenOptions options) {
  error_code error;
  tcp::resolver resolver(executor);
  const auto found =
      resolver.resolve(address.host, std::to_string(address.port),
                       tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error) {
    return refusal(address, error);
  }
  auto acceptor = open(executor, Endpoint(found.begin()->endpoint()), options);
  if (!acceptor) {
    return refusal(address, acceptor.error());
  }
  return std::move(*acceptor);
}

// Whether the path is a socket file that no process listens on: only then may it be removed.
bool is_stale_socket(const asio::any_io_executor& executor, const std::string& path) {
  struct stat status{};
  if (lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) {
    return false;
  }
  error_code error;
  asio::local::stream_protocol::socket probe(executor);
  probe.open(asio::local::stream_protocol(), error);
  if (error) {
    return false;
  }
  // Not to hang on a live listener whose backlog is full.
  probe.non_blocking(true, error);
  probe.connect(asio::local::stream_protocol::endpoint(path), error);
  return error == asio::error::connection_refused;
}

Result<Acceptor> listen_unix(const asio::any_io_executor& executor,
                             const config::UnixAddress& address) {
  constexpr std::size_t path_bytes_max = sizeof(sockaddr_un::sun_path) - 1;
  if (address.path.empty() || address.path.size() > path_bytes_max) {
    return failure(std::errc::filename_too_long,
                   "cannot listen on " + to_string(address) + ": the path of a socket has 1 to " +
                       std::to_string(path_bytes_max) + " bytes: choose a shorter one");
  }
  const Endpoint endpoint{asio::local::stream_protocol::endpoint(address.path)};
  auto acceptor = open(executor, endpoint, {}, address.path);
  if (!acceptor && acceptor.error() == asio::error::address_in_use &&
      is_stale_socket(executor, address.path) && unlink(address.path.c_str()) == 0) {
    acceptor = open(executor, endpoint, {}, address.path);
  }
  if (!acceptor) {
    return refusal(address, acceptor.error());
  }
  return std::move(*acceptor);
}

}  // namespace

Result<Acceptor> listen(const asio::any_io_executor& executor, const config::ListenAddress& address,
                        ListenOptions options) {
  if (const auto* unix_address = std::get_if<config::UnixAddress>(&address)) {
    return listen_unix(executor, *unix_address);
  }
  return listen_tcp(executor, std::get<config::TcpAddress>(address), options);
}

config::ListenAddress local_address(const Acceptor& acceptor) {
  const Endpoint bound = acceptor.local_endpoint();
  if (bound.protocol().family() == AF_UNIX) {
    asio::local::stream_protocol::endpoint endpoint;
    endpoint.resize(bound.size());
    std::memcpy(endpoint.data(), bound.data(), bound.size());
    return config::UnixAddress{endpoint.path()};
  }
  tcp::endpoint endpoint;
  endpoint.resize(bound.size());
  std::memcpy(endpoint.data(), bound.data(), bound.size());
  return config::TcpAddress{.host = endpoint.address().to_string(), .port = endpoint.port()};
}

std::string to_string(const config::ListenAddress& address) {
  if (const auto* unix_address = std::get_if<config::UnixAddress>(&address)) {
    return "unix:" + unix_address->path;
  }
  const auto& tcp_address = std::get<config::TcpAddress>(address);
  const bool v6 = tcp_address.host.find(':') != std::string::npos;
  return (v6 ? "[" + tcp_address.host + "]" : tcp_address.host) + ":" +
         std::to_string(tcp_address.port);
}

}  // namespace sluice::net
