#include <charconv>
#include <cstddef>
#include <cstring>
#include <system_error>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <sluice/base/log.hpp>
#include <sluice/runtime/service_manager.hpp>

namespace sluice::runtime {
namespace {

std::optional<std::int64_t> number_in(const std::optional<std::string>& text) {
  std::int64_t number = 0;
  if (!text ||
      std::from_chars(text->data(), text->data() + text->size(), number).ec != std::errc{}) {
    return std::nullopt;
  }
  return number;
}

}  // namespace

ServiceManager::ServiceManager(const config::Environment& environment)
    : socket_(environment.variable("NOTIFY_SOCKET").value_or("")) {
  const auto watchdog_us = number_in(environment.variable("WATCHDOG_USEC"));
  const auto watched = number_in(environment.variable("WATCHDOG_PID"));
  if (watchdog_us.value_or(0) > 1 && watched.value_or(::getpid()) == ::getpid()) {
    watchdog_interval_ = std::chrono::microseconds(*watchdog_us / 2);
  }
}

void ServiceManager::starting(std::string_view status, std::chrono::seconds more) const {
  const auto us = std::chrono::microseconds(more).count();
  tell("EXTEND_TIMEOUT_USEC=" + std::to_string(us) + "\nSTATUS=" + std::string(status));
}

void ServiceManager::reloading(MonoTime now) const {
  const auto since_boot =
      std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch());
  tell("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(since_boot.count()));
}

void ServiceManager::tell(std::string_view state) const {
  sockaddr_un address{};
  if (socket_.empty() || socket_.size() >= sizeof address.sun_path) {
    return;
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (socket_.front() == '@') {
    address.sun_path[0] = '\0';
  }
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const bool told = descriptor >= 0 &&
                    ::sendto(descriptor, state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                             reinterpret_cast<const sockaddr*>(&address), size) >= 0;
  if (!told) {
    SLUICE_LOG(warn, "cannot tell the service manager",
               {"error", std::generic_category().message(errno)});
  }
  if (descriptor >= 0) {
    ::close(descriptor);
  }
}

}  // namespace sluice::runtime
