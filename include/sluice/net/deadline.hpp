// Deadlines of operations: what is awaited is given up when its time is up.
//
//   net::Deadline patience(executor);
//   const auto read = co_await net::with_deadline(patience, now + timeout, read_request(socket),
//                                                 net::closing(socket));
//   if (read.expired) ...
//
// This is for waits of which there are few, each with a timer. The connections of an ingest thread,
// of which there are thousands, note their deadlines for its sweep instead. Who waits for news from
// this process, and not for an operation, has a Bell.
//
// It is the same with every Asio. The newer ones (from Boost 1.86) have cancel_at, which costs four
// times as much around several operations, as much around a single one, and does not end what an
// operation's cancellation does not reach: bench/README.md has the counts.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include <sluice/base/clock.hpp>
#include <sluice/net/asio.hpp>

namespace sluice::net {

// What an operation gave, and whether it was cut: then the value is what it came to all the same,
// most often an error, and what it used is of no more use.
template <class T>
struct Timely {
  T value;
  bool expired = false;
};

// The timer of one deadline after another. Belongs to the executor's thread; whatever it is used
// for is over before it is destroyed.
class Deadline {
 public:
  explicit Deadline(const asio::any_io_executor& executor);

 private:
  struct State;
  // Cuts at the time, unless it is destroyed before.
  class Armed {
   public:
    Armed(Deadline& deadline, MonoTime at, std::function<void()> cut);
    ~Armed();
    Armed(const Armed&) = delete;
    Armed& operator=(const Armed&) = delete;
    [[nodiscard]] bool expired() const;

   private:
    State& state_;
  };
  template <class T, class Cut>
  friend Task<Timely<T>> with_deadline(Deadline& deadline, MonoTime at, Task<T> work, Cut cut);

  std::shared_ptr<State> state_;  // a wait that is over may be told of when all else is gone
};

// Awaits `work`, an operation or a coroutine of several. At `at` on the steady clock, if it has not
// ended by then, `cut` is called once, on the executor: it must not throw, and must end all that
// `work` waits for or might yet begin to wait for, as closing a socket does. The result is always
// what `work` itself ends with, which is waited for: if it had come to its end and only not been
// resumed yet when it was cut, the value is a good one, and expired is true. Once `work` has ended
// nothing is cut. What it throws is thrown on; cancelling the coroutine cancels `work`.
template <class T, class Cut>
[[nodiscard]] Task<Timely<T>> with_deadline(Deadline& deadline, MonoTime at, Task<T> work,
                                            Cut cut) {
  const Deadline::Armed armed(deadline, at, std::ref(cut));
  T value = co_await std::move(work);
  co_return Timely<T>{.value = std::move(value), .expired = armed.expired()};
}

// The usual cut. What is begun on a closed socket ends at once.
template <class Closable>
[[nodiscard]] auto closing(Closable& socket) {
  return [&socket] {
    boost::system::error_code ignored;
    socket.close(ignored);
  };
}

}  // namespace sluice::net
