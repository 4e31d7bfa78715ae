#include <sluice/base/assert.hpp>
#include <sluice/net/bell.hpp>

namespace sluice::net {

// Also taken off the list when the coroutine is destroyed while it waits.
class Bell::Wait {
 public:
  Wait(Bell& bell, asio::steady_timer& timer) : bell_(bell), timer_(timer) {
    bell_.waiting_.push_back(&timer_);
  }
  ~Wait() { std::erase(bell_.waiting_, &timer_); }
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

 private:
  Bell& bell_;
  asio::steady_timer& timer_;
};

Bell::~Bell() { SLUICE_ASSERT(waiting_.empty()); }

Task<> Bell::wait_until(MonoTime deadline) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, deadline);
  const Wait wait(*this, timer);
  co_await timer.async_wait(as_result);
}

void Bell::ring() {
  for (asio::steady_timer* timer : waiting_) {
    timer->cancel();
  }
}

}  // namespace sluice::net
