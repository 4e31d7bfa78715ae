#include "scripted_upstream.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace sluice::test {
namespace {

constexpr time_t patience_s = 20;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

RawConnection::RawConnection(int descriptor) : descriptor_(descriptor) {
  const timeval patience{.tv_sec = patience_s, .tv_usec = 0};
  setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

RawConnection RawConnection::to(std::uint16_t port) {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  if (connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(descriptor);
    throw std::runtime_error("cannot connect");
  }
  return RawConnection(descriptor);
}

RawConnection::~RawConnection() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

RawConnection::RawConnection(RawConnection&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), received_(std::move(other.received_)) {}

bool RawConnection::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (written <= 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool RawConnection::fill() {
  std::array<char, 65536> space;  // NOLINT(cppcoreguidelines-pro-type-member-init): written below
  const ssize_t got = recv(descriptor_, space.data(), space.size(), 0);
  if (got <= 0) {
    was_reset_ = got < 0 && errno == ECONNRESET;
    return false;
  }
  received_.append(space.data(), static_cast<std::size_t>(got));
  return true;
}

std::string RawConnection::read_until(std::string_view text) {
  std::size_t at = 0;
  while ((at = received_.find(text)) == std::string::npos) {
    if (!fill()) {
      return std::exchange(received_, {});
    }
  }
  return read(at + text.size());
}

std::string RawConnection::read(std::size_t bytes) {
  while (received_.size() < bytes && fill()) {
  }
  std::string out = received_.substr(0, bytes);
  received_.erase(0, out.size());
  return out;
}

std::string RawConnection::read_to_end() {
  while (fill()) {
  }
  return std::exchange(received_, {});
}

std::size_t RawConnection::drain(std::size_t bytes) {
  std::size_t total = 0;
  while (total < bytes && (!received_.empty() || fill())) {
    total += std::exchange(received_, {}).size();
  }
  return total;
}

void RawConnection::reset() {
  const linger none{.l_onoff = 1, .l_linger = 0};
  setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  ::close(std::exchange(descriptor_, -1));
}

void RawConnection::end() { ::shutdown(descriptor_, SHUT_WR); }

ScriptedUpstream::ScriptedUpstream(Script script)
    : script_(std::move(script)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      listen(listener_, 64) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("cannot listen");
  }
  port_ = ntohs(address.sin_port);
  accepting_ = std::thread([this] { accept(); });
}

ScriptedUpstream::~ScriptedUpstream() {
  ::shutdown(listener_, SHUT_RDWR);
  accepting_.join();
  ::close(listener_);
  for (std::thread& connection : connections_) {
    connection.join();
  }
}

void ScriptedUpstream::accept() {
  while (true) {
    const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor < 0) {
      return;
    }
    connections_.emplace_back([this, descriptor, number = accepted_++] {
      RawConnection connection(descriptor);
      script_(connection, number);
    });
  }
}

}  // namespace sluice::test
