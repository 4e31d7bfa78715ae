// Coroutines that wait for the same thing, with a deadline each. One thread; no memory of past
// rings.
#pragma once

#include <vector>

#include <boost/asio/steady_timer.hpp>

#include <sluice/base/clock.hpp>
#include <sluice/net/asio.hpp>

namespace sluice::net {

class Bell {
 public:
  Bell() = default;
  ~Bell();
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;

  // Waits for the next ring, at most until the deadline. The caller looks at what it waits for
  // itself, before and after. The bell must outlive the wait.
  [[nodiscard]] Task<> wait_until(MonoTime deadline);
  // Wakes all that wait now; they run later, not within the call.
  void ring();

 private:
  class Wait;
  std::vector<asio::steady_timer*> waiting_;
};

}  // namespace sluice::net
