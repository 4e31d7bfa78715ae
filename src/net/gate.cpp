#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <sluice/base/assert.hpp>
#include <sluice/base/log.hpp>
#include <sluice/net/gate.hpp>

namespace sluice::net {
namespace {

void log_escaped(std::string_view gate, const std::exception_ptr& escaped) {
  try {
    std::rethrow_exception(escaped);
  } catch (const std::exception& e) {
    SLUICE_LOG(error, "an exception ended a coroutine", {"gate", gate}, {"what", e.what()});
  } catch (...) {
    SLUICE_LOG(error, "an exception ended a coroutine", {"gate", gate}, {"what", "unknown"});
  }
}

// The pass is held by the completion handler: Asio destroys the coroutine's frame before it calls,
// or drops, its handler, so that an empty gate means that no frame is left.
struct Ended {
  std::string_view gate_name;
  Gate::Pass pass;

  void operator()(const std::exception_ptr& escaped) const {
    if (escaped) {
      log_escaped(gate_name, escaped);
    }
  }
};

struct Start {
  asio::any_io_executor executor;
  Task<> work;
  Ended ended;

  void operator()() { asio::co_spawn(executor, std::move(work), std::move(ended)); }
};

}  // namespace

Gate::~Gate() { SLUICE_ASSERT(empty()); }

Gate::Pass Gate::enter() {
  ++count_;
  return Pass(this);
}

void Gate::leave() {
  SLUICE_ASSERT(count_ > 0);
  --count_;
  if (empty()) {
    emptied_.ring();
  }
}

Task<bool> Gate::empty_by(MonoTime deadline) {
  // Another unit of work may enter between the ring and our turn.
  while (!empty() && std::chrono::steady_clock::now() < deadline) {
    co_await emptied_.wait_until(deadline);
  }
  co_return count_ == 0;
}

void spawn(const asio::any_io_executor& executor, Gate& gate, Task<> work) {
  Ended ended{gate.name(), gate.enter()};
  asio::post(executor, Start{executor, std::move(work), std::move(ended)});
}

}  // namespace sluice::net
