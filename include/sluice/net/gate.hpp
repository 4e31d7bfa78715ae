// Gates: no coroutine runs that nobody counts.
//
//   net::spawn(executor, gate_, serve(std::move(socket)));
//   ...
//   if (!co_await gate_.empty_by(drain_deadline)) { close what is left }
//
// A Gate belongs to one thread's io_context, as do the coroutines that it counts; it must outlive
// them, and asserts so: destroying a gate that is not empty is a programmer's error.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include <sluice/base/clock.hpp>
#include <sluice/net/asio.hpp>
#include <sluice/net/bell.hpp>

namespace sluice::net {

class Gate {
 public:
  // Counts one unit of work from enter() until it is destroyed or moved from.
  class Pass {
   public:
    Pass(Pass&&) noexcept = default;
    Pass& operator=(Pass&&) noexcept = default;

   private:
    friend class Gate;
    struct Leave {
      void operator()(Gate* gate) const { gate->leave(); }
    };
    explicit Pass(Gate* gate) : gate_(gate) {}
    std::unique_ptr<Gate, Leave> gate_;
  };

  // `name` appears in logs and must outlive the gate: a literal.
  explicit Gate(std::string_view name) : name_(name) {}
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  [[nodiscard]] Pass enter();
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] std::string_view name() const { return name_; }

  // Waits until the gate is empty, at most until the deadline; whether it is empty. Who waits must
  // not be counted by this gate itself.
  [[nodiscard]] Task<bool> empty_by(MonoTime deadline);

 private:
  void leave();

  std::string_view name_;
  std::size_t count_ = 0;
  Bell emptied_;
};

// Starts `work` on the executor, never from within the call, and counts it until its frame is gone.
// An exception that escapes from it ends it and is logged with the gate's name.
void spawn(const asio::any_io_executor& executor, Gate& gate, Task<> work);

}  // namespace sluice::net
