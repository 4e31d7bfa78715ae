#include <chrono>

#include <boost/asio/steady_timer.hpp>

#include <sluice/base/assert.hpp>
#include <sluice/net/deadline.hpp>

namespace sluice::net {

struct Deadline::State {
  explicit State(const asio::any_io_executor& executor) : timer(executor) {}

  asio::steady_timer timer;
  std::function<void()> cut;  // empty: nothing is to be cut
  bool expired = false;
};

Deadline::Deadline(const asio::any_io_executor& executor)
    : state_(std::make_shared<State>(executor)) {}

Deadline::Armed::Armed(Deadline& deadline, MonoTime at, std::function<void()> cut)
    : state_(*deadline.state_) {
  SLUICE_ASSERT(!state_.cut);
  state_.cut = std::move(cut);
  state_.expired = false;
  state_.timer.expires_at(at);
  state_.timer.async_wait(
      [weak = std::weak_ptr(deadline.state_)](const boost::system::error_code& cancelled) {
        const auto state = weak.lock();
        // A wait that ended before it was cancelled still comes here: then time is not up for what
        // is awaited now.
        const bool is_up = !cancelled && state && state->cut &&
                           state->timer.expiry() <= std::chrono::steady_clock::now();
        if (is_up && !std::exchange(state->expired, true)) {
          state->cut();
        }
      });
}

Deadline::Armed::~Armed() {
  state_.cut = nullptr;
  state_.timer.cancel();
}

bool Deadline::Armed::expired() const { return state_.expired; }

}  // namespace sluice::net
