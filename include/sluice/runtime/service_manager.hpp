// Tells the service manager, systemd, how this process is: the protocol of sd_notify(3), which is a
// datagram to $NOTIFY_SOCKET. Without one it does nothing. Thread-safe.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <sluice/base/clock.hpp>
#include <sluice/config/load.hpp>

namespace sluice::runtime {

class ServiceManager {
 public:
  explicit ServiceManager(const config::Environment& environment);

  // The start goes on, at what the words say: it may take so much longer, from now on, before it is
  // given up.
  void starting(std::string_view status, std::chrono::seconds more) const;
  // Nothing more is to be said about the start.
  void started() const { tell("STATUS="); }
  void ready() const { tell("READY=1"); }
  // Followed by ready().
  void reloading(MonoTime now) const;
  void stopping() const { tell("STOPPING=1"); }
  void alive() const { tell("WATCHDOG=1"); }
  // How often to call alive(): half of what the watchdog of this process waits. None: there is no
  // watchdog.
  [[nodiscard]] std::optional<std::chrono::microseconds> watchdog_interval() const {
    return watchdog_interval_;
  }

 private:
  void tell(std::string_view state) const;

  std::string socket_;  // a path, or an abstract name behind '@'; empty: nobody wants to know
  std::optional<std::chrono::microseconds> watchdog_interval_;
};

}  // namespace sluice::runtime
